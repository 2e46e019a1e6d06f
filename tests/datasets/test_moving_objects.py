"""Video with masks as material: its objects laid over one another with the motion they have."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ddeal_core.datasets import DegradationConfig, Sources, SyntheticClips, SyntheticConfig
from ddeal_core.errors import DatasetError
from ddeal_core.media.masks.mask_images import write_mask

SIZE = (64, 112)
COLOURS = {"red": (255, 0, 0), "blue": (0, 0, 255)}
STILL = SyntheticConfig(
    scene_probability=0,
    procedural_probability=0,
    camera_probability=0,
    speed=(0, 0),
    rotation=(0, 0),
    zoom=(0, 0),
    stretch=0,
    bend=0,
    hinge_probability=0,
    harmonise_probability=0,
    object_light_probability=0,
    blur_probability=0,
    skip_probability=0,
    occluder_probability=0,
    distractor_probability=0,
    leave_probability=0,
    max_stride=1,
    degradation=DegradationConfig.none(),
)


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    """Two sequences on green: a square that moves 4 pixels a frame, of a colour of its own."""
    root = tmp_path_factory.mktemp("davis")
    for name, colour in COLOURS.items():
        images, masks = root / "JPEGImages/480p" / name, root / "Annotations/480p" / name
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        for number in range(10):
            image = np.full((96, 160, 3), (0, 120, 0), np.uint8)
            labels = np.zeros((96, 160), np.uint8)
            if number:  # the first frame shows nothing
                place = np.s_[30:62, 10 + 4 * number : 42 + 4 * number]
                image[place], labels[place] = colour, 1
            Image.fromarray(image).save(images / f"{number:05d}.jpg", quality=100, subsampling=0)
            write_mask(masks / f"{number:05d}.png", labels)
    (root / "ImageSets").mkdir()
    for name in (*COLOURS, "both"):
        names = COLOURS if name == "both" else [name]
        (root / "ImageSets" / f"{name}.txt").write_text("\n".join(names))
    return root


@pytest.fixture(scope="module")
def turntables(tmp_path_factory):
    """Two things of four sides, each side of a red of its own, in canvases of two widths."""
    root = tmp_path_factory.mktemp("turntables")
    for name in ("cup", "car"):
        (root / name).mkdir()
        for side in range(4):
            rgba = np.zeros((60, 50 + 10 * (side % 2), 4), np.uint8)
            rgba[10:50, 15 - side : 35 + side] = (60 * side + 60, 0, 0, 255)
            Image.fromarray(rgba).save(root / name / f"{side}.png")
    return root


def engine(config, *, frames=4, size=SIZE, **material):
    return SyntheticClips(config, Sources.from_paths(**material), size=size, frames=frames)


def changed(**values):
    return replace(STILL, **values)


def colours(clip, t, label):
    return clip.images[t][clip.labels[t] == label].astype(int)


def is_colour(pixels, name):
    return pixels.argmax(axis=-1) == np.argmax(COLOURS[name])


def test_objects_are_pasted_with_their_own_motion(davis, tmp_path):
    plate = np.full((96, 160, 3), (0, 120, 0), np.uint8)
    Image.fromarray(plate).save(tmp_path / "plate.png")
    config = changed(
        footage_probability=0, moving_probability=1, cutout_probability=0, max_objects=1
    )
    clips = engine(config, moving=[(davis, "red")], backgrounds=[tmp_path])
    moved = 0
    for index in range(6):
        clip = clips.clip(index)
        for t in range(4):
            inside = is_colour(clip.images[t].astype(int), "red")
            assert (inside != (clip.labels[t] == 1)).mean() < 0.03
        places = [np.nonzero(labels == 1)[1].mean() for labels in clip.labels]
        side = np.sqrt((clip.labels[0] == 1).sum())
        moved += abs(places[1] - places[0]) > 0.08 * side  # 4 of its 32 pixels, but at the ends
    assert moved >= 3


def test_objects_lie_before_and_behind_those_of_the_video(davis):
    config = changed(
        footage_probability=1,
        footage_moving_probability=1,
        lookalike_probability=0,
        single_probability=0,
        max_objects=2,
        area=(0.2, 0.3),
    )
    found = {}
    for behind in (0.0, 1.0):
        clips = engine(replace(config, behind_probability=behind), moving=[(davis, "both")])
        kinds = set()
        for index in range(24):
            clip = clips.clip(index)
            if clip.object_ids != (1, 2):
                continue
            for t in range(4):
                for label in (1, 2):
                    pixels = colours(clip, t, label)
                    if len(pixels) < 60:
                        continue
                    shares = {name: is_colour(pixels, name).mean() for name in COLOURS}
                    assert max(shares.values()) > 0.85, shares
            kinds.add(tuple(int((clip.labels == i).sum()) for i in (1, 2)))
        found[behind] = kinds
    assert found[0.0]
    assert found[1.0]
    hidden = {
        behind: np.mean([pair[0] / sum(pair) for pair in kinds]) for behind, kinds in found.items()
    }
    assert hidden[1.0] > hidden[0.0]  # what hides others shows more of itself


def test_the_first_frame_always_shows_an_object(davis):
    clips = engine(changed(footage_probability=1), moving=[(davis, "both")], frames=3)
    for index in range(20):
        clip = clips.clip(index)
        first = np.unique(clip.labels[0])
        np.testing.assert_array_equal(first[first > 0], np.arange(1, first.max() + 1))
        assert first.max() >= 1


def test_a_look_alike_is_shown_but_not_labelled(davis):
    config = changed(
        footage_probability=1, lookalike_probability=1, behind_probability=0, max_objects=1
    )
    seen = 0
    for index in range(8):
        clip = engine(config, moving=[(davis, "red")]).clip(index)
        red = is_colour(clip.images[0].astype(int), "red")
        seen += (red & (clip.labels[0] == 0)).sum() > 60
        assert set(clip.object_ids) <= {1}
    assert seen >= 4


def test_turntables_turn_and_keep_their_labels(turntables):
    config = changed(
        turntable_probability=1, cutout_probability=0, turn=(1, 1), max_objects=1, area=(0.1, 0.2)
    )
    clips = engine(config, cutouts=[turntables], frames=6)
    sides = set()
    for index in range(6):
        clip = clips.clip(index)
        for t in range(6):
            reds = colours(clip, t, 1)[:, 0]
            sides.add(round((np.median(reds) - 60) / 60))
    assert sides == {0, 1, 2, 3}


def test_a_clip_depends_on_seed_and_number_alone(davis, turntables):
    one = engine(None, moving=[(davis, "both")], cutouts=[turntables])
    other = pickle.loads(pickle.dumps(one))
    first = [one.clip(index) for index in range(8)]
    for index in reversed(range(8)):
        clip = other.clip(index)
        assert clip.images.tobytes() == first[index].images.tobytes()
        assert clip.labels.tobytes() == first[index].labels.tobytes()


def test_material_without_motion_is_refused(tmp_path):
    (tmp_path / "JPEGImages/one").mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(tmp_path / "JPEGImages/one/0.jpg")
    with pytest.raises(DatasetError, match="no sequence has 3 frames with masks"):
        Sources.from_paths(moving=[(tmp_path, None)])
    (tmp_path / "things/one").mkdir(parents=True)
    Image.new("RGBA", (32, 32)).save(tmp_path / "things/one/0.png")
    with pytest.raises(DatasetError, match="two sides"):
        Sources.from_paths(cutouts=[tmp_path / "things"])
