"""Which codec, pixel format and options make which kind of video."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ddeal_core.errors import OutputError

VideoKind = Literal["alpha", "overlay", "matte", "background"]

# Output bytes depend on the number of threads, so it is fixed, not taken from the machine.
THREADS = 4

_CONTAINERS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov", ".webm": "webm"}
WRITTEN_ENDINGS = tuple(_CONTAINERS)

# With its macroblock tree, x264 gave other bytes for the same frames once in some 30 runs.
_X264 = {"crf": "18", "preset": "fast", "mbtree": "0"}
# A pool of fixed size, whatever the machine has: another number gives other bytes.
_X265 = {
    "crf": "14",
    "preset": "fast",
    "x265-params": "log-level=none:bframes=0:frame-threads=1:pools=4",
}
# Frames go in and come out one by one: no look-ahead, no hidden frames.
_VP9 = {
    "deadline": "realtime",
    "cpu-used": "6",
    "lag-in-frames": "0",
    "auto-alt-ref": "0",
    "row-mt": "1",
}
LOSSLESS_ALPHA = {**_VP9, "lossless": "1"}
"""VP9 options for the alpha plane, which must come back as it was."""


@dataclass(frozen=True, slots=True)
class VideoRecipe:
    """How to encode one kind of video.

    Attributes:
        kind: What the pictures show.
        container: FFmpeg's name of the format.
        codec: FFmpeg's name of the encoder.
        pix_fmt: Pixel format of the coded picture (VP9 codes alpha as a second picture).
        options: The encoder's options.
        bits: Of its colours.
        container_options: The muxer's options.
    """

    kind: VideoKind
    container: str
    codec: str
    pix_fmt: str
    options: dict[str, str]
    container_options: dict[str, str] = field(default_factory=dict)
    bits: int = 8


def recipe_for(
    ending: str, kind: VideoKind | None, *, size: tuple[int, int], deep: bool = False
) -> VideoRecipe:
    """Find the recipe for a file's ending and the kind wanted.

    H.264 in 4:2:0 has even sizes only. An odd one is coded in 4:4:4, which keeps the size exact
    and plays in browsers (not Safari), VLC, mpv and editors built on FFmpeg. More than 8 bits are
    kept in ProRes and in H.265; VP9 has 8, as PyAV builds it, and overlays are to be looked at.

    Args:
        ending: One of `WRITTEN_ENDINGS`, in any case.
        kind: None is alpha where the container can hold it, else an overlay.
        size: (height, width).
        deep: Whether there are more than 8 bits to be kept.

    Raises:
        OutputError: The kind does not fit the ending.
    """
    ending = ending.lower()
    container = _CONTAINERS[ending]
    with_alpha = ending in (".mov", ".webm")
    if kind is None:
        kind = "alpha" if with_alpha else "overlay"
    # bitexact leaves out random ids and dates
    mux = {"fflags": "+bitexact"}
    if container in ("matroska", "webm"):
        # else sound that begins before 0, as AAC does, would move the pictures
        mux["avoid_negative_ts"] = "disabled"
    if container in ("mp4", "mov"):
        mux["movflags"] = "+faststart"
    if kind == "alpha":
        if ending == ".webm":
            options = {**_VP9, "crf": "18", "b": "0"}
            return VideoRecipe(kind, container, "libvpx-vp9", "yuv420p", options, mux)
        if ending == ".mov":
            options = {"profile": "4444", "alpha_bits": "16", "vendor": "apl0"}
            return VideoRecipe(kind, container, "prores_ks", "yuva444p10le", options, mux, 10)
        # FFmpeg could put H.265 with alpha in MP4, but PyAV's x265 is built without alpha
        raise OutputError(
            f"{ending} video holds no alpha (H.264 has none, and the H.265 encoder that comes "
            "with PyAV is built without it): use .mov (ProRes 4444), .webm (VP9), "
            "or a folder of the kind rgba"
        )
    if ending == ".webm":
        options = {**_VP9, "crf": "24", "b": "0"}
        return VideoRecipe(kind, container, "libvpx-vp9", "yuv420p", options, mux)
    pix_fmt = "yuv420p" if size[0] % 2 == 0 and size[1] % 2 == 0 else "yuv444p"
    if deep and kind != "overlay":
        options = {**_X265, "crf": "6"} if kind == "matte" else dict(_X265)
        return VideoRecipe(kind, container, "libx265", f"{pix_fmt}10le", options, mux, 10)
    options = dict(_X264)
    if kind == "matte":
        options["crf"] = "10"  # grey compresses well, and a key's edges must not ring
    return VideoRecipe(kind, container, "libx264", pix_fmt, options, mux)
