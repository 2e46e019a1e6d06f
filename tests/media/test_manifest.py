"""Manifests beside outputs: what they hold, what they notice, and what they refuse."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from ddeal_core import Segmenter
from ddeal_core.errors import InputError, ManifestError
from ddeal_core.media import (
    Manifest,
    OutputLook,
    is_complete,
    manifest_path,
    open_outputs,
    open_source,
    outputs_at,
    read_manifest,
    read_mask,
    read_masks,
    verify,
)
from ddeal_core.media.identity import sampled_sha256
from ddeal_core.runs.pipeline import segment_video
from ddeal_core.runs.records import output_settings, run_settings

NAMES = ("masks", "mattes=mattes", "cut.mov", "all.json")


@pytest.fixture(scope="module")
def made(tiny_clip, make_network, tmp_path_factory):
    """Outputs of every shape from one pass, and the settings of each by name."""
    root = tmp_path_factory.mktemp("made")
    return root, produce(root, tiny_clip, make_network)


def produce(root, clip, make_network, *, mask=None, seed=0, names=NAMES):
    segmenter = Segmenter(make_network("compact", seed=seed), resolution=64)
    words = [name.replace("=", f"={root}/") if "=" in name else root / name for name in names]
    with open_source(clip.video) as source:
        masks = {0: mask or read_mask(clip.first_mask)}
        writers = open_outputs(words, source=source)
        run = run_settings(segmenter, source, masks)
        for _ in segment_video(segmenter, source, masks, writers):
            pass
        return {writer.path.name: output_settings(run, writer) for writer in writers}


@pytest.fixture
def results(made, tmp_path):
    """A copy that a test may damage."""
    shutil.copytree(made[0], tmp_path / "out")
    return tmp_path / "out", made[1]


def test_what_it_holds(made, tiny_clip):
    manifest = read_manifest(made[0] / "masks")
    assert [f.index for f in manifest.frames] == list(range(8))
    assert [f.name for f in manifest.files] == [f"{i:05d}.png" for i in range(8)]
    assert manifest.settings["input"]["name"] == tiny_clip.video.name
    assert manifest.settings["input"]["bytes"] == tiny_clip.video.stat().st_size
    assert manifest.settings["output"] == {"kind": "masks"}
    assert manifest.settings["device"] == "cpu"
    assert list(manifest.settings["masks"]) == ["0"]
    assert {"ddeal", "torch", "numpy", "av", "opencv-python-headless"} <= manifest.versions.keys()
    video = read_manifest(made[0] / "cut.mov")
    with open_source(tiny_clip.video) as source:
        assert [f.pts for f in video.frames] == [frame.pts for frame in source]
    assert [f.name for f in video.files] == ["cut.mov"]
    assert {f.name.split("/")[0] for f in read_manifest(made[0] / "mattes").files} == {"1"}


def test_the_same_run_writes_the_same_manifests(made, tiny_clip, make_network, tmp_path):
    names = ("masks", "cut.mov")
    produce(tmp_path, tiny_clip, make_network, names=names)
    for name in names:
        first, second = manifest_path(made[0] / name), manifest_path(tmp_path / name)
        assert first.read_bytes() == second.read_bytes(), name


def test_what_was_just_written_is_whole_and_complete(made):
    root, settings = made
    assert outputs_at(root) == sorted(root / name for name in settings)
    for name, own in settings.items():
        verdict = verify(root / name)
        assert verdict.whole, verdict.problems
        assert verdict.frames == 8
        assert verdict.size > 0
        assert is_complete(root / name, own)


def test_a_folder_with_its_manifest_still_serves_as_masks(made, tiny_clip):
    with open_source(tiny_clip.video) as source:
        assert list(read_masks([made[0] / "masks"], source=source)) == list(range(8))
    with open_source(made[0] / "masks") as source:
        assert source.info.frame_count == 8


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "a picture changed": ("masks", lambda r: flip(r / "masks/00003.png"), "00003.png", False),
    "a picture cut": ("masks", lambda r: os.truncate(r / "masks/00003.png", 9), "00003.png", True),
    "a picture gone": ("masks", lambda r: (r / "masks/00003.png").unlink(), "00003.png", True),
    "one too many": (
        "masks",
        lambda r: shutil.copy(r / "masks/00003.png", r / "masks/00009.png"),
        "00009.png",
        True,
    ),
    "an object too many": (
        "mattes",
        lambda r: shutil.copytree(r / "mattes/1", r / "mattes/2"),
        "2/00000.png",
        True,
    ),
    "a folder for a file": (
        "masks",
        lambda r: ((r / "masks/00003.png").unlink(), (r / "masks/00003.png").mkdir()),
        "00003.png",
        True,
    ),
    "a video changed": ("cut.mov", lambda r: flip(r / "cut.mov"), "cut.mov", False),
    "a video gone": ("cut.mov", lambda r: (r / "cut.mov").unlink(), "cut.mov", True),
    "no manifest": ("masks", lambda r: (r / "masks/manifest.json").unlink(), "manifest", True),
    "half a manifest": (
        "all.json",
        lambda r: os.truncate(r / "all.json.manifest.json", 300),
        "manifest",
        True,
    ),
    "another one's manifest": (
        "cut.mov",
        lambda r: shutil.copy(r / "all.json.manifest.json", r / "cut.mov.manifest.json"),
        "all.json",
        True,
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_named(results, what):
    root, settings = results
    name, damage, told, seen_by_size = DAMAGE[what]
    damage(root)
    verdict = verify(root / name)
    assert not verdict.whole
    assert any(told in problem for problem in verdict.problems), verdict.problems
    assert is_complete(root / name, settings[name]) is not seen_by_size
    for other in settings.keys() - {name}:
        assert verify(root / other).whole


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_are_not_followed_out(results, tmp_path):
    root, _ = results
    moved = tmp_path / "elsewhere.png"
    (root / "masks/00003.png").rename(moved)
    (root / "masks/00003.png").symlink_to(moved)
    (root / "masks/00004.png").unlink()
    os.mkfifo(root / "masks/00004.png")
    problems = verify(root / "masks").problems
    assert len(problems) == 2
    assert "link" in problems[0]
    assert "no file" in problems[1]


def edited(root, change):
    path = root / "masks/manifest.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


@pytest.mark.parametrize("name", ["../x.png", "/etc/passwd", "a/../../x", "", ".", "a//b", "a\0b"])
def test_names_outside_are_refused(results, name):
    root, settings = results
    edited(root, lambda record: record["files"][0].__setitem__(0, name))
    with pytest.raises(ManifestError, match="not inside"):
        read_manifest(root / "masks")
    assert not verify(root / "masks").whole
    assert not is_complete(root / "masks", settings["masks"])


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(format="ddeal-manifest-9"),
        lambda record: record.update(complete=False),
        lambda record: record.update(count=7),
        lambda record: record.update(frames=None),
        lambda record: record.update(files=[]),
        lambda record: record.update(settings=[]),
        lambda record: record.update(versions={"torch": 1}),
        lambda record: record.pop("files"),
        lambda record: record["files"].append(record["files"][0]),
        lambda record: record["files"][0].__setitem__(1, -1),
        lambda record: record["files"][0].__setitem__(2, "x"),
        lambda record: record["frames"][0].__setitem__(0, True),
        lambda record: record["frames"].__setitem__(0, 7),
        lambda record: record.update(is_folder=False),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(results, change):
    root, _ = results
    edited(root, change)
    with pytest.raises(ManifestError):
        read_manifest(root / "masks")


@pytest.mark.parametrize("text", ["", "[]", "null", "[" * 100_000, "\xff", '{"format": NaN}'])
def test_what_is_no_manifest_is_refused(text):
    with pytest.raises(ManifestError):
        Manifest.from_text(text.encode("latin-1"))


def test_other_settings_are_not_complete(made, tiny_clip, tmp_path):
    root, settings = made
    own = settings["cut.mov"]
    for name, value in (("weights", "0" * 64), ("end", 5), ("resolution", 100), ("device", "cuda")):
        assert name in own
        assert not is_complete(root / "cut.mov", {**own, name: value}), name
    assert not is_complete(root / "cut.mov", settings["masks"])
    for option in ({"hard": True}, {"sound": False}):
        with open_source(tiny_clip.video) as source:
            (writer,) = open_outputs(
                [tmp_path / "cut.mov"], source=source, look=OutputLook(**option)
            )
            writer.abandon()
        # the sound of a clip that has none says nothing
        other = {**own, "output": dict(writer.settings)}
        assert is_complete(root / "cut.mov", other) is ("sound" in option)


def test_masks_and_weights_count_by_what_they_hold(tiny_clip, make_network):
    first, second = (Segmenter(make_network("compact", seed=seed)) for seed in (0, 1))
    mask = read_mask(tiny_clip.first_mask)
    with open_source(tiny_clip.video) as source:
        own = run_settings(first, source, {0: mask})
        assert run_settings(first, source, {0: mask.labels}) == own
        assert run_settings(first, source, {0: np.roll(mask.labels, 1)}) != own
        assert run_settings(second, source, {0: mask}) != own
    with open_source(tiny_clip.video, start=0, end=5) as source:
        assert run_settings(first, source, {0: mask}) != own


def test_a_new_run_takes_the_old_claim_away_first(results, tiny_clip, make_network):
    root, settings = results
    segmenter = Segmenter(make_network("compact"), resolution=64)
    with open_source(tiny_clip.video) as source:
        masks = read_mask(tiny_clip.first_mask)
        writers = open_outputs([root / "masks"], source=source, overwrite=True)
        steps = segment_video(segmenter, source, masks, writers)
        next(steps)
        steps.close()
    assert not is_complete(root / "masks", settings["masks"])
    assert not verify(root / "masks").whole


def test_a_strangers_file_in_the_manifests_place_stays(tiny_clip, tmp_path):
    (tmp_path / "cut.mov.manifest.json").write_text("{}")
    with open_source(tiny_clip.video) as source:
        with pytest.raises(InputError, match=r"cut\.mov\.manifest\.json exists"):
            open_outputs([tmp_path / "cut.mov"], source=source)
        with pytest.raises(InputError, match="named twice"):
            open_outputs([tmp_path / "a.mov", tmp_path / "a.mov.manifest.json"], source=source)


def test_a_manifest_left_alone_gives_way(results, tiny_clip):
    root, _ = results
    (root / "cut.mov").unlink()
    assert "missing" in verify(root / "cut.mov").problems[0]
    with open_source(tiny_clip.video) as source:
        (writer,) = open_outputs([root / "cut.mov"], source=source)
        writer.abandon()


def test_odd_names_survive_the_text():
    manifest = Manifest(
        is_folder=True,
        settings={"input": {"name": 'a"\n\udc80é</script>'}},
        versions={},
        time_base="1/24",
        frames=(),
        files=(),
    )
    with pytest.raises(ManifestError):  # nothing in it
        Manifest.from_text(manifest.to_text())
    from ddeal_core.media.outputs.manifest import FileRecord, FrameRecord

    odd = 'x"\u2028\n.png'
    manifest = replace(
        manifest, frames=(FrameRecord(0, odd, None),), files=(FileRecord(odd, 3, "0" * 64),)
    )
    assert manifest.to_text().isascii()
    assert Manifest.from_text(manifest.to_text()) == manifest


def test_large_files_are_told_apart_by_samples(tmp_path):
    path = tmp_path / "large"
    content = np.random.default_rng(0).bytes(5 << 20)
    path.write_bytes(content)
    first = sampled_sha256(path)
    for place in (0, len(content) - 1):
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert sampled_sha256(path) != first
    path.write_bytes(content[:-1])
    assert sampled_sha256(path) != first
    path.write_bytes(content)
    assert sampled_sha256(path) == first
