"""What callers choose by name: the library checks these words, the command line offers them.

Nothing else is imported, so that help and refusals need neither OpenCV nor torch.
"""

from typing import Literal

OutputKind = Literal[
    "masks", "mattes", "exr", "rgba", "coco", "soft", "alpha", "overlay", "matte", "background"
]
"""What an output holds: see `open_writer`."""

Direction = Literal["forward", "backward", "both", "between"]
"""Which way objects are followed: see `VideoRequest`."""

OnError = Literal["stop", "skip", "hold"]
"""``stop`` ends with an error that has the frame's number; ``skip`` leaves the frame out;
``hold`` gives the last good one again in its place, at the time of the one that is lost."""

HintMethod = Literal["network", "grabcut"]
"""What makes masks of hints: see `mask_from_hints`."""

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
"""Where to compute; "auto" takes a GPU where there is one."""

Precision = Literal["float32", "bfloat16", "float16"]
"""Of the convolutions; float16 is for GPUs."""

Protocol = Literal["davis2016", "davis2017", "ytvos", "vos-benchmark", "every-frame"]
"""Rules of scoring: see `ddeal_core.evaluation.protocols`."""
