"""Which mask belongs to which frame, and which of its objects are wanted."""

import numpy as np
import pytest

from ddeal_core.errors import InputError, MaskError
from ddeal_core.media import mask_files, open_source, read_masks, write_mask

SIZE = (96, 128)


def save(path, *ids):
    labels = np.zeros(SIZE, np.uint8)
    for place, i in enumerate(ids):
        labels[20:60, 10 + 40 * place : 40 + 40 * place] = i
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(path, labels)
    return path


@pytest.fixture
def source(tiny_clip):
    with open_source(tiny_clip.video) as source:
        yield source


def test_a_plain_file_is_for_the_first_frame_and_a_number_for_another(source, tmp_path):
    a, b = save(tmp_path / "a.png", 1), save(tmp_path / "b.png", 2)
    assert mask_files([a, f"5={b}"], source=source) == {0: a, 5: b}


def test_a_folder_is_read_by_the_numbers_in_its_names(source, tmp_path):
    for name in ("mask_00000.png", "mask_00006.png", "mask_2.png"):
        save(tmp_path / "masks" / name, 1)
    found = mask_files([tmp_path / "masks"], source=source)
    assert {index: path.name for index, path in found.items()} == {
        0: "mask_00000.png",
        2: "mask_2.png",
        6: "mask_00006.png",
    }


def test_masks_of_a_folder_of_images_go_by_their_names(tiny_clip, tmp_path):
    save(tmp_path / "masks" / "00003.png", 1)
    with open_source(tiny_clip.images) as source:
        assert list(mask_files([tmp_path / "masks"], source=source)) == [3]


def test_two_masks_for_one_frame_are_refused(source, tmp_path):
    a, b = save(tmp_path / "a.png", 1), save(tmp_path / "b.png", 2)
    with pytest.raises(InputError, match="two masks are given for frame 0"):
        mask_files([a, b], source=source)


def test_only_the_objects_that_are_wanted(source, tmp_path):
    a, b = save(tmp_path / "a.png", 1, 38), save(tmp_path / "b.png", 254)
    masks = read_masks([a, f"4={b}"], source=source, objects=[38, 254])
    assert {index: mask.object_ids for index, mask in masks.items()} == {0: (38,), 4: (254,)}
    assert set(np.unique(masks[0].labels)) == {0, 38}
    assert list(read_masks([a, f"4={b}"], source=source, objects=[1])) == [0]
    with pytest.raises(MaskError, match="object 7 is in no mask"):
        read_masks([a], source=source, objects=[1, 7])


def test_a_mask_of_another_size_is_brought_to_the_videos(source, tmp_path):
    labels = np.zeros((48, 64), np.uint8)
    labels[10:30, 10:40] = 9
    write_mask(tmp_path / "half.png", labels)
    (mask,) = read_masks([tmp_path / "half.png"], source=source).values()
    assert np.array_equal(mask.labels, np.kron(labels, np.ones((2, 2), np.uint8)))


def test_an_empty_word_is_not_the_folder_one_is_in(source, tmp_path, monkeypatch):
    save(tmp_path / "00000.png", 1)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no name"):
        mask_files([""], source=source)
    with pytest.raises(InputError, match="no name"):
        open_source("")
