"""Which container formats a file from a stranger may be."""

from functools import cache

import av

# They open what the file names: other files of this machine, addresses, devices, scripts. A
# file's first bytes choose the demuxer, so "holiday.mp4" can be any of them.
_LEADING_ELSEWHERE = {
    "alsa", "avisynth", "concat", "concatf", "dash", "dvdvideo", "fbdev", "hls", "iec61883",
    "image2", "imf", "jack", "kmsgrab", "lavfi", "libcdio", "openal", "oss", "pulse", "rtp",
    "rtsp", "sap", "sdp", "smoothstreaming", "sndio", "tty", "v4l2", "vapoursynth",
    "video4linux2", "webm_dash_manifest", "whip", "x11grab", "xcbgrab",
}  # fmt: skip

AWAY_FROM_FILES = (
    "crypto,data,ftp,http,httpproxy,https,mmsh,mmst,rtmp,rtmpe,rtmps,rtmpt,rtmpte,rtmpts,rtp,"
    "sctp,srt,srtp,tcp,tls,udp,udplite"
)
"""Protocols that a stream of the network may lead on to: all but those that read files here."""


@cache
def harmless_demuxers() -> str:
    """FFmpeg's names of the formats that hold all that they show, with commas between them."""
    names: set[str] = set()
    for each in av.formats_available:
        try:
            found = av.ContainerFormat(each, "r")
        except ValueError:  # of outputs alone
            continue
        if not _LEADING_ELSEWHERE.intersection(found.name.split(",")):
            names.add(found.name)
    return ",".join(sorted(names))
