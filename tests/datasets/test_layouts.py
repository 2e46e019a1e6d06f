import json

import numpy as np
import pytest
from PIL import Image

from ddeal_core.datasets.layouts import DatasetSequence, DavisLayout, YouTubeVosLayout
from ddeal_core.errors import DatasetError


def _image(path, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 6, 3) if mode == "RGB" else (4, 6), np.uint8)).save(path)


def _davis(root, resolution="480p"):
    for name in ("bear", "cat"):
        for number in range(3):
            _image(root / "JPEGImages" / resolution / name / f"{number:05d}.jpg")
        _image(root / "Annotations" / resolution / name / "00001.png", "L")
    return root


def test_davis_lists_frames_and_annotations(tmp_path):
    layout = DavisLayout(_davis(tmp_path))
    bear, cat = layout.sequences()
    assert (bear.name, cat.name) == ("bear", "cat")
    assert [p.stem for p in bear.frames] == ["00000", "00001", "00002"]
    assert list(bear.annotations) == ["00001"]
    assert bear.annotated_indices == (1,)


def test_frames_without_leading_zeros_are_in_order(tmp_path):
    for number in (1, 2, 10):
        _image(tmp_path / f"JPEGImages/480p/bear/{number}.jpg")
    (bear,) = DavisLayout(tmp_path).sequences()
    assert [p.stem for p in bear.frames] == ["1", "2", "10"]
    _image(tmp_path / "JPEGImages/480p/bear/2.png")
    with pytest.raises(DatasetError, match="differ only in their suffix"):
        DavisLayout(tmp_path).sequences()


@pytest.mark.parametrize("resolution", ["Full-Resolution", "1080p", ""])
def test_davis_finds_the_resolution_folder(tmp_path, resolution):
    layout = DavisLayout(_davis(tmp_path, resolution))
    assert layout.resolution == resolution
    assert [s.name for s in layout.sequences()] == ["bear", "cat"]
    assert "00001" in layout.sequences()[0].annotations


def test_davis_reads_image_sets_of_both_years(tmp_path):
    _davis(tmp_path)
    (tmp_path / "ImageSets/2017").mkdir(parents=True)
    (tmp_path / "ImageSets/2017/val.txt").write_text("cat\n\n")
    (tmp_path / "ImageSets/480p").mkdir()
    (tmp_path / "ImageSets/480p/train.txt").write_text(
        "/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png\n"
        "/JPEGImages/480p/bear/00001.jpg /Annotations/480p/bear/00001.png\n"
    )
    layout = DavisLayout(tmp_path)
    assert layout.image_sets == ("train", "val")
    assert [s.name for s in layout.sequences("val")] == ["cat"]
    assert [s.name for s in layout.sequences("2017/val")] == ["cat"]
    assert [s.name for s in layout.sequences("train")] == ["bear"]
    _image(tmp_path / "JPEGImages/480p/two bears/00000.jpg")
    for text in ("two bears\n", "two bears \r\n"):
        (tmp_path / "ImageSets/mine.txt").write_text(text)
        assert [s.name for s in layout.sequences("mine")] == ["two bears"]


def test_davis_says_what_is_missing(tmp_path):
    with pytest.raises(DatasetError, match="JPEGImages is missing"):
        DavisLayout(tmp_path)
    _davis(tmp_path)
    layout = DavisLayout(tmp_path)
    with pytest.raises(DatasetError, match="image set 'val'"):
        layout.sequences("val")
    (tmp_path / "ImageSets").mkdir()
    (tmp_path / "ImageSets/val.txt").write_text("dog\n")
    with pytest.raises(DatasetError, match="'dog' is listed"):
        layout.sequences("val")
    (tmp_path / "ImageSets/val.txt").write_text("\n")
    with pytest.raises(DatasetError, match="is empty"):
        layout.sequences("val")
    with pytest.raises(DatasetError, match="no frames"):
        DatasetSequence("x", (), {})


def test_youtube_vos_reads_objects(tmp_path):
    for number in (0, 5):
        _image(tmp_path / f"JPEGImages/v1/{number:05d}.jpg")
    _image(tmp_path / "Annotations/v1/00000.png", "L")
    meta = {
        "videos": {
            "v1": {
                "objects": {
                    "1": {"category": "ape", "frames": ["00000", "00005"]},
                    "2": {"category": "cup", "frames": ["00005"]},
                }
            }
        }
    }
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    (video,) = YouTubeVosLayout(tmp_path).sequences()
    assert dict(video.categories) == {1: "ape", 2: "cup"}
    assert dict(video.first_frames) == {1: "00000", 2: "00005"}
    assert list(video.annotations) == ["00000"]


def test_youtube_vos_says_what_is_wrong(tmp_path):
    with pytest.raises(DatasetError, match="JPEGImages is missing"):
        YouTubeVosLayout(tmp_path)
    _image(tmp_path / "JPEGImages/v1/00000.jpg")
    assert [s.name for s in YouTubeVosLayout(tmp_path).sequences()] == ["v1"]
    (tmp_path / "meta.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"meta\.json"):
        YouTubeVosLayout(tmp_path)
