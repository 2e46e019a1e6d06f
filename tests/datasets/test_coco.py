import json

import numpy as np
import pytest
from PIL import Image

from ddeal_core.datasets.coco import decode_segmentation, open_coco
from ddeal_core.errors import DatasetError, InputError
from ddeal_core.media.masks.run_lengths import mask_of_runs


def _pack(counts):
    """COCO's string, written from its description, to test the reader against."""
    text = ""
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            text += chr(bits + (0x20 if more else 0) + 48)
    return text


def test_rle_runs_down_the_columns():
    mask = mask_of_runs([1, 2, 3], 3, 2)
    np.testing.assert_array_equal(mask, [[0, 0], [1, 0], [1, 0]])


def test_packed_and_plain_runs_agree():
    rng = np.random.default_rng(0)
    wanted = (rng.random((37, 51)) < 0.2).astype(np.uint8)
    wanted[5:30, 10:40] = 1  # long runs need more than one character
    flat = wanted.T.ravel()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat])))
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    for form in (counts, _pack(counts)):
        mask = decode_segmentation({"counts": form, "size": [37, 51]}, 37, 51)
        np.testing.assert_array_equal(mask, wanted)


def test_polygon():
    mask = decode_segmentation([[2, 1, 7, 1, 7, 5, 2, 5]], 8, 10)
    assert mask[3, 4] == 1
    assert mask[3, 8] == mask[6, 4] == mask[3, 1] == 0


@pytest.mark.parametrize(
    "bad", [{"counts": [3], "size": [2, 2]}, {"counts": [4], "size": [1, 4]}, [[1, 2, 3]], "text"]
)
def test_bad_segmentations_are_refused(bad):
    with pytest.raises(InputError):
        decode_segmentation(bad, 2, 2)


def test_small_instances_lie_over_large_ones_and_crowds_are_ignored(tmp_path):
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(tmp_path / "a.png")

    def box(x0, y0, x1, y1):
        return [[x0, y0, x1, y0, x1, y1, x0, y1]]

    crowd = {"counts": [0, 40, 560], "size": [20, 30]}
    content = {
        "images": [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "none.png"}],
        "annotations": [
            {"id": 1, "image_id": 7, "segmentation": box(12, 8, 16, 12)},
            {"id": 2, "image_id": 7, "segmentation": box(6, 2, 26, 18)},
            {"id": 3, "image_id": 7, "iscrowd": 1, "segmentation": crowd},
        ],
    }
    (tmp_path / "instances.json").write_text(json.dumps(content))
    source = open_coco(tmp_path / "instances.json", tmp_path)
    assert len(source) == 1
    still = source[0]
    assert still.labels[10, 14] == 2
    assert still.labels[4, 20] == 1
    assert still.labels[0, 0] == 255
    assert [item.label for item in still.objects] == [1, 2]


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "x.json").write_text('{"images": []}')
    with pytest.raises(DatasetError, match=r"as a COCO instance file: it lacks .annotations"):
        open_coco(tmp_path / "x.json", tmp_path)
