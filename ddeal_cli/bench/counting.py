"""Operations and bytes of each stage, counted while a frame runs.

Operations are those of convolutions and matrix products, two for a multiplication with its
addition, by the formulas of `torch.utils.flop_counter`. (Its `FlopCounterMode` finds the same
operations, but takes up-sampling apart into gathers that never run: four times the bytes.) Bytes
are what each operation would move if it read all its inputs from memory and wrote its outputs to
it, once. Caches may spare some of that, so a stage can seem to move more than the memory can.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd
_MOVE_NOTHING = {"empty", "new_empty", "empty_like", "empty_strided", "new_empty_strided"}


@dataclass(slots=True)
class Counts:
    """Operations of convolutions and matrix products, and bytes that all operations move."""

    operations: int = 0
    bytes: int = 0


class OperationCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts by stage while it is entered; `stage` says which one is open."""

    def __init__(self, stage: Callable[[], str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.stage = stage
        self.counts: dict[str, Counts] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and importing torch's compiler takes seconds

    def __torch_dispatch__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Count one operation and run it."""
        kwargs = kwargs or {}
        packet = func._overloadpacket
        if packet not in flop_registry and _is_composite(func):
            # In inference mode composite operations come whole: count what they are made of.
            # Not `func.decompose`, which may take a slow reference in Python instead.
            with self:
                return func._op_dk(_COMPOSITE, *args, **kwargs)
        result = func(*args, **kwargs)
        counts = self.counts.setdefault(self.stage(), Counts())
        if packet in flop_registry:
            counts.operations += flop_registry[packet](*args, **kwargs, out_val=result)
        elif packet.__name__ in ("_convolution_pointwise", "_linear_pointwise"):
            counts.operations += _onednn_operations(func, args, result)
        if not _is_view(func) and packet.__name__ not in _MOVE_NOTHING:
            counts.bytes += _bytes(args) + _bytes(kwargs) + _bytes(result)
        return result


def _onednn_operations(func: Any, args: tuple[Any, ...], result: Tensor) -> int:
    """Of oneDNN's convolutions and products, which torch's counter does not know."""
    weight = args[2] if func._overloadname == "binary" else args[1]
    return 2 * result.numel() * math.prod(int(side) for side in weight.shape[1:])


def _is_composite(func: Any) -> bool:
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), _COMPOSITE))


def _is_view(func: Any) -> bool:
    aliases = [value.alias_info for value in func._schema.returns]
    return any(alias is not None and not alias.is_write for alias in aliases)


def _bytes(tree: Any) -> int:
    tensors = (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))
    return sum(_extent(tensor) for tensor in tensors)


def _extent(tensor: Tensor) -> int:
    """Bytes that a tensor covers: one that is expanded covers less than its shape says."""
    if tensor.device == torch.device("meta"):
        return 0
    covered = tensor.numel() * tensor.element_size()
    if tensor.layout != torch.strided:  # weights in a layout of oneDNN's own
        return covered
    return min(covered, tensor.untyped_storage().nbytes())
