"""A tracker's knowledge between two frames, and how it is kept in a file.

The file is safetensors: numbers and their layout, no code. Layouts matter: a kernel may add in
another order where the same values lie otherwise in memory, and results would differ in the last
digits.
"""

import json
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from ddeal_core.network.dense.memory import Memory
from ddeal_core.network.state import ObjectState, Reference

_CLASSES = {kind.__name__: kind for kind in (Memory, ObjectState, Reference)}


@dataclass(frozen=True, slots=True)
class TrackerState:
    """What a tracker knows after some frames.

    Attributes:
        index: How many frames it has seen.
        size: (H, W) of the frames; None before the first.
        object_ids: Of the objects that it follows.
        objects: What it knows of them; None before the first is given.
    """

    index: int
    size: tuple[int, int] | None
    object_ids: tuple[int, ...]
    objects: ObjectState | None


def pack(state: TrackerState, **notes: int) -> bytes:
    """Give the bytes of a file that holds a state.

    Args:
        state: Tensors may be on any device.
        notes: Whole numbers to keep beside it.
    """
    tensors: dict[str, Tensor] = {}
    record = {
        "index": state.index,
        "size": state.size,
        "object_ids": state.object_ids,
        "objects": _taken_apart(state.objects, tensors),
        "notes": notes,
    }
    return save(tensors, {"state": json.dumps(record)})


def unpack(content: bytes, device: torch.device) -> tuple[TrackerState, dict[str, int]]:
    """Read what `pack` gave: the state on a device, and the notes.

    Raises:
        ValueError: It is damaged.
    """
    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        record = json.loads(header["__metadata__"]["state"])
        objects = _put_together(record["objects"], load(content), device)
        if objects is not None and not isinstance(objects, ObjectState):
            raise ValueError("no state of objects")
        count = 0 if objects is None else objects.objects
        if not are_ids(tuple(record["object_ids"])) or len(record["object_ids"]) != count:
            raise ValueError("ids do not fit the objects")
        size = record["size"]
        state = TrackerState(
            index=int(record["index"]),
            size=None if size is None else (int(size[0]), int(size[1])),
            object_ids=tuple(int(i) for i in record["object_ids"]),
            objects=objects,
        )
        return state, {str(name): int(note) for name, note in record["notes"].items()}
    except Exception as error:  # of many kinds: JSON, safetensors, torch, our classes
        raise ValueError(f"no tracker state can be read: {error}") from None


def are_ids(ids: tuple[object, ...]) -> bool:
    """Whether these are ids of objects: whole numbers from 1 to 254, each once."""
    return len(set(ids)) == len(ids) and all(type(i) is int and 1 <= i <= 254 for i in ids)


def _taken_apart(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Plain JSON types in which tensors are names into `tensors`."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensor = value.detach().cpu()
        if not _is_dense(tensor.shape, tensor.stride()):
            tensor = tensor.contiguous()
        strides = tensor.stride()
        order = sorted(range(tensor.ndim), key=strides.__getitem__, reverse=True)
        # one dimension: in the order in which it lies in memory; a copy of its own
        tensors[name] = tensor.permute(order).reshape(-1).clone()
        return {"tensor": name, "shape": list(tensor.shape), "stride": list(tensor.stride())}
    if is_dataclass(value):
        parts = {f.name: _taken_apart(getattr(value, f.name), tensors) for f in fields(value)}
        return {"class": type(value).__name__, "fields": parts}
    if isinstance(value, tuple):
        return [_taken_apart(item, tensors) for item in value]
    return value


def _put_together(value: Any, tensors: dict[str, Tensor], device: torch.device) -> Any:
    if isinstance(value, list):
        return tuple(_put_together(item, tensors, device) for item in value)
    if not isinstance(value, dict):
        return value
    if "class" in value:
        parts = {n: _put_together(part, tensors, device) for n, part in value["fields"].items()}
        return _CLASSES[value["class"]](**parts)
    if 0 in value["shape"]:  # a memory that has kept nothing so far
        return torch.empty(value["shape"], device=device)
    flat, shape, stride = tensors[value["tensor"]], value["shape"], value["stride"]
    if not _is_dense(shape, stride) or flat.numel() != _extent(shape, stride):
        raise ValueError("a tensor does not fit its layout")
    tensor = torch.empty_strided(shape, stride, dtype=flat.dtype, device=device)
    return tensor.copy_(flat.as_strided(shape, stride))


def _extent(shape: Any, stride: Any) -> int:
    return 1 + sum(int((n - 1) * step) for n, step in zip(shape, stride, strict=True))


def _is_dense(shape: Any, stride: Any) -> bool:
    """Whether a layout has neither holes nor overlaps, and is not empty."""
    expected = 1
    for step, n in sorted((step, n) for step, n in zip(stride, shape, strict=True) if n != 1):
        if step != expected:
            return False
        expected *= n
    return expected > 0
