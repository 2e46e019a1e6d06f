"""Files that would lead to other files, under a video's name."""

import pytest

from ddeal_core.errors import MediaError
from ddeal_core.media import open_source
from ddeal_core.media.sources.demuxers import harmless_demuxers

SCRIPTS = (
    "ffconcat version 1.0\nfile {name}\n",
    "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1.0,\n{path}\n#EXT-X-ENDLIST\n",
    "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1.0,\nfile://{path}\n#EXT-X-ENDLIST\n",
    "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.m3u8", "clip.txt", "clip.mpd", "clip.sdp"])
def test_scripts_are_refused(tmp_path, make_clip, tiny_clip, name):
    secret = make_clip(tmp_path / "secret.ts", tiny_clip.frames)
    assert len(list(open_source(secret))) == 8
    evil = tmp_path / name
    for script in SCRIPTS:
        evil.write_text(script.format(name=secret.name, path=secret))
        for source in (evil, f"file:{evil}", f"file://{evil}"):
            with pytest.raises(MediaError):
                open_source(source)
        with evil.open("rb") as pipe, pytest.raises(MediaError):
            open_source(pipe)


def test_patterns_in_a_name_are_letters(tmp_path, tiny_clip):
    (tmp_path / "clip%03d.mp4").write_bytes(tiny_clip.video.read_bytes())
    assert len(list(open_source(tmp_path / "clip%03d.mp4"))) == 8


def test_all_usual_containers_are_read():
    names = set(harmless_demuxers().split(","))
    assert {"mov", "matroska", "webm", "avi", "mpegts", "mpeg", "flv", "ogg", "mxf", "asf"} <= names
    assert not names & {"hls", "dash", "concat", "image2", "lavfi", "rtsp", "sdp"}
