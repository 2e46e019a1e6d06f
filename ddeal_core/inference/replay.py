"""A function of tensors, recorded once and replayed: CUDA graphs.

A frame is hundreds of small kernels, and a fast GPU is done with each before Python has launched
the next. A graph launches all of them at once. It always reads and writes the same memory; here,
what goes in is copied there, and what comes out is copied away, so that a replayed function does
what the function does: its results are new tensors, and shapes decide which recording is played.
"""

import gc
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Generic, ParamSpec, TypeVar, cast

import torch
from torch import Tensor

P = ParamSpec("P")
T = TypeVar("T")

Play = Callable[[], None]
"""Computes a recorded function anew, from the tensors that it was recorded with."""

Record = Callable[[Callable[[], Any]], tuple[Any, Play]]
"""Records a function without arguments: gives its results, and what brings them up to date."""

_RECORDINGS = 32  # Shapes of one function; each holds the memory of its arguments and results.
_MET = 256  # Shapes that are remembered for having been met.
_WARM_UP = 2  # Runs in which libraries choose kernels and allocate what they keep.

# Recordings share scratch memory, and a device records one thing at a time.
_PLAYING = threading.RLock()


class CudaGraphs:
    """Records functions as CUDA graphs that share their scratch memory.

    Sharing is safe because recordings play one after the other, and `Replayed` keeps neither
    arguments nor results there.

    Args:
        device: An NVIDIA GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        with torch.cuda.device(device):
            self._pool = torch.cuda.graph_pool_handle()
            # Memory is shared within one stream only.
            self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def __call__(self, function: Callable[[], T]) -> tuple[T, Play]:
        """See `Record`. The function must not wait for the device, nor copy from or to it."""
        with torch.cuda.device(self._device):
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                for _ in range(_WARM_UP):
                    function()
            torch.cuda.current_stream().wait_stream(self._stream)
            graph = torch.cuda.CUDAGraph()
            # Other threads go on meanwhile: they write results of the frames before.
            with (
                _without_collecting(),
                _own_workspaces(),
                torch.cuda.graph(
                    graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
                ),
            ):
                results = function()
        return results, graph.replay


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Let no graph be destroyed while another is recorded, which CUDA forbids."""
    gc.collect()
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def _own_workspaces() -> Iterator[None]:
    """Let cuBLAS take its workspace from the graph's memory.

    Else it lies where other kernels, or a graph that goes, may free it under this one.
    """
    torch._C._cuda_clearCublasWorkspaces()
    try:
        yield
    finally:
        torch._C._cuda_clearCublasWorkspaces()


class Replayed(Generic[P, T]):
    """A function that is recorded for each combination of shapes, and replayed.

    What is met for the first time is computed as usual, for it may never come again.

    Args:
        function: Of tensors, and of tuples and dataclasses that hold tensors, None and hashable
            values; so are its results. It changes nothing in place. Tensors that go in must not
            be written to afterwards either: one that comes again is not copied again.
        record: See `Record`.
    """

    def __init__(self, function: Callable[P, T], record: Record) -> None:
        self._function, self._record = function, record
        self._recordings: OrderedDict[Hashable, _RecordedCall] = OrderedDict()
        self._met: OrderedDict[Hashable, None] = OrderedDict()

    @property
    def recordings(self) -> int:
        """How many there are by now."""
        return len(self._recordings)

    def forget(self) -> None:
        """Give up all recordings, and their memory."""
        with _PLAYING:
            self._recordings.clear()
            self._met.clear()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it."""
        given: list[Tensor] = []
        shape = _flatten((args, tuple(sorted(kwargs.items()))), given)
        key = (shape, tuple(_layout(tensor) for tensor in given), _numbers(given))
        with _PLAYING, torch.inference_mode():
            recording = self._recordings.pop(key, None)
            if recording is None and key not in self._met:
                self._met[key] = None
                _shorten(self._met, _MET)
                return self._function(*args, **kwargs)
            if recording is None:
                _shorten(self._recordings, _RECORDINGS - 1)
                try:
                    recording = self._recorded(shape, given)
                except torch.OutOfMemoryError:
                    self.forget()
            if recording is None:  # out of the handler, where tensors were still alive
                return self._function(*args, **kwargs)
            self._recordings[key] = recording
            return cast(T, recording(given))

    def _recorded(self, shape: Hashable, given: list[Tensor]) -> "_RecordedCall":
        inputs = [torch.empty_like(tensor).copy_(tensor) for tensor in given]
        args, kwargs = _unflatten(shape, inputs)
        call = cast(Callable[..., T], self._function)
        results, play = self._record(lambda: call(*args, **dict(kwargs)))
        outputs: list[Tensor] = []
        return _RecordedCall(inputs, _flatten(results, outputs), outputs, play)


def _shorten(entries: OrderedDict[Hashable, Any], most: int) -> None:
    """Forget those that were used longest ago."""
    while len(entries) > most:
        entries.popitem(last=False)


class _RecordedCall:
    """One recording, and the memory that it reads and writes."""

    def __init__(
        self, inputs: list[Tensor], shape: Hashable, outputs: list[Tensor], play: Play
    ) -> None:
        self._inputs, self._shape, self._outputs, self._play = inputs, shape, outputs, play
        self._seen: list[weakref.ref[Tensor] | None] = [None] * len(inputs)

    def __call__(self, given: list[Tensor]) -> Any:
        changed = [
            i for i, (seen, x) in enumerate(zip(self._seen, given, strict=True))
            if seen is None or seen() is not x
        ]  # fmt: skip
        if changed:
            torch._foreach_copy_([self._inputs[i] for i in changed], [given[i] for i in changed])
        for i in changed:
            self._seen[i] = weakref.ref(given[i])
        self._play()
        results = [torch.empty_like(tensor) for tensor in self._outputs]
        if results:
            torch._foreach_copy_(results, self._outputs)
        return _unflatten(self._shape, results)


@dataclass(frozen=True, slots=True)
class _TensorSlot:
    """Stands for a tensor of the list in a value that was flattened."""

    index: int


def _flatten(value: Any, tensors: list[Tensor]) -> Hashable:
    """Move the tensors of a value into a list; what is returned is hashable and has slots."""
    if isinstance(value, Tensor):
        tensors.append(value)
        return _TensorSlot(len(tensors) - 1)
    if is_dataclass(value) and not isinstance(value, type):
        return (
            type(value),
            tuple(_flatten(getattr(value, f.name), tensors) for f in fields(value)),
        )
    if isinstance(value, tuple):
        return type(value), tuple(_flatten(item, tensors) for item in value)
    return cast(Hashable, value)


def _unflatten(shape: Any, tensors: list[Tensor]) -> Any:
    if isinstance(shape, _TensorSlot):
        return tensors[shape.index]
    if not isinstance(shape, tuple):
        return shape
    kind, parts = shape
    items = [_unflatten(part, tensors) for part in parts]
    if kind is tuple:
        return tuple(items)
    return kind(*items)  # a dataclass or a named tuple


def _layout(tensor: Tensor) -> Hashable:
    strides = zip(tensor.shape, tensor.stride(), strict=True)
    # The stride of a dimension of length 1 decides nothing.
    return tensor.shape, tuple(s for n, s in strides if n > 1), tensor.dtype, tensor.device


def _numbers(given: list[Tensor]) -> Hashable:
    """What autocast makes of the numbers, which a recording keeps."""
    device = given[0].device.type
    if not torch.amp.is_autocast_available(device):
        return None
    return torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
