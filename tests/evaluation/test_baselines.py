import cv2
import numpy as np
import pytest

from ddeal_core.errors import MaskError
from ddeal_core.evaluation import carry_along_flow, copy_first_mask, jaccard

STEP = 3


def clip() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Two textured squares (ids 2 and 7) that move right by 3 pixels a frame."""
    rng = np.random.default_rng(0)
    ground = cv2.GaussianBlur(rng.integers(0, 256, (96, 128, 3), dtype=np.uint8), (0, 0), 2)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8), (0, 0), 1)
    frames, masks = [], []
    for t in range(6):
        frame, mask = ground.copy(), np.zeros((96, 128), np.uint8)
        for i, top in ((2, 10), (7, 55)):
            left = 20 + STEP * t
            frame[top : top + 32, left : left + 32] = texture
            mask[top : top + 32, left : left + 32] = i
        frames.append(frame)
        masks.append(mask)
    return frames, masks


def test_copy() -> None:
    frames, masks = clip()
    copies = list(copy_first_mask(iter(frames), masks[0]))
    assert len(copies) == 6
    assert all((c == masks[0]).all() for c in copies)
    copies[0][:] = 9
    assert (copies[1] == masks[0]).all()


def test_flow_follows_what_moves() -> None:
    frames, masks = clip()
    carried = list(carry_along_flow(iter(frames), masks[0]))
    assert len(carried) == 6
    assert (carried[0] == masks[0]).all()
    for i in (2, 7):
        assert jaccard(masks[-1] == i, masks[0] == i) < 0.4
        assert jaccard(masks[-1] == i, carried[-1] == i) > 0.7
    assert set(np.unique(carried[-1])) == {0, 2, 7}
    assert all(c.dtype == np.uint8 for c in carried)


def test_frames_come_one_by_one() -> None:
    frames, masks = clip()
    source = iter(frames)
    carried = carry_along_flow(source, masks[0])
    next(carried)
    next(carried)
    assert len(list(source)) == 4


def test_unsure_pixels_are_not_carried() -> None:
    frames, masks = clip()
    mask = np.where(masks[0] == 7, 255, masks[0]).astype(np.uint8)
    assert set(np.unique(list(carry_along_flow(frames, mask)))) == {0, 2}


@pytest.mark.parametrize("size", [(1, 1), (8, 64), (12, 500), (15, 15), (16, 16)])
def test_tiny_frames(size: tuple[int, int]) -> None:
    # OpenCV's DIS crashes the process on 8x64 and raises on 12x500.
    frames = [np.zeros((*size, 3), np.uint8)] * 3
    mask = np.ones(size, np.uint8)
    assert all((m == 1).all() for m in carry_along_flow(frames, mask))


def test_masks_must_fit() -> None:
    frames, _ = clip()
    for baseline in (copy_first_mask, carry_along_flow):
        with pytest.raises(MaskError, match=r"\(5, 5\)"):
            next(baseline(frames, np.zeros((5, 5), np.uint8)))


def test_objects_that_begin_later() -> None:
    frames, masks = clip()
    given = {0: masks[0] * (masks[0] == 2), 3: masks[3] * (masks[3] == 7)}
    carried = list(carry_along_flow(frames, given))
    assert set(np.unique(carried[2])) == {0, 2}
    assert np.array_equal(carried[3] == 7, masks[3] == 7)
    for i in (2, 7):
        assert jaccard(masks[-1] == i, carried[-1] == i) > 0.7
    copies = list(copy_first_mask(frames, given))
    assert set(np.unique(copies[2])) == {0, 2}
    assert np.array_equal(copies[5] == 7, masks[3] == 7)
    assert np.array_equal(copies[5] == 2, masks[0] == 2)
    for baseline in (copy_first_mask, carry_along_flow):
        with pytest.raises(MaskError, match="no mask for the first frame"):
            next(baseline(frames, {3: masks[3]}))
