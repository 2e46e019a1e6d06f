"""Outputs made of masks that exist: ours, another tool's, or what a run kept."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from ddeal_core import Segmenter
from ddeal_core.errors import InputError
from ddeal_core.media import read_mask
from ddeal_core.runs import cut_out

WORDS = ("masks", "mattes=mattes", "rgba=rgba", "cut.mov", "over.mp4", "all.json")


def checksums(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and "manifest" not in path.name)
    return {
        str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest()
        for path in files
        if path.suffix != ".soft"
    }


def named(folder, words=WORDS):
    folder.mkdir(exist_ok=True)
    return [w.replace("=", f"={folder}/") if "=" in w else folder / w for w in words]


def test_what_a_run_kept_renders_to_its_bytes(make_network, tiny_clip, tmp_path):
    segmenter = Segmenter(make_network("compact"), resolution=64)
    later = np.zeros((96, 128), np.uint8)
    later[60:90, 90:120] = 38
    given = {1: tiny_clip.masks[1], 4: later}
    tracked, rendered = tmp_path / "tracked", tmp_path / "rendered"
    soft = tmp_path / "run.soft"
    cut_out(tiny_clip.video, given, [*named(tracked), soft], segmenter=segmenter, direction="both")
    assert cut_out(tiny_clip.video, soft, [*named(rendered), tmp_path / "b.soft"], track=False) == 8
    assert checksums(rendered) == checksums(tracked)
    assert (tmp_path / "b.soft").read_bytes() == soft.read_bytes()
    cut_out(tiny_clip.video, soft, tmp_path / "one", track=False, objects=[38])
    assert read_mask(tmp_path / "one/00004.png").object_ids == (38,)

    damaged = bytearray(soft.read_bytes())
    damaged[-9] ^= 1
    soft.write_bytes(damaged)
    with pytest.raises(InputError, match=r"run\.soft is damaged at frame 7"):
        cut_out(tiny_clip.video, soft, tmp_path / "damaged.mov", track=False)
    assert not (tmp_path / "damaged.mov").exists()
    soft.write_bytes(damaged[:-4])
    with pytest.raises(InputError, match="cut short"):
        cut_out(tiny_clip.video, soft, tmp_path / "damaged.mov", track=False)


def test_mattes_come_out_as_they_went_in(tiny_clip, tmp_path):
    rng = np.random.default_rng(1)
    for number, object_id in enumerate((3, 200)):
        (tmp_path / f"in/{object_id}").mkdir(parents=True)
        for index in range(8):
            matte = np.zeros((96, 128), np.uint8)
            matte[40 * number : 40 * number + 30, 10:60] = rng.integers(0, 256, (30, 50))
            Image.fromarray(matte).save(tmp_path / f"in/{object_id}/shot.{index:04d}.png")
    cut_out(tiny_clip.video, tmp_path / "in", f"mattes={tmp_path}/out", track=False)
    for path in sorted((tmp_path / "in").rglob("*.png")):
        out = tmp_path / "out" / path.parent.name / f"0{path.stem[-4:]}.png"
        assert np.array_equal(np.asarray(Image.open(out)), np.asarray(Image.open(path)))
