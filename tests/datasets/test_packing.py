"""Packed data: the same clips from smaller files."""

import json
import os
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from ddeal_core.datasets.coco import open_coco
from ddeal_core.datasets.cutouts import open_cutouts
from ddeal_core.datasets.layouts import DatasetSequence, DavisLayout
from ddeal_core.datasets.packed_files import pack_cutout, pack_labels, pack_video
from ddeal_core.datasets.packed_index import INDEX, read_index
from ddeal_core.datasets.packing import PackConfig, Packing
from ddeal_core.datasets.real import RealClips, sampled_frames
from ddeal_core.datasets.sources import Sources
from ddeal_core.datasets.stills import open_stills
from ddeal_core.datasets.synthetic import SyntheticClips
from ddeal_core.datasets.synthetic_config import SyntheticConfig
from ddeal_core.errors import ConfigError, DatasetError, InputError
from ddeal_core.media import write_mask

SIZE = (32, 48)


def picture(rng, height, width):
    coarse = rng.integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def write_sequence(root, name, *, frames, annotated, rng):
    images, masks = (root / kind / "480p" / name for kind in ("JPEGImages", "Annotations"))
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    for index in range(frames):
        # Names whose order changes where one suffix replaces several.
        suffix = ".png" if index % 3 == 1 else ".jpg"
        Image.fromarray(picture(rng, 72, 128)).save(images / f"{index:03d}{suffix}", quality=95)
        if index in annotated:
            labels = np.zeros((72, 128), np.uint8)
            labels[20:50, 10 + index : 50 + index] = 1
            labels[30:60, 70:110] = 38
            labels[:4] = 255
            write_mask(masks / f"{index:03d}.png", labels, ignore=True)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("data") / "DAVIS", np.random.default_rng(0)
    write_sequence(root, "sparse", frames=14, annotated={1, 5, 6, 10}, rng=rng)
    write_sequence(root, "dense", frames=5, annotated=set(range(5)), rng=rng)
    write_sequence(root, "unused", frames=2, annotated={0}, rng=rng)
    (root / "ImageSets").mkdir()
    (root / "ImageSets" / "few.txt").write_text("sparse\ndense\n")
    return root


@pytest.fixture
def material(tmp_path, rng):
    """Stills in a folder of folders, cut-outs, a turntable, photographs, video with masks."""
    for name in ("b", "a"):
        for kind in ("images", "masks"):
            (tmp_path / "photos" / name / kind).mkdir(parents=True)
        for stem in ("x", "x.k"):
            labels = np.zeros((72, 96), np.uint8)
            labels[10:60, 20:70] = 3
            path = tmp_path / "photos" / name
            Image.fromarray(picture(rng, 72, 96)).save(path / f"images/{stem}.jpg", quality=95)
            write_mask(path / f"masks/{stem}.png", labels)
    for folder in ("emoji", "places"):
        (tmp_path / folder).mkdir()
    rgba = np.dstack([picture(rng, 40, 40), np.zeros((40, 40), np.uint8)])
    rgba[8:30, 5:36, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "emoji" / "one.png")
    (tmp_path / "things" / "cup").mkdir(parents=True)
    for side in range(3):
        rgba = np.dstack([picture(rng, 40, 44), np.zeros((40, 44), np.uint8)])
        rgba[8:30, 5 + side : 36, 3] = 255
        Image.fromarray(rgba).save(tmp_path / "things" / "cup" / f"{side}.png")
    write_sequence(tmp_path / "video", "moves", frames=6, annotated=set(range(6)), rng=rng)
    Image.fromarray(picture(rng, 80, 100)).save(tmp_path / "places" / "one.jpg", quality=95)
    return tmp_path


def write(packing, out, **options):
    assert sum(1 for _ in packing.write(out, {"held_out": []}, **options)) == len(packing)
    return out


def sequences_of(root):
    return DavisLayout(root).sequences("few")


def test_real_clips_are_the_same(davis, tmp_path):
    before = sequences_of(davis)
    packing = Packing(PackConfig(short_side=72, quality=90))
    path = packing.add_dataset("DAVIS", before, image_set="few", every_frame=False)
    after = sequences_of(write(packing, tmp_path / "out") / path)
    assert [s.name for s in after] == ["sparse", "dense"]
    assert [len(s.frames) for s in after] == [6, 5]  # 1, 2, 5, 6, 7, 10 and all
    one, other = (RealClips(s, size=SIZE, frames=4, seed=2) for s in (before, after))
    for index in range(12):
        a, b = one.clip(index), other.clip(index)
        np.testing.assert_array_equal(a.labels, b.labels)
        assert np.abs(a.images.astype(int) - b.images).mean() < 4
    assert np.abs(one.clip(0).images.astype(int) - one.clip(1).images).mean() > 10


def test_pictures_shrink_and_ids_stay(davis, tmp_path):
    packing = Packing(PackConfig(short_side=36))
    path = packing.add_dataset("DAVIS", sequences_of(davis), image_set="few", every_frame=True)
    sparse, dense = sequences_of(write(packing, tmp_path / "out") / path)
    assert (len(sparse.frames), len(sparse.annotations)) == (14, 4)
    for frame in dense.frames:
        with Image.open(frame) as image, Image.open(dense.annotations[frame.stem]) as mask:
            assert image.size == mask.size == (64, 36)
            assert set(np.unique(np.array(mask))) == {0, 1, 38, 255}


def test_held_out_files_stay_as_they_are_unless_told(davis, tmp_path):
    _, dense = sequences_of(davis)
    packing = Packing(PackConfig(short_side=36))
    path = packing.add_held_out("DAVIS", [dense], image_set="few")
    (same,) = sequences_of(write(packing, tmp_path / "same") / path)
    for one, other in zip(dense.frames, same.frames, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert dense.annotations[one.stem].read_bytes() == same.annotations[other.stem].read_bytes()
    packing = Packing(PackConfig(held_out_short_side=36))
    path = packing.add_held_out("DAVIS", [dense], image_set="few")
    (small,) = sequences_of(write(packing, tmp_path / "small") / path)
    with Image.open(small.frames[0]) as image:
        assert image.size == (64, 36)


@pytest.mark.parametrize("name", ["#1", "two\nlines", os.fsdecode(b"\xff")])
def test_names_that_no_list_can_hold_are_refused(name):
    sequence = DatasetSequence(name, (Path("0.jpg"),), {})
    with pytest.raises(DatasetError, match="rename"):
        Packing(PackConfig()).add_held_out("DAVIS", [sequence], image_set=None)


def test_synthetic_clips_are_the_same(material, tmp_path):
    packing = Packing(PackConfig(short_side=300, quality=95))
    paths = [
        packing.add_stills(material / "photos"),
        packing.add_cutouts(material / "emoji"),
        packing.add_cutouts(material / "things"),
        packing.add_backgrounds(material / "places"),
        packing.add_dataset(
            "video", DavisLayout(material / "video").sequences(), image_set=None, every_frame=False
        ),
    ]
    out = write(packing, tmp_path / "out", processes=2)

    def clips(stills, cutouts, turntables, backgrounds, moving):
        sources = Sources.from_paths(
            stills=[stills],
            cutouts=[cutouts, turntables],
            backgrounds=[backgrounds],
            moving=[(moving, None)],
        )
        assert sources.turntables
        return SyntheticClips(config, sources, size=SIZE, frames=3, seed=1)

    config = SyntheticConfig(turntable_probability=0.3, moving_probability=0.3)
    one = clips(*(material / name for name in ("photos", "emoji", "things", "places", "video")))
    other = clips(*(out / path for path in paths))
    for index in range(12):
        a, b = one.clip(index), other.clip(index)
        assert (a.labels != b.labels).mean() < 0.01
        assert np.abs(a.images.astype(int) - b.images).mean() < 6


def test_coco_instances_become_the_same_stills(tmp_path, rng):
    (tmp_path / "images").mkdir()
    for name in ("a.jpg", "b.jpg"):
        Image.fromarray(picture(rng, 60, 80)).save(tmp_path / "images" / name, quality=95)

    def square(x, y, side):
        return [[x, y, x + side, y, x + side, y + side, x, y + side]]

    record = {
        "images": [{"id": 1, "file_name": "b.jpg"}, {"id": 2, "file_name": "a.jpg"}],
        "annotations": [
            {"id": 1, "image_id": 1, "segmentation": square(5, 5, 40)},
            {"id": 2, "image_id": 1, "segmentation": square(10, 10, 10)},
            {"id": 3, "image_id": 2, "segmentation": square(5, 5, 20), "iscrowd": 1},
        ],
    }
    file = tmp_path / "instances.json"
    file.write_text(json.dumps(record))
    before = open_coco(file, tmp_path / "images")
    packing = Packing(PackConfig(short_side=60))
    path = packing.add_coco(file, tmp_path / "images")
    assert path.endswith("/instances.json")
    after = open_stills(write(packing, tmp_path / "out") / path)
    assert len(before) == len(after) == 2
    for index in range(2):
        assert before[index].objects == after[index].objects
    np.testing.assert_array_equal(before[0].labels, after[0].labels)
    assert not after[1].objects  # a crowd alone is no object


def test_an_object_that_shrinking_loses_leaves_no_ignored_pixels(tmp_path):
    labels = np.full((64, 64), 255, np.uint8)
    labels[33, 33] = 7
    with Image.open(pack_labels(labels, tmp_path / "a", short_side=8)) as mask:
        assert not np.array(mask).any()


def test_cutouts_keep_their_alpha_and_no_clear_colour_bleeds_in(tmp_path):
    rgba = np.zeros((40, 40, 4), np.uint8)
    rgba[..., 0] = 255  # clear red all round
    rgba[10:31, 10:31] = (0, 200, 0, 255)
    (tmp_path / "in").mkdir()
    pack_cutout(rgba, tmp_path / "in" / "same", short_side=None, quality=50)
    pack_cutout(rgba, tmp_path / "in" / "small", short_side=20, quality=95)
    folder = open_cutouts(tmp_path / "in")
    np.testing.assert_array_equal(folder[0][2:-2, 2:-2, 3], 255)
    small = folder[1]
    edge = (small[..., 3] > 40) & (small[..., 3] < 255)
    assert edge.any()
    assert small[edge][:, 0].max() < 60


def test_videos_are_cut_and_shrunk_or_copied(tmp_path, rng):
    path = tmp_path / "a.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.options = {"crf": "40"}
        for _ in range(6):
            frame = av.VideoFrame.from_ndarray(picture(rng, 96, 128), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())

    def shape(file):
        with av.open(file) as container:
            frames = [frame.to_ndarray(format="rgb24").shape for frame in container.decode(video=0)]
        return len(frames), frames[0]

    assert shape(pack_video(path, tmp_path / "cut", short_side=48, max_frames=4)[0]) == (
        4, (48, 64, 3)
    )  # fmt: skip
    (same,) = pack_video(path, tmp_path / "same", short_side=96, max_frames=240)
    assert same.read_bytes() == path.read_bytes()


class TestTheFolder:
    """It is whole, or it is refused."""

    @pytest.fixture
    def out(self, material, tmp_path):
        packing = Packing(PackConfig())
        packing.add_cutouts(material / "emoji")
        return write(packing, tmp_path / "out")

    def test_the_index_tells_what_is_there(self, out):
        index = read_index(out)
        (part,) = index.parts
        assert (part.kind, part.name, part.items, part.files) == ("cutouts", "emoji", 1, 1)
        assert part.bytes == sum(p.stat().st_size for p in (out / part.path).iterdir())
        moved = out.rename(out.with_name("moved"))
        assert read_index(moved).digest == index.digest

    def test_what_is_not_whole_or_damaged_is_refused(self, out):
        (out / "cutouts/0/emoji/0000000.webp").unlink()
        with pytest.raises(DatasetError, match="whole"):
            read_index(out)
        (out / INDEX).unlink()
        with pytest.raises(DatasetError, match="whole"):
            read_index(out)
        for text in ("{}", "[]", "{]", '{"format": "another"}'):
            (out / INDEX).write_text(text)
            with pytest.raises(DatasetError, match=r"data\.json cannot be read"):
                read_index(out)

    def test_nothing_is_overwritten(self, out, material):
        packing = Packing(PackConfig())
        packing.add_cutouts(material / "emoji")
        with pytest.raises(InputError, match="there already"):
            list(packing.write(out, {}))

    def test_a_failure_leaves_nothing(self, material, tmp_path):
        (material / "emoji" / "two.png").write_bytes(b"no image")
        packing = Packing(PackConfig())
        packing.add_cutouts(material / "emoji")
        before = sorted(tmp_path.iterdir())
        with pytest.raises(DatasetError, match=r"two\.png"):
            list(packing.write(tmp_path / "new", {}))
        assert sorted(tmp_path.iterdir()) == before

    @pytest.mark.parametrize(
        "values", [{"short_side": 8}, {"quality": 0}, {"held_out_short_side": 1}]
    )
    def test_settings_out_of_range(self, values):
        with pytest.raises(ConfigError):
            PackConfig(**values)


def test_dropped_frames_change_no_choice():
    """Over random annotations: the same frames are drawn, by their original numbers."""
    frames = tuple(Path(f"{index:03d}.jpg") for index in range(14))
    for seed in range(20):
        rng = np.random.default_rng(seed)
        known = np.flatnonzero(rng.random(14) < rng.uniform(0.1, 0.9))
        masks = {frames[i].stem: frames[i] for i in (known if len(known) else [3])}
        whole = DatasetSequence("s", frames, masks)
        kept = sampled_frames(whole)
        part = DatasetSequence("s", tuple(frames[i] for i in kept), masks)
        clips = RealClips([whole], size=SIZE, frames=6)
        for draw in range(10):
            one = clips._frame_numbers(np.random.default_rng(draw), whole)
            other = clips._frame_numbers(np.random.default_rng(draw), part)
            assert one == [kept[i] for i in other]
