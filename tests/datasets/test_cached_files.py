import pickle
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from ddeal_core.datasets.backgrounds import open_videos
from ddeal_core.datasets.cached_files import CachedFiles
from ddeal_core.datasets.cutouts import open_cutouts
from ddeal_core.datasets.inpainting import fill_behind
from ddeal_core.datasets.rendering import dense_map, grid_points, smear
from ddeal_core.datasets.sprites import premultiply
from ddeal_core.datasets.stills import Still, cut, open_stills
from ddeal_core.errors import DatasetError


def _square():
    image = np.zeros((60, 80, 3), np.uint8)
    image[..., 1] = 255
    labels = np.zeros((60, 80), np.uint8)
    labels[10:40, 20:50] = 2
    image[labels == 2] = (255, 0, 0)
    return Still.of(image, labels)


def test_a_cut_out_brings_no_background_along():
    still = _square()
    (item,) = still.objects
    assert (item.label, item.area, item.box, item.cut_off) == (2, 900, (20, 10, 50, 40), 0.0)
    flat = premultiply(cut(still, item))
    assert flat[..., 1].max() == 0  # green is the background's
    soft = flat[..., 3]
    assert ((soft > 0) & (soft < 255)).any()
    assert 0.85 * 900 < soft.sum() / 255 <= 900
    assert soft[0].max() == soft[:, 0].max() == soft[-1].max() == 0


def test_an_object_at_the_border_is_known_to_be_cut_off():
    labels = np.zeros((40, 40), np.uint8)
    labels[20:, 10:30] = 1
    (item,) = Still.of(np.zeros((40, 40, 3), np.uint8), labels).objects
    assert item.cut_off == pytest.approx(0.25)


def test_fill_behind_removes_the_object_and_keeps_the_rest():
    still = _square()
    hole = (still.labels > 0).astype(np.uint8)
    filled = fill_behind(still.image, hole)
    assert filled[..., 0].max() < 30  # nothing red is left
    assert filled[25, 35, 1] > 200
    np.testing.assert_array_equal(filled[:, 60:], still.image[:, 60:])


def test_dense_maps_are_exact_for_affine_maps():
    points = grid_points(5, -3, 37, 21)
    dense = dense_map(points, 37, 21)
    assert dense.shape == (21, 37, 2)
    np.testing.assert_allclose(
        dense[..., 0], np.broadcast_to(5 + np.arange(37), (21, 37)), atol=1e-3
    )
    np.testing.assert_allclose(dense[0, 0], (5, -3), atol=1e-3)


@pytest.mark.parametrize("motion", [(12.0, 0.0), (0.0, -9.0), (7.0, 7.0)])
def test_smear_spreads_along_the_motion_and_keeps_the_centre(motion):
    image = np.zeros((61, 61, 3), np.uint8)
    image[28:33, 28:33] = 240
    blurred = smear(image, np.array(motion)).astype(float)
    assert blurred.shape == image.shape
    rows, columns = np.mgrid[:61, :61]
    weight = blurred[..., 0]
    x, y = (np.sum(c * weight) / weight.sum() for c in (columns, rows))
    assert abs(x - 30) < 1
    assert abs(y - 30) < 1
    direction = np.array(motion) / np.hypot(*motion)
    along = (columns - x) * direction[0] + (rows - y) * direction[1]
    across = (columns - x) * direction[1] - (rows - y) * direction[0]
    assert np.sum(along**2 * weight) > 2 * np.sum(across**2 * weight)


class Reader:
    """Decodes to a thousand bytes each, and keeps the numbers of what was decoded."""

    def __init__(self):
        self.made = []

    def __call__(self, number):
        self.made.append(number)
        return np.zeros(1000, np.uint8)


def test_material_keeps_to_its_bound_and_pickles_empty():
    things = CachedFiles(range(5), Reader(), 3000)
    for key in (0, 1, 2, 0, 3, 0, 1):
        assert things[key].size == 1000
    assert (len(things), things.read.made) == (5, [0, 1, 2, 3, 1])
    again = pickle.loads(pickle.dumps(things))
    assert again[1].size == 1000
    assert again.read.made == [0, 1, 2, 3, 1, 1]


def test_folders_say_what_they_lack(tmp_path):
    with pytest.raises(DatasetError, match="images"):
        open_stills(tmp_path)
    with pytest.raises(DatasetError, match="no images"):
        open_cutouts(tmp_path)
    with pytest.raises(DatasetError, match="no videos"):
        open_videos(tmp_path)
    (tmp_path / "x.mp4").write_bytes(b"no video")
    with pytest.raises(DatasetError, match="cannot be read as a video"):
        open_videos(tmp_path)[0]


def test_a_palette_cut_out_with_transparency(tmp_path):
    rgba = np.zeros((20, 20, 4), np.uint8)
    rgba[5:15, 4:12] = (10, 200, 30, 255)
    Image.fromarray(rgba).quantize().save(tmp_path / "a.png")
    found = open_cutouts(tmp_path)[0]
    assert found.shape == (14, 12, 4)  # 10 x 8 and a clear margin of 2
    assert (found[..., 3] > 127).sum() == 80


def test_video_plates_follow_the_times_and_turn_round(tmp_path):
    with av.open(str(tmp_path / "v.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"crf": "1"}
        for value in range(5):
            image = np.full((48, 64, 3), 40 * value + 20, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    video = open_videos(tmp_path, max_side=32)[0]
    plates = video.at(np.array([0.0, 1.0, 3.0, 4.0, 6.0]), 0.0)
    assert plates[0].shape == (24, 32, 3)
    shades = [round((float(p.mean()) - 20) / 40) for p in plates]
    assert shades == [0, 1, 3, 4, 2]
