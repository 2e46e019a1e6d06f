"""What ``ddeal bench`` shall measure: from words to cases."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddeal_cli.options import parse_resolution

if TYPE_CHECKING:
    from ddeal_cli.bench.case import Case, Effort, NetworkChoice
    from ddeal_cli.bench.clip import BenchClip

__all__ = ["cases_of", "own_clip", "subjects_of"]

OBJECTS = (1, 2, 3, 5, 7, 10, 15, 20)
SIZES = ((240, 426), (360, 640), (480, 854), (720, 1280), (1080, 1920))
"""Height and width: 240p to 1080p."""

_MEMORY = 45  # frames of the user's own video that fill the default network's memory


def cases_of(
    *,
    subjects: "Sequence[NetworkChoice]",
    sizes: Sequence[tuple[int, int]],
    objects: Sequence[int],
    precisions: Sequence[Any],
    devices: Sequence[Any],
    threads: Sequence[int] | None,
    resolution: str | None,
    look_ahead: int,
    cuda_graphs: bool,
    clip: "BenchClip | None",
    growth: str | None,
    asked: dict[str, object],
) -> "list[Case]":
    """The grid, with nothing in it that cannot be measured."""
    from ddeal_cli.bench.case import Case
    from ddeal_cli.bench.clip import BenchClip

    if growth == "objects" and not asked["objects"]:
        objects = OBJECTS
    if growth == "size" and not asked["size"]:
        sizes = SIZES
    if clip is not None:
        sizes, objects = [clip.size], [clip.objects]
    else:
        for height_width in sizes:
            for count in objects:
                BenchClip.check(height_width, count)
    import torch

    from ddeal_core.tracking import resolve_device

    return [
        Case(
            subject,
            one_size,
            count,
            precision=kind,
            device=resolve_device(where).type,  # type: ignore[arg-type]
            threads=number,
            resolution=parse_resolution(resolution),
            look_ahead=look_ahead,
            cuda_graphs=cuda_graphs,
        )
        for subject in subjects
        for where in devices
        for kind in precisions
        for number in threads or [torch.get_num_threads()]
        for one_size in sizes
        for count in objects
    ]


def subjects_of(
    weights: Sequence[Path] | None, presets: Sequence[str] | None
) -> "list[NetworkChoice]":
    """The networks: files, then presets with random weights; else the bundled weights."""
    from ddeal_cli.bench.case import NetworkChoice

    chosen = [NetworkChoice.of_weights(path) for path in weights or ()]
    chosen += [NetworkChoice.of_preset(name) for name in presets or ()]
    return chosen or [NetworkChoice.of_weights(None)]


def own_clip(video: str | None, mask: Path | None, effort: "Effort") -> "BenchClip | None":
    """The user's own video with its mask, or None for the sample clip."""
    from ddeal_cli.bench.clip import BenchClip
    from ddeal_core.errors import InputError

    if video is None:
        if mask is not None:
            raise InputError("--mask belongs to a video: name the VIDEO too")
        return None
    if mask is None:
        raise InputError("a video of your own needs --mask, the mask of its first frame")
    return BenchClip.read(video, mask, frames=effort.frames + (effort.warm_up or _MEMORY) + 2)
