"""Options that several commands share, and how their words are read."""

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ddeal_cli.app import options_in
from ddeal_core.choices import DeviceName
from ddeal_core.errors import InputError
from ddeal_core.video_names import check_there

if TYPE_CHECKING:
    from ddeal_core.network import Ablation


class Cue(StrEnum):
    """What can be switched off."""

    MATCHING = "matching"
    APPEARANCE = "appearance"
    SUPPLEMENTARY = "supplementary"


_ONCE_HEIGHT_FIRST = {(160, 288), (208, 368), (240, 432), (480, 854), (480, 864)}

_network = options_in("Network")
_shown = options_in("What is shown")
_output = options_in("Output")


def _there(path: Path | None) -> Path | None:
    """Refuse a name of no file at once, not when torch is imported and the video opened."""
    if path is not None:
        from ddeal_core.weights.bundled import weights_file

        weights_file(path)
    return path


def video_there(video: str | None) -> str | None:
    """Refuse a name of nothing at once, not when what reads videos is imported."""
    if video is not None:
        check_there(video)
    return video


VideoArgument = Annotated[
    str,
    typer.Argument(
        metavar="VIDEO",
        callback=video_there,
        help="Video file, folder of images, or pattern such as 'shots/*.jpg'.",
    ),
]
WeightsOption = Annotated[
    Path | None,
    _network(
        "--weights",
        "-w",
        metavar="FILE",
        callback=_there,
        help="Weights (.safetensors); the bundled ones if left out.",
    ),
]
DeviceOption = Annotated[
    DeviceName, _network(help="Where to compute; auto takes a GPU if there is one.")
]
ResolutionOption = Annotated[
    str | None,
    _network(
        metavar="N|native",
        help="Short side in pixels that the network sees, at most twice the video's; native leaves "
        "frames as they are. Results have the video's size in any case. Default: what the weights "
        "were made for.",
    ),
]
PrecisionOption = Annotated[
    Literal["float32", "bfloat16"], _network(help="Precision of the convolutions.")
]
LookAheadOption = Annotated[
    int,
    _network(
        "--look-ahead",
        min=1,
        max=64,
        metavar="N",
        help="Frames of a file that the backbone takes at once: for GPUs. The last digits may "
        "differ.",
    ),
]
CudaGraphsOption = Annotated[
    bool, _network("--cuda-graphs", help="Launch all of a frame's work at once, on an NVIDIA GPU.")
]
WithoutOption = Annotated[
    list[Cue] | None,
    _network(
        metavar="CUE",
        help="Switch a cue off (Table V of the paper): matching, appearance, or its supplementary "
        "components alone; repeatable.",
    ),
]
Overwrite = Annotated[bool, _output("--overwrite", help="Replace results that exist.")]
Quiet = Annotated[bool, _shown("--quiet", "-q", help="Only warnings and errors.")]
Json = Annotated[bool, _shown("--json", help="One JSON object on standard output at the end.")]


def parse_resolution(text: str | None) -> int | Literal["native"] | None:
    """Read ``480`` or ``native``."""
    if text is None:
        return None
    if text == "native":
        return "native"
    if not re.fullmatch(r"[0-9]{1,5}", text):
        raise InputError(f"--resolution is a number of pixels or native, not {text!r}")
    return int(text)


def parse_size(text: str, *, clips: bool = False) -> tuple[int, int]:
    """Read ``854x480`` as height and width.

    Sizes of training clips (`clips`) had the height first once: the sizes of recipes and examples
    of that time are refused.
    """
    match = re.fullmatch(r"([0-9]{1,5})[xX]([0-9]{1,5})", text)
    if match is None:
        raise InputError(f"--size is WIDTHxHEIGHT, such as 854x480, not {text!r}")
    width, height = int(match[1]), int(match[2])
    if clips and (width, height) in _ONCE_HEIGHT_FIRST:
        raise InputError(
            f"--size is WIDTHxHEIGHT: {height}x{width} (height first, as in {text}, is no longer "
            "taken)"
        )
    return height, width


def ablation_of(without: Sequence[Cue] | None) -> "Ablation | None":
    """Turn the cues that are switched off into the network's switches."""
    if not without:
        return None
    from ddeal_core.network import Ablation

    return Ablation(
        matching=Cue.MATCHING not in without,
        base=Cue.APPEARANCE not in without,
        supplementary=Cue.APPEARANCE not in without and Cue.SUPPLEMENTARY not in without,
    )
