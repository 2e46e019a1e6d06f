"""F against the same rules written pixel by pixel, and against numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_metrics import plain_disk, plain_f, plain_j

from ddeal_core.errors import MaskError
from ddeal_core.evaluation import contour_accuracy, jaccard
from ddeal_core.evaluation.measures import PairCounts, boundary_radius, count_pair

Mask = np.ndarray


def slow_boundary(mask: Mask) -> Mask:
    beyond = np.pad(mask, ((0, 1), (0, 1)), "edge")
    south, east, south_east = beyond[1:, :-1], beyond[:-1, 1:], beyond[1:, 1:]
    return (south != mask) | (east != mask) | (south_east != mask)


def widened(mask: Mask, radius: int) -> Mask:
    """The mask at the left of a frame so wide that boundaries are matched within this radius."""
    return np.pad(mask, ((0, 0), (0, max(0, 125 * radius - 60 - mask.shape[1]))))


def slow_matched(points: Mask, others: Mask, radius: int) -> int:
    a, b = np.argwhere(points), np.argwhere(others)
    if not len(a) or not len(b):
        return 0
    squares = ((a[:, None] - b[None]) ** 2).sum(axis=2)
    return int((squares.min(axis=1) <= radius * radius).sum())


def slow_counts(truth: Mask, guess: Mask) -> PairCounts:
    radius = math.ceil(0.008 * float(np.linalg.norm(truth.shape)))
    t, g = slow_boundary(truth), slow_boundary(guess)
    return PairCounts(
        intersection=int((truth & guess).sum()),
        union=int((truth | guess).sum()),
        annotation_boundary=int(t.sum()),
        prediction_boundary=int(g.sum()),
        annotation_matched=slow_matched(t, g, radius),
        prediction_matched=slow_matched(g, t, radius),
    )


def slow_f(truth: Mask, guess: Mask) -> float:
    counts = slow_counts(truth, guess)
    if counts.prediction_boundary == 0 and counts.annotation_boundary > 0:
        precision, recall = 1.0, 0.0
    elif counts.prediction_boundary > 0 and counts.annotation_boundary == 0:
        precision, recall = 0.0, 1.0
    elif counts.prediction_boundary == 0:
        precision, recall = 1.0, 1.0
    else:
        precision = counts.prediction_matched / counts.prediction_boundary
        recall = counts.annotation_matched / counts.annotation_boundary
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


@st.composite
def a_mask(draw: st.DrawFn, height: int, width: int) -> Mask:
    mask = np.zeros((height, width), bool)
    kind = draw(st.sampled_from(["empty", "full", "pixel", "boxes", "noise", "holes"]))
    if kind == "full":
        mask[:] = True
    elif kind == "pixel":
        mask[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    elif kind == "boxes":
        for _ in range(draw(st.integers(1, 3))):
            top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
            # Often up to the last row and column, where the rules differ.
            bottom = draw(st.one_of(st.just(height), st.integers(top + 1, height)))
            right = draw(st.one_of(st.just(width), st.integers(left + 1, width)))
            mask[top:bottom, left:right] ^= True
    elif kind in ("noise", "holes"):
        rng = np.random.default_rng(draw(st.integers(0, 99)))
        mask = rng.random((height, width)) < (0.02 if kind == "noise" else 0.97)
    return mask


@st.composite
def two_masks(draw: st.DrawFn) -> tuple[Mask, Mask]:
    height = draw(st.integers(1, 24))
    width = draw(st.one_of(st.integers(1, 40), st.sampled_from([63, 64, 65, 127, 128, 129, 200])))
    return draw(a_mask(height, width)), draw(a_mask(height, width))


@given(two_masks(), st.integers(1, 20))
@settings(max_examples=30, deadline=None)
def test_counts_are_those_of_the_plain_rules(pair: tuple[Mask, Mask], radius: int) -> None:
    pair = widened(pair[0], radius), widened(pair[1], radius)
    truth, guess = (mask.view(np.uint8) for mask in pair)
    counted = count_pair(truth, guess, object_id=1)
    assert counted == slow_counts(*pair) or (
        # Nothing is matched, and nothing is looked for, where a boundary is empty.
        0 in (counted.annotation_boundary, counted.prediction_boundary)
        and counted.annotation_matched == counted.prediction_matched == 0
    )


@given(two_masks())
@settings(max_examples=30, deadline=None)
def test_f_is_that_of_the_plain_rules(pair: tuple[Mask, Mask]) -> None:
    assert contour_accuracy(*pair) == slow_f(*pair)


@pytest.mark.parametrize(
    ("radius", "width"), [(1, 50), (2, 130), (5, 50), (8, 130), (13, 50), (26, 130)]
)
def test_the_disk_has_no_holes_and_no_corners(radius: int, width: int) -> None:
    # One pixel against many single ones around it, at every distance and direction. At the
    # left edge its boundary is one column wide, which leaves a gap in the disk nowhere to hide.
    others = np.random.default_rng(radius).random((56, width)) < 0.1
    for column in (0, width // 2):
        pixel = np.zeros((56, width), bool)
        pixel[28, column] = True
        one, many = widened(pixel, radius), widened(others, radius)
        assert boundary_radius(*one.shape) == radius
        counts = count_pair(one.view(np.uint8), many.view(np.uint8), object_id=1)
        assert counts == slow_counts(one, many)


def test_f_by_hand() -> None:
    # Radius 1. A 2x2 box at (2, 2) has a boundary of 3x3 pixels from (1, 1), all of them but
    # (2, 2), whose east, south and south-east are the box: 8. Moved right by 3, the 3x3 ring
    # starts at column 4, next to the first one's column 3. Those of column 3 are 1 away: 3 of
    # 8 match either way.
    truth, guess = np.zeros((2, 8, 10), bool)
    truth[2:4, 2:4] = True
    guess[2:4, 5:7] = True
    assert boundary_radius(8, 10) == 1
    assert contour_accuracy(truth, guess) == 3 / 8
    assert jaccard(truth, guess) == 0


def test_unequal_boundaries_by_hand() -> None:
    # One pixel at (4, 4) has the boundary (3, 3), (3, 4), (4, 3), (4, 4); the bottom row of
    # the frame has that of row 6, 190 pixels. Of a full frame nothing is boundary. Radius 2.
    pixel, row, full = np.zeros((3, 8, 190), bool)
    pixel[4, 4] = row[7] = full[:] = True
    counts = count_pair(pixel.view(np.uint8), row.view(np.uint8), object_id=1)
    # (4, 3) and (4, 4) are 2 above row 6; of that row only columns 3 and 4 are straight below.
    assert counts == PairCounts(0, 191, 4, 190, 2, 2)
    assert counts.f == 2 * (2 / 190) * (2 / 4) / (2 / 190 + 2 / 4)
    assert contour_accuracy(full, full) == 1
    assert contour_accuracy(full, pixel) == 0


def test_empty_masks() -> None:
    empty = np.zeros((30, 40), bool)
    square = empty.copy()
    square[5:9, 5:9] = True
    assert contour_accuracy(empty, empty) == 1
    assert contour_accuracy(empty, square) == contour_accuracy(square, empty) == 0
    assert contour_accuracy(square, square) == 1


@pytest.mark.parametrize(
    ("size", "radius"),
    [((480, 854), 8), ((1080, 1920), 18), ((240, 432), 4), ((75, 100), 1), ((1, 1), 1)],
)
def test_radius(size: tuple[int, int], radius: int) -> None:
    assert boundary_radius(*size) == radius


def test_a_large_frame_agrees_too() -> None:
    # Sizes of real video, against the plain way on whole frames with OpenCV.
    import cv2

    rng = np.random.default_rng(3)
    for height, width in [(480, 854), (481, 897), (1080, 1920)]:
        truth, guess = (
            cv2.resize(
                cv2.GaussianBlur(rng.random((height // 8, width // 8)), (0, 0), 3), (width, height)
            )
            > 0.5
            for _ in range(2)
        )
        assert jaccard(truth, guess) == plain_j(truth, guess)
        f = contour_accuracy(truth, guess)
        assert 0.05 < f == plain_f(truth, guess, plain_disk(height, width)) < 0.95


@given(two_masks())
@settings(max_examples=30, deadline=None)
def test_the_plain_way_that_is_timed_is_that_of_the_plain_rules(pair: tuple[Mask, Mask]) -> None:
    truth, guess = pair
    assert plain_f(truth, guess, plain_disk(*truth.shape)) == slow_f(truth, guess)
    assert plain_j(truth, guess) == jaccard(truth, guess)


def test_wrong_sizes() -> None:
    with pytest.raises(MaskError, match="of one size"):
        contour_accuracy(np.zeros((3, 4)), np.zeros((4, 3)))
