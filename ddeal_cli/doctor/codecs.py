"""What PyAV's FFmpeg can code and decode of what outputs and inputs need."""

from collections.abc import Iterator
from typing import Literal

from ddeal_cli.doctor.finding import Finding, State

# As ddeal_core/media/outputs/video_recipes.py and sound_track.py name them.
_ENCODERS = {
    "prores_ks": "ProRes 4444 with alpha (.mov)",
    "libvpx-vp9": "VP9 with alpha (.webm)",
    "libx264": "H.264 (.mp4, .mkv)",
    "aac": "AAC sound (.mp4, .mov)",
    "libopus": "Opus sound (.webm, .mkv)",
}
_DECODERS = ("h264", "hevc", "vp9", "av1", "prores", "mpeg4", "mjpeg", "ffv1")


def check_codecs() -> Iterator[Finding]:
    """Look up every encoder that outputs use, and the usual decoders."""
    import av

    versions = {name: ".".join(map(str, parts)) for name, parts in av.library_versions.items()}
    yield Finding("FFmpeg", f"libavcodec {versions.get('libavcodec', 'of unknown version')}")
    advice = "reinstall PyAV from its wheel: pip install --force-reinstall --only-binary av av"
    for name, use in _ENCODERS.items():
        if _is_there(name, "w"):
            yield Finding(name, use)
        else:
            yield Finding(name, f"missing: no {use}", "broken", advice)
    there = [name for name in _DECODERS if _is_there(name, "r")]
    missing = [name for name in _DECODERS if name not in there]
    if missing:
        state: State = "broken" if "h264" in missing else "absent"
        value = f"{' '.join(there)}; not {' '.join(missing)}"
        yield Finding("decoders", value, state, advice)
    else:
        yield Finding("decoders", " ".join(there))


def _is_there(name: str, mode: Literal["r", "w"]) -> bool:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        Codec(name, mode)
    except UnknownCodecError:
        return False
    return True
