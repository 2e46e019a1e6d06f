"""Pieces of a prediction that no motion explains."""

import pytest
import torch
import torch.nn.functional as F

from ddeal_cli.bench.plain.network import without_jumps as plainly
from ddeal_core.tracking.motion_gate import apply_motion_gate

HEIGHT, WIDTH = 64, 96


def disc(y, x, radius):
    rows, columns = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    return ((rows - y) ** 2 + (columns - x) ** 2 <= radius**2).float()


def predicted(*objects, sure=0.9):
    """Probabilities of masks that do not overlap, background first."""
    masks = torch.stack(objects) * sure
    return torch.cat([1 - masks.sum(0, keepdim=True), masks])[None]


def shares(*masks):
    return F.avg_pool2d(torch.stack(masks)[None], 8)


@pytest.fixture
def here():
    return disc(24, 24, 10)


def test_what_is_far_is_background_and_what_is_near_stays(here):
    near, far = disc(26, 28, 9), disc(48, 80, 6)
    found = apply_motion_gate(predicted(near + far), shares(here), 0.2)
    torch.testing.assert_close(found, predicted(near))


def test_how_far_an_object_may_move_is_what_reach_says(here):
    # From the cell (3, 4) to the piece's nearest, (3, 8), are 4 cells of the 8 of the short side.
    before = torch.zeros(1, 1, 8, 12)
    before[0, 0, 3, 4] = 1
    merged = predicted(here + disc(24, 70, 6))
    assert apply_motion_gate(merged, before, 0.5) is merged
    assert apply_motion_gate(merged, before, 0.49)[0, 1, 24, 70] == 0


def test_an_object_that_is_near_nowhere_may_be_anywhere(here):
    merged = predicted(disc(48, 80, 6) + disc(10, 85, 5))
    assert apply_motion_gate(merged, shares(here), 0.1) is merged


def test_an_object_that_was_hidden_may_appear_anywhere():
    merged = predicted(disc(48, 80, 6) + disc(10, 10, 5))
    assert apply_motion_gate(merged, torch.zeros(1, 1, 8, 12), 0.1) is merged


def test_an_object_that_is_nowhere_stays_nowhere(here):
    merged = predicted(torch.zeros(HEIGHT, WIDTH))
    assert apply_motion_gate(merged, shares(here), 0.1) is merged


def test_a_piece_larger_than_all_near_ones_stays(here):
    # Better than to follow the crumb that is left where it was.
    merged = predicted(disc(24, 24, 3) + disc(44, 76, 12))
    assert apply_motion_gate(merged, shares(here), 0.1) is merged


def test_each_object_has_its_own_place(here):
    there = disc(44, 76, 10)
    swapped = disc(50, 20, 4), disc(8, 80, 4)
    merged = predicted(here + swapped[1], there + swapped[0])
    found = apply_motion_gate(merged, shares(here, there), 0.1)
    torch.testing.assert_close(found, predicted(here, there))


def test_without_a_reach_nothing_changes(here):
    merged = predicted(here + disc(48, 80, 6))
    assert apply_motion_gate(merged, shares(here), 0.0) is merged


@pytest.mark.parametrize("seed", range(12))
def test_it_agrees_with_measuring_every_distance(seed):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, 3, HEIGHT // 8, WIDTH // 8, generator=generator)
    merged = F.interpolate(2 * noise, (HEIGHT, WIDTH), mode="bicubic").softmax(1)
    before = torch.rand(1, 2, HEIGHT // 8, WIDTH // 8, generator=generator) ** 3
    before[:, :, :, 4:] = 0
    reach = 0.05 + 0.05 * (seed % 4)
    found = apply_motion_gate(merged, before, reach)
    expected = plainly(
        {i: merged[0, i] for i in range(3)}, {1: before[0, 0], 2: before[0, 1]}, reach
    )
    torch.testing.assert_close(found[0], torch.stack([expected[i] for i in range(3)]))


def test_random_predictions_do_have_pieces_that_go():
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(1, 2, HEIGHT // 8, WIDTH // 8, generator=generator)
    merged = F.interpolate(2 * noise, (HEIGHT, WIDTH), mode="bicubic").softmax(1)
    before = torch.zeros(1, 1, 8, 12)
    before[0, 0, 4, 4] = 1
    found = apply_motion_gate(merged, before, 0.1)
    assert found is not merged
    torch.testing.assert_close(found.sum(1), torch.ones(1, HEIGHT, WIDTH))
