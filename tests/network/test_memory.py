"""The memory of the matching at stride 8."""

from dataclasses import replace

import pytest
import torch

from ddeal_core.errors import ConfigError
from ddeal_core.network import NetworkConfig
from ddeal_core.network.dense.matching import DenseMatching
from ddeal_core.network.dense.memory import Memory

POSITIONS = 6


def frame(age):
    """Keys that say which frame they are of, and log-masks of two objects."""
    keys = torch.full((1, 3, POSITIONS), float(age))
    return keys, torch.full((1, 2, 2, POSITIONS), -float(age))


def remember(ages, *, most, interval=1):
    memory = None
    for age in range(1, ages + 1):
        if age % (interval if memory is None else memory.interval):
            continue
        keys, log_masks = frame(age)
        if memory is None:
            memory = Memory.of(keys, log_masks, interval=interval)
        else:
            memory = memory.add(keys, log_masks, age=age, most=most)
    return memory


def ages_in(memory):
    keys = memory.keys[0, 0].view(memory.frames, POSITIONS)
    assert torch.equal(keys, keys[:, :1].expand_as(keys)), "a frame's positions stay together"
    assert torch.equal(memory.log_masks[0, 1, 0], -memory.keys[0, 0]), "so do keys and log_masks"
    return keys[:, 0].int().tolist()


@pytest.mark.parametrize(
    ("ages", "kept", "interval"),
    [
        (1, [1], 1),
        (4, [1, 2, 3, 4], 1),
        (5, [2, 4], 2),
        (6, [2, 4, 6], 2),
        (8, [2, 4, 6, 8], 2),
        (9, [2, 4, 6, 8], 2),
        (10, [4, 8], 4),
        (100, [32, 64, 96], 32),
    ],
)
def test_remembered_frames_are_spread_evenly(ages, kept, interval):
    memory = remember(ages, most=4)
    assert ages_in(memory) == kept
    assert memory.interval == interval


@pytest.mark.parametrize("most", [1, 2, 3, 5, 8])
def test_it_never_outgrows_its_bound(most):
    for ages in range(1, 70):
        memory = remember(ages, most=most)
        assert memory.frames <= most
        assert memory.keys.shape[2] == memory.log_masks.shape[3] == memory.frames * POSITIONS


def test_frames_may_bring_a_part_of_their_positions():
    memory = None
    for age, count in enumerate((2, 0, 3, 1, 6), start=1):
        keys, log_masks = (x[..., :count] for x in frame(age))
        if memory is None:
            memory = Memory.of(keys, log_masks, interval=1)
        else:
            memory = memory.add(keys, log_masks, age=age, most=4)
        assert not memory.is_empty
    assert memory.positions == (0, 1)  # frames 2 and 4; 5 falls between
    assert memory.keys[0, 0].tolist() == [4]
    assert memory.log_masks[0, 1, 1].tolist() == [-4]
    nothing = memory.add(*(x[..., :0] for x in frame(6)), age=6, most=4)
    assert nothing.positions == (0, 1, 0)
    assert Memory.of(*(x[..., :0] for x in frame(1)), interval=1).is_empty


def test_what_is_known_is_not_remembered_again():
    matching = DenseMatching(4, 4, 3, with_memory=True)
    kappa = matching.log_concentration.detach().exp()
    best = torch.tensor([0.95, 0.95, 0.85, 0.95, 0.95, 0.95])
    scores = torch.zeros(1, 2, 6, 2, 3)
    scores[:, :, 4:] = kappa * best.view(2, 3)
    scores[:, 0, 4, 0, 1] = -kappa  # far from the background, and the object is there
    scores[:, 0, 5, 1, 0] = -kappa  # far from the object, which is there
    shares = torch.zeros(1, 2, 6)
    shares[0, 0] = torch.tensor([0, 1, 0, 1, 0.3, 0])
    log_masks = (torch.stack([1 - shares, shares], dim=2) + 1e-3).log()

    def new(similarity, objects=slice(None)):
        return matching.novel(scores[:, objects], log_masks[:, objects], similarity)[0].nonzero()[
            :, 0
        ]

    assert new(0.9).tolist() == [2, 3]
    assert new(0.96).tolist() == list(range(6))
    assert new(0.9, slice(1, None)).tolist() == [2]


def test_a_position_stands_for_those_like_it():
    """Each row is of one colour, and only the first object's share differs."""
    angle = torch.zeros(8, 12)
    angle[1], angle[2], angle[5] = 0.3, 0.4, 1.5
    keys = torch.stack([angle.cos(), angle.sin()])[None]
    shares = torch.zeros(1, 2, 8, 12)
    shares[0, 0, 4, 3:5], shares[0, 1, 4, 6] = 1, 0.04
    log_masks = (torch.stack([1 - shares, shares], dim=2) + 1e-3).log().flatten(3)

    def kept(similarity, wanted=None, objects=slice(None)):
        found = DenseMatching.distinct(keys, log_masks[:, objects], similarity, wanted)
        return [(i // 12, i % 12) for i in found[0].nonzero()[:, 0].tolist()]

    coarse = [(0, 0), (0, 8)]
    # row 2 (cosine 0.921) comes before row 1 (0.955 to row 0, 0.995 to row 2), which it knows
    row2 = [(2, column) for column in range(0, 12, 2)]
    row5 = [(5, column) for column in range(12)]
    # (4, 4) is on a coarser grid than its like (4, 3)
    assert kept(0.95) == [*coarse, *row2, (4, 4), *row5]
    assert kept(0.9) == [*coarse, (4, 4), *row5]
    assert kept(0.9, objects=slice(1, None)) == [*coarse, *row5]
    only = torch.zeros(1, 8 * 12, dtype=torch.bool)
    only[0, [1, 2, 13, 60]] = True
    assert kept(0.9, only) == [(0, 2), (5, 0)]
    two = torch.cat([keys.flip(2), keys])  # each video for itself
    both = DenseMatching.distinct(two, log_masks.expand(2, -1, -1, -1), 0.9)
    assert torch.equal(both[1:], DenseMatching.distinct(keys, log_masks, 0.9))
    assert not torch.equal(both[0], both[1])


def test_what_is_alike_is_judged_in_float32(make_preset):
    network = make_preset("compact")
    rng = torch.Generator().manual_seed(0)
    masks = torch.zeros(1, 1, 96, 128)
    masks[..., 20:60, 30:80] = 1
    kept = []
    with torch.no_grad():
        encoding = network.encode(torch.rand(1, 3, 96, 128, generator=rng))
        for enabled in (False, True):
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                kept.append(network.start(encoding, masks).references[0].dense_keys)
    assert 0 < kept[0].shape[2] < 12 * 16
    assert torch.equal(*kept)


def test_an_object_that_comes_later_is_not_in_it():
    memory = remember(3, most=4).with_unknown_objects(1)
    assert memory.log_masks.shape == (1, 3, 2, 3 * POSITIONS)
    assert memory.log_masks[:, 2].max() < -1e3
    assert torch.equal(memory.select([0, 1]).log_masks, remember(3, most=4).log_masks)


def test_what_a_memory_needs():
    compact = NetworkConfig.from_preset("compact")
    assert compact.memory_frames > 0
    with pytest.raises(ConfigError, match="memory_frames needs dense_channels"):
        replace(compact, dense_channels=0)
    with pytest.raises(ConfigError, match="memory_interval"):
        replace(compact, memory_interval=0)
    for similarity in (0.0, -0.5, 1.5):
        with pytest.raises(ConfigError, match="memory_similarity"):
            replace(compact, memory_similarity=similarity)
