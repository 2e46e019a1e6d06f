import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ddeal_core.datasets import DegradationConfig, Sources, SyntheticClips, SyntheticConfig
from ddeal_core.datasets.procedural import procedural_background, procedural_shape
from ddeal_core.datasets.stills import cut, open_stills
from ddeal_core.errors import ConfigError, DatasetError

SIZE = (96, 160)
CLEAN = SyntheticConfig(
    degradation=DegradationConfig.none(),
    blur_probability=0,
    harmonise_probability=0,
    object_light_probability=0,
    occluder_probability=0,
    distractor_probability=0,
    leave_probability=0,
)


@pytest.fixture(scope="module")
def stills(tmp_path_factory):
    """Green plates, each with a magenta object: colours tell what the labels must say."""
    root = tmp_path_factory.mktemp("stills")
    for name in ("images", "masks"):
        (root / name).mkdir()
    for number in range(6):
        rng = np.random.default_rng(number)
        image = np.zeros((120, 180, 3), np.uint8)
        image[..., 1] = rng.integers(60, 200, size=(120, 180))
        mask = np.zeros((120, 180), np.uint8)
        mask[20:100, 50:130] = procedural_shape(np.random.default_rng(1), 80) > 127
        mask[30:90, 60:120] = 1
        image[mask > 0] = (250, 0, 250)
        Image.fromarray(image).save(root / "images" / f"{number}.png")
        Image.fromarray(mask).save(root / "masks" / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def sources(stills, tmp_path_factory):
    plates = tmp_path_factory.mktemp("plates")
    for number in range(2):
        plate = procedural_background(np.random.default_rng(number), 120, 180)
        plate[..., 0] = plate[..., 2] = 0
        Image.fromarray(plate).save(plates / f"{number}.png")
    return Sources.from_paths(stills=[stills], backgrounds=[plates])


def _same(a, b):
    return a.images.tobytes() == b.images.tobytes() and a.labels.tobytes() == b.labels.tobytes()


def test_a_clip_depends_on_seed_and_number_alone(sources):
    one = SyntheticClips(None, sources, size=SIZE, frames=3, seed=4)
    first = [one.clip(i) for i in range(6)]
    other = pickle.loads(pickle.dumps(one))  # what a worker process gets: nothing decoded
    for i in (5, 2, 0, 3):
        assert _same(first[i], other.clip(i))
    assert not _same(first[0], first[1])
    changed = SyntheticClips(None, sources, size=SIZE, frames=3, seed=5)
    assert not _same(first[0], changed.clip(0))


def test_without_any_source_clips_are_procedural():
    clips = SyntheticClips(size=SIZE, frames=3)
    for i in range(8):
        clip = clips.clip(i)
        assert clip.images.shape == (3, *SIZE, 3)
        first = np.unique(clip.labels[0])
        assert first[-1] >= 1
        np.testing.assert_array_equal(first[first > 0], np.arange(1, first[-1] + 1))
        assert set(clip.object_ids) == set(first[first > 0].tolist())


@pytest.mark.parametrize(
    ("scene", "warp"), [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)], ids=["pasted", "lifted", "bent"]
)
def test_labels_lie_on_the_object(sources, scene, warp):
    # Few objects: one that another hides in the first frame is painted, but has no label.
    config = replace(
        CLEAN,
        max_objects=4,
        scene_probability=scene,
        warp_probability=warp,
        procedural_probability=0,
        procedural_background_probability=0,
        still_background_probability=0,
    )
    clips = SyntheticClips(config, sources, size=SIZE, frames=4)
    wrong = total = 0
    for i in range(12):
        clip = clips.clip(i)
        magenta = (clip.images[..., 0] > 125) & (clip.images[..., 2] > 125)
        wrong += int(np.sum(magenta != (clip.labels > 0)))
        total += int(np.sum(clip.labels > 0))
    assert total > 10_000
    assert wrong < 0.06 * total  # the edge's rounding only


def test_distractors_are_shown_but_not_labelled(sources):
    config = replace(
        CLEAN,
        scene_probability=0,
        procedural_probability=0,
        procedural_background_probability=0,
        still_background_probability=0,
        distractor_probability=1,
        max_objects=1,
    )
    clips = SyntheticClips(config, sources, size=SIZE, frames=2)
    unlabelled = 0
    for i in range(8):
        clip = clips.clip(i)
        assert clip.object_ids == (1,)
        magenta = (clip.images[..., 0] > 125) & (clip.images[..., 2] > 125)
        unlabelled += int(np.sum(magenta & (clip.labels == 0))) > 100
    assert unlabelled >= 6


def test_feather_softens_the_edges_of_cut_outs(sources):
    pasted = replace(
        CLEAN,
        scene_probability=0,
        procedural_probability=0,
        procedural_background_probability=0,
        still_background_probability=0,
        erode_probability=0,
        max_objects=1,
    )

    def edge(feather):
        clips = SyntheticClips(
            replace(pasted, feather=(feather, feather)), sources, size=SIZE, frames=1
        )
        red = np.stack([clips.clip(i).images[0, ..., 0] for i in range(6)])
        return np.sum((red > 30) & (red < 220))

    assert edge(3) > 1.5 * edge(0)


def test_erosion_takes_a_pixel_off_cut_outs_of_some_size(stills):
    folder = open_stills(stills)
    item = folder[0].objects[0]
    whole, less = (cut(folder[0], item, erode=n, feather=0)[..., 3] for n in (0, 1))
    assert np.all(less <= whole)
    assert 0 < np.count_nonzero(less) < np.count_nonzero(whole)


def test_everything_off_stands_still(sources):
    config = replace(
        CLEAN,
        speed=(0, 0),
        rotation=(0, 0),
        zoom=(0, 0),
        stretch=0,
        bend=0,
        hinge_probability=0,
        camera_probability=0,
        parallax=0,
    )
    clips = SyntheticClips(config, sources, size=SIZE, frames=3)
    for i in range(8):
        clip = clips.clip(i)
        assert np.array_equal(clip.labels[0], clip.labels[2])
        assert np.array_equal(clip.images[0], clip.images[2])


def _centre(labels):
    rows, columns = np.nonzero(labels == 1)
    return np.array([columns.mean(), rows.mean()])


def test_speed_is_the_distance_of_frames(sources):
    config = replace(
        CLEAN, scene_probability=0, rotation=(0, 0), zoom=(0, 0), stretch=0, bend=0,
        hinge_probability=0, camera_probability=0, max_objects=1, area=(0.01, 0.02),
        skip_probability=0,
    )  # fmt: skip
    moved = []
    for speed in (0.01, 0.05):
        clips = SyntheticClips(
            replace(config, speed=(speed, speed)), sources, size=SIZE, frames=2, seed=1
        )
        made = [clips.clip(i) for i in range(12)]
        steps = [_centre(c.labels[1]) - _centre(c.labels[0]) for c in made if 1 in c.labels[1]]
        moved.append(np.median(np.hypot(*np.transpose(steps))) / SIZE[1])
    assert 0.004 < moved[0] < 0.02
    assert 3 < moved[1] / moved[0] < 7


def test_objects_leave_and_come_back(sources):
    config = replace(CLEAN, scene_probability=0, max_objects=1, leave_probability=1)
    clips = SyntheticClips(config, sources, size=SIZE, frames=8)
    left = returned = 0
    for i in range(16):
        there = (clips.clip(i).labels == 1).reshape(8, -1).any(axis=1)
        assert there[0]
        left += not there.all()
        gone = np.flatnonzero(~there)
        returned += bool(gone.size and there[gone[0] :].any())
    assert left >= 10
    assert returned >= 4


def test_each_degradation_changes_pictures_and_no_labels(sources):
    def made(degradation):
        config = replace(CLEAN, degradation=degradation)
        return SyntheticClips(config, sources, size=SIZE, frames=2).clip(3)

    none = DegradationConfig.none()
    plain = made(none)
    switches = [name for name in vars(none) if name.endswith("_probability")]
    assert len(switches) == 8
    for name in switches:
        changed = made(replace(none, **{name: 1.0}))
        assert np.array_equal(plain.labels, changed.labels)
        assert not np.array_equal(plain.images, changed.images), name


def test_bad_configurations_are_refused(stills):
    with pytest.raises(ConfigError, match="scene_probability"):
        SyntheticConfig(scene_probability=1.5)
    with pytest.raises(ConfigError, match="speed"):
        SyntheticConfig(speed=(0.2, 0.1))
    with pytest.raises(ConfigError, match="size is a whole number in"):
        SyntheticClips(size=(8, 8), frames=2)
    with pytest.raises(DatasetError, match="no stills"):
        Sources.from_paths(stills=[stills / "images"])
