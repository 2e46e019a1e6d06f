from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ddeal_core.datasets import Clip, DavisLayout, SyntheticClips
from ddeal_core.datasets.export import export_clips
from ddeal_core.datasets.real import RealClips, RealConfig
from ddeal_core.errors import DatasetError


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    root = tmp_path_factory.mktemp("davis")
    clips = SyntheticClips(size=(64, 96), frames=6, seed=2)
    made = {f"clip_{i}": clips.clip(i) for i in range(3)}
    assert list(export_clips(made.items(), root)) == list(made)
    return root, made


def _bytes(root):
    return {p.relative_to(root): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_export_round_trip(exported):
    root, made = exported
    sequences = DavisLayout(root).sequences("train")
    assert [s.name for s in sequences] == list(made)
    for sequence in sequences:
        clip = made[sequence.name]
        assert len(sequence.frames) == len(sequence.annotations) == len(clip)
        for t, path in enumerate(sequence.frames):
            with Image.open(sequence.annotations[path.stem]) as mask:
                assert mask.mode == "P"
                np.testing.assert_array_equal(np.array(mask), clip.labels[t])
            with Image.open(path) as image:
                difference = np.abs(np.asarray(image).astype(int) - clip.images[t])
            assert difference.mean() < 8


def test_same_seed_same_bytes(exported, tmp_path):
    root, _ = exported
    clips = SyntheticClips(size=(64, 96), frames=6, seed=2)
    list(export_clips(((f"clip_{i}", clips.clip(i)) for i in range(3)), tmp_path))
    assert _bytes(root) == _bytes(tmp_path)


def test_an_export_that_stops_leaves_whole_sequences(tmp_path):
    clip = SyntheticClips(size=(32, 48), frames=2).clip(0)

    def broken():
        yield "one", clip
        yield "../two", clip

    with pytest.raises(DatasetError, match="no name"):
        list(export_clips(broken(), tmp_path))
    assert [s.name for s in DavisLayout(tmp_path).sequences("train")] == ["one"]
    with pytest.raises(DatasetError, match="exists"):
        list(export_clips([("one", clip)], tmp_path))
    assert list(export_clips([("one", clip)], tmp_path, overwrite=True)) == ["one"]
    assert not list(tmp_path.rglob(".*"))


@pytest.fixture(scope="module")
def coloured(tmp_path_factory):
    """A red square that walks over blue; frame 3 has no annotation."""
    root = tmp_path_factory.mktemp("coloured")
    images = np.zeros((8, 120, 200, 3), np.uint8)
    images[..., 2] = 200
    labels = np.zeros((8, 120, 200), np.uint8)
    for t in range(8):
        labels[t, 40:80, 20 + 15 * t : 60 + 15 * t] = 3
        images[t][labels[t] > 0] = (220, 0, 0)
    list(export_clips([("square", Clip(images, labels))], root))
    (root / "Annotations/480p/square/00003.png").unlink()
    return DavisLayout(root).sequences()


PLAIN = RealConfig(colour_probability=0, grey_probability=0)


@pytest.mark.parametrize("zoom", [0, 0.5])
@pytest.mark.parametrize("size", [(120, 200), (48, 80), (160, 160)])
def test_real_labels_follow_the_picture(coloured, size, zoom):
    config = replace(PLAIN, zoom=zoom)
    clips = RealClips(coloured, size=size, frames=4, max_gap=2, config=config)
    ignored = 0
    for i in range(10):
        clip = clips.clip(i)
        assert clip.object_ids == (1,)  # closed up from 3
        red = clip.images[..., 0] > clip.images[..., 2]
        for t in range(4):
            if (clip.labels[t] == 255).all():
                ignored += 1
                continue
            wrong = np.sum(red[t] != (clip.labels[t] == 1))
            assert wrong <= 0.12 * max(np.sum(clip.labels[t] == 1), size[0])
    assert ignored > 0


def test_a_zoom_changes_sizes_evenly_and_shows_nothing_beside_the_frame(tmp_path):
    # Red tells the column, green the row: what lies outside of a frame would repeat its border.
    image = np.zeros((100, 160, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(160), np.arange(100)[:, None]
    labels = np.zeros((6, 100, 160), np.uint8)
    labels[:, 30:70, 50:100] = 1
    list(export_clips([("still", Clip(np.stack([image] * 6), labels))], tmp_path))
    config = replace(PLAIN, zoom=0.5, scale=(0.6, 0.9), flip_probability=0)
    clips = RealClips(DavisLayout(tmp_path).sequences(), size=(48, 80), frames=5, config=config)
    ratios = []
    for i in range(12):
        shown = clips.clip(i).images.astype(float)
        # Frame pixels a clip pixel, along both axes.
        steps = np.stack(
            [np.diff(shown[..., 0].mean(1)).mean(1), np.diff(shown[..., 1].mean(2)).mean(1)]
        )
        growth = steps[:, 1:] / steps[:, :-1]
        np.testing.assert_allclose(growth, growth.mean(), atol=0.05)
        assert (steps > 0.2).all()
        ratios.append(steps[0, -1] / steps[0, 0])
    assert min(ratios) < 0.8
    assert max(ratios) > 1.2


def test_real_clips_depend_on_seed_and_number_alone(coloured):
    one = RealClips(coloured, size=(48, 80), frames=3, seed=1)
    forward = [one.clip(i) for i in range(4)]
    two = RealClips(coloured, size=(48, 80), frames=3, seed=1)
    for i in (3, 0, 2):
        assert np.array_equal(two.clip(i).images, forward[i].images)
        assert np.array_equal(two.clip(i).labels, forward[i].labels)


def test_real_clips_need_annotations(tmp_path):
    path = tmp_path / "JPEGImages/480p/empty"
    path.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(path / "00000.jpg")
    with pytest.raises(DatasetError, match="no sequence has annotations"):
        RealClips(DavisLayout(tmp_path).sequences(), size=(16, 16), frames=2)
