"""The tracker: ids, sizes, and everything that a video may hold."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddeal_core.errors import InputError, MaskError
from ddeal_core.media.masks.mask_images import MAX_OBJECT_ID
from ddeal_core.tracking import Tracker


def make_frames(count, height=48, width=64, seed=0):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (count, height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return list(small.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width])


def make_mask(ids, height=48, width=64):
    """A square for each id, in rows."""
    mask = np.zeros((height, width), np.uint8)
    for place, i in enumerate(ids):
        y, x = 8 * (place // 7) + 4, 8 * (place % 7) + 4
        mask[y : y + 7, x : x + 7] = i
    return mask


def check_result(result, frame):
    height, width = frame.shape[:2]
    assert result.labels.shape == (height, width)
    assert result.labels.dtype == np.uint8
    assert result.probabilities.shape == (1 + len(result.object_ids), height, width)
    assert result.probabilities.dtype == np.float32
    assert np.isfinite(result.probabilities).all()
    assert result.probabilities.min() >= 0
    np.testing.assert_allclose(result.probabilities.sum(0), 1, atol=1e-5)
    assert set(np.unique(result.labels).tolist()) <= {0, *result.object_ids}
    ids = np.array([0, *result.object_ids])
    np.testing.assert_array_equal(result.labels, ids[result.probabilities.argmax(0)])
    np.testing.assert_allclose(result.foreground, 1 - result.probabilities[0], atol=1e-6)


PRESETS = ["compact", "released-resnet50"]


@pytest.mark.parametrize("preset", PRESETS)
def test_ids_are_kept_with_their_gaps(make_network, preset):
    tracker = Tracker(make_network(preset))
    frames, mask = make_frames(3), make_mask([254, 1, 38])
    result = tracker.step(frames[0], mask)
    assert result.index == 0
    assert result.object_ids == tracker.object_ids == (1, 38, 254)
    np.testing.assert_array_equal(result.labels, mask)
    seen = set()
    for index, frame in enumerate(frames[1:], 1):
        result = tracker.step(frame)
        assert result.index == index
        assert result.object_ids == (1, 38, 254)
        check_result(result, frame)
        seen |= set(np.unique(result.labels).tolist())
    assert len(seen) > 1


@pytest.mark.parametrize("preset", PRESETS)
def test_order_of_the_objects_changes_nothing(make_network, preset):
    network, frames = make_network(preset), make_frames(3)
    mask = make_mask([1, 2, 3])
    renamed = np.array([0, 200, 7, 90], np.uint8)[mask]
    a, b = Tracker(network), Tracker(network)
    for index, frame in enumerate(frames):
        x = a.step(frame, mask if index == 0 else None)
        y = b.step(frame, renamed if index == 0 else None)
        assert y.object_ids == (7, 90, 200)
        order = [0, 2, 3, 1]  # background, then ids 7, 90, 200 which were 2, 3, 1
        np.testing.assert_allclose(y.probabilities, x.probabilities[order], atol=4e-5)


@pytest.mark.parametrize("preset", PRESETS)
def test_twenty_objects_at_once_are_twenty_one_by_one(make_network, preset):
    """Before they are merged, objects do not know of each other.

    But for which positions are kept of a frame: those that say something new of any of them.
    """
    network, frames = make_network(preset, memory_similarity=1.0), make_frames(2)
    mask = make_mask(range(1, 21))
    images = [torch.from_numpy(f).permute(2, 0, 1)[None].float() / 255 for f in frames]
    masks = torch.from_numpy(np.stack([mask == i for i in range(1, 21)]).astype(np.float32))[None]
    with torch.no_grad():
        first, second = (network.encode(image) for image in images)
        state = network.start(first, masks)
        together = network.segment(second, state)
        merged = together.fine.softmax(2)[:, :, 1]
        after = network.update(second, state, together, merged)
        for k in range(20):
            own = network.start(first, masks[:, k : k + 1])
            alone = network.segment(second, own)
            torch.testing.assert_close(
                together.fine[:, k : k + 1], alone.fine, atol=1e-4, rtol=1e-4
            )
            torch.testing.assert_close(
                together.coarse[:, k : k + 1], alone.coarse, atol=1e-4, rtol=1e-4
            )
            own = network.update(second, own, alone, merged[:, k : k + 1])
            for name in ("mean_directions", "last_masks", "propagation_first"):
                torch.testing.assert_close(
                    getattr(after, name)[:, k : k + 1], getattr(own, name), atol=1e-4, rtol=1e-4
                )
    tracker = Tracker(network)
    tracker.step(frames[0], mask)
    check_result(tracker.step(frames[1]), frames[1])


@pytest.mark.parametrize("preset", PRESETS)
def test_objects_vanish_and_return(make_network, preset):
    """Frames in which nothing of the object is to be seen leave the state sound."""
    network = make_network(preset)
    frames = make_frames(8)
    tracker = Tracker(network)
    tracker.step(frames[0], make_mask([1, 2]))
    grey = np.full_like(frames[0], 128)
    for frame in [frames[1], grey, grey, np.zeros_like(grey), frames[2], frames[0]]:
        check_result(tracker.step(frame), frame)
    # State in which an object is nowhere at all.
    state = tracker._state
    gone = dataclasses.replace(state, last_masks=torch.zeros_like(state.last_masks))
    gone.last_masks[:, :, 0] = 1
    tracker._state = gone
    for frame in frames[3:]:
        check_result(tracker.step(frame), frame)


@pytest.mark.parametrize("preset", PRESETS)
def test_an_object_that_is_added_leaves_the_others_to_themselves(make_network, preset):
    network, frames = make_network(preset), make_frames(4)
    tracker = Tracker(network)
    tracker.step(frames[0], make_mask([9]))
    tracker.step(frames[1])
    result = tracker.step(frames[2], np.roll(make_mask([4]), 24, axis=1))
    assert result.object_ids == (9, 4)
    check_result(result, frames[2])
    result = tracker.step(frames[3])
    assert result.object_ids == (9, 4)
    check_result(result, frames[3])


@pytest.mark.parametrize("preset", ["compact", "paper-resnet50"])
def test_a_given_mask_is_put_out_as_it_is(make_network, preset):
    tracker = Tracker(make_network(preset))
    frames = make_frames(3)
    tracker.step(frames[0], make_mask([1]))
    late = np.roll(make_mask([2]), 20, axis=0)
    result = tracker.step(frames[1], late)
    np.testing.assert_array_equal(result.labels == 2, late == 2)
    assert (result.probabilities[2][late == 2] == 1).all()
    assert (result.probabilities[2][late != 2] == 0).all()
    check_result(result, frames[1])


def test_the_released_code_puts_out_its_own_prediction_later(make_network):
    tracker = Tracker(make_network("released-resnet50"))
    frames, late = make_frames(2), np.roll(make_mask([2]), 20, axis=0)
    tracker.step(frames[0], make_mask([1]))
    result = tracker.step(frames[1], late)
    assert not np.array_equal(result.probabilities[2], (late == 2).astype(np.float32))


def test_a_correction_begins_the_object_anew_and_keeps_its_references(make_network):
    network, frames = make_network("compact"), make_frames(4)
    mask, again = make_mask([5]), np.roll(make_mask([5]), 24, axis=0)
    corrected, fresh, told, alone = (Tracker(network) for _ in range(4))
    told.add_reference(frames[2], again)
    told.add_reference(frames[0], mask)
    for tracker in (corrected, told, alone):
        tracker.step(frames[0], mask)
    early, unknowing = (t.step(frames[1]).probabilities for t in (told, corrected))
    assert np.abs(early - unknowing).max() > 1e-4  # known before its turn has come
    alone.step(frames[1])
    for tracker in (corrected, told, fresh):
        result = tracker.step(frames[2], again)
        assert result.object_ids == (5,)
        np.testing.assert_array_equal(result.labels, again)
    after, same, first = (t.step(frames[3]).probabilities for t in (corrected, told, fresh))
    np.testing.assert_array_equal(after, same)
    assert np.abs(after - first).max() > 1e-4


def test_the_released_code_forgets_what_is_corrected(make_network):
    network, frames = make_network("released-resnet50"), make_frames(3)
    corrected, fresh = Tracker(network), Tracker(network)
    corrected.step(frames[0], make_mask([5]))
    for frame, labels in ((frames[1], make_mask([5])), (frames[2], None)):
        one, other = corrected.step(frame, labels), fresh.step(frame, labels)
    np.testing.assert_array_equal(one.probabilities, other.probabilities)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_correction_of_one_of_three(make_network, preset):
    tracker, alone = Tracker(make_network(preset)), Tracker(make_network(preset))
    frames = make_frames(3)
    tracker.step(frames[0], make_mask([1, 2, 3]))
    before = tracker._state.mean_directions[:, [0, 2]]
    one, new = np.roll(make_mask([2]), 24, axis=0), np.roll(make_mask([4]), 40, axis=1)
    given = np.where(one > 0, one, new)
    result = tracker.step(frames[1], given)
    assert result.object_ids == tracker.object_ids == (1, 3, 4, 2)
    check_result(result, frames[1])
    state = tracker._state
    assert [r.objects for r in state.references] == [2, 1, 1]
    if preset == "compact":
        alone.step(frames[1], given)
        (own,) = alone._state.references
        assert torch.equal(state.references[1].dense_keys, own.dense_keys)  # the new one
        assert state.references[2].dense_keys.shape[2] > own.dense_keys.shape[2]
    # The others went on: their means moved by the update rate, and no further.
    moved = (state.mean_directions[:, :2] - before).norm(dim=-1)
    assert 0 < moved.max() < 0.35
    check_result(tracker.step(frames[2]), frames[2])


def test_before_the_first_mask_all_is_background(make_network):
    tracker = Tracker(make_network("compact"))
    frames = make_frames(4)
    for index in range(2):
        result = tracker.step(frames[index])
        assert result.index == index
        assert result.object_ids == ()
        assert not result.labels.any()
        check_result(result, frames[index])
        assert not result.foreground.any()
    result = tracker.step(frames[2], make_mask([3]))
    assert result.index == 2
    np.testing.assert_array_equal(result.labels, make_mask([3]))
    fresh = Tracker(tracker._network)
    fresh.step(frames[2], make_mask([3]))
    np.testing.assert_array_equal(
        tracker.step(frames[3]).probabilities, fresh.step(frames[3]).probabilities
    )


@pytest.mark.parametrize(
    ("preset", "size"),
    [
        ("compact", (1, 1)),
        ("compact", (9, 200)),
        ("released-resnet50", (17, 2)),
        ("paper-resnet50", (16, 16)),
    ],
    ids=str,
)
def test_small_and_odd_frames(make_network, preset, size):
    tracker = Tracker(make_network(preset))
    frames = make_frames(4, *size)
    mask = np.zeros(size, np.uint8)
    mask[: (size[0] + 1) // 2, : (size[1] + 1) // 2] = 1
    result = tracker.step(frames[0], mask)
    np.testing.assert_array_equal(result.labels, mask)
    for frame in frames[1:]:
        check_result(tracker.step(frame), frame)


@pytest.mark.parametrize(
    ("preset", "what"),
    [
        ("compact", "one pixel"),
        ("released-resnet50", "whole frame"),
        ("paper-resnet50", "flat"),
        ("compact", "black"),
    ],
)
def test_extreme_objects_and_frames(make_network, preset, what):
    tracker = Tracker(make_network(preset))
    frames = make_frames(4, 40, 56)
    mask = np.zeros((40, 56), np.uint8)
    mask[20, 30] = 8
    if what == "whole frame":
        mask[:] = 8
    if what in ("flat", "black"):
        mask[10:30, 10:30] = 8
        frames = [np.full_like(f, 77 if what == "flat" else 0) for f in frames]
    np.testing.assert_array_equal(tracker.step(frames[0], mask).labels, mask)
    for frame in frames[1:]:
        check_result(tracker.step(frame), frame)


@settings(max_examples=12, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), seed=st.integers(0, 9))
def test_any_size(make_network, height, width, seed):
    rng = np.random.default_rng(seed)
    tracker = Tracker(make_network("compact"), short_side=32)
    mask = rng.choice(np.array([0, 3, 250], np.uint8), (height, width))
    mask[0, 0] = 3
    for index in range(2):
        frame = rng.integers(0, 256, (height, width, 3), np.uint8)
        result = tracker.step(frame, mask if index == 0 else None)
        check_result(result, frame)
        if index == 0:
            np.testing.assert_array_equal(result.labels, mask)


@pytest.mark.parametrize("size", [(97, 64), (50, 181)], ids=str)
def test_results_have_the_frames_size_when_the_network_sees_less(make_network, size):
    network = make_network("compact")
    seen = []
    encode = network.encode

    def spy(images):
        seen.append(tuple(images.shape[-2:]))
        return encode(images)

    tracker = Tracker(network, short_side=32)
    network.encode = spy
    try:
        frames, mask = make_frames(3, *size), make_mask([1, 6], *size)
        result = tracker.step(frames[0], mask)
        np.testing.assert_array_equal(result.labels, mask)  # untouched by the scaling
        check_result(result, frames[0])
        for frame in frames[1:]:
            check_result(tracker.step(frame), frame)
    finally:
        del network.encode
    assert {min(s) for s in seen} <= {32, 48}
    aspect = max(size) / min(size)
    assert all(abs(max(s) - 32 * aspect) <= 16 for s in seen)


@pytest.mark.parametrize(("short_side", "seen"), [(80, (80, 112)), (400, (96, 128))], ids=str)
def test_small_frames_are_enlarged_to_twice_their_size_at_most(make_network, short_side, seen):
    tracker = Tracker(make_network("compact"), short_side=short_side)
    frames, mask = make_frames(2), make_mask([1, 6])  # 64x48
    assert tracker.encode(frames[:1])[0].s16.shape[-2:] == (seen[0] // 16, seen[1] // 16)
    np.testing.assert_array_equal(tracker.step(frames[0], mask).labels, mask)
    check_result(tracker.step(frames[1]), frames[1])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.uint16),
        np.zeros((0, 8, 3), np.uint8),
    ],
    ids=lambda x: f"{x.dtype}{x.shape}",
)
def test_frames_of_the_wrong_kind(make_network, image):
    tracker = Tracker(make_network("compact"))
    with pytest.raises(InputError, match="8"):
        tracker.step(image)
    check_result(tracker.step(make_frames(1)[0], make_mask([1])), make_frames(1)[0])


def test_all_frames_have_one_size(make_network):
    tracker = Tracker(make_network("compact"))
    tracker.step(make_frames(1)[0], make_mask([1]))
    with pytest.raises(InputError, match=r"frame 1 is 50x40.*64x48"):
        tracker.step(make_frames(1, 40, 50)[0])
    assert tracker.step(make_frames(1)[0]).index == 1  # the bad frame did not count


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((48, 63), np.uint8), "63x48"),
        (np.ones((64, 48), np.uint8), "48x64"),
        (np.ones((48, 64, 3), np.uint8), "integers"),
        (np.ones((48, 64), np.float32), "float32"),
        (np.full((48, 64), 255, np.uint8), "255"),
        (np.full((48, 64), -1, np.int64), "-1"),
        (np.full((48, 64), 70000, np.int32), "70000"),
    ],
    ids=str,
)
def test_masks_that_do_not_fit(make_network, mask, message):
    assert MAX_OBJECT_ID == 254
    tracker = Tracker(make_network("compact"))
    frame = make_frames(1)[0]
    with pytest.raises(MaskError, match=message):
        tracker.step(frame, mask)
    assert tracker.object_ids == ()
    assert tracker.step(frame, make_mask([1])).index == 0


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, np.uint64])
def test_masks_of_any_integer_type(make_network, dtype):
    tracker = Tracker(make_network("compact"))
    mask = make_mask([1] if dtype is bool else [1, 100]).astype(dtype)
    result, given = tracker.step(make_frames(1)[0], mask), mask.copy()
    mask[:] = 0  # the caller uses its array again
    np.testing.assert_array_equal(result.labels, given)
    np.testing.assert_array_equal(result.probabilities[1] == 1, given == 1)


def test_a_network_in_training_and_a_tiny_short_side_are_refused(make_network):
    with pytest.raises(InputError, match="eval"):
        Tracker(make_network("compact").train())
    with pytest.raises(InputError, match="15"):
        Tracker(make_network("compact"), short_side=15)


def test_nothing_of_the_callers_is_changed(make_network):
    tracker = Tracker(make_network("compact"), short_side=32)
    frames, mask = make_frames(3), make_mask([1, 2])
    copies, mask_copy = [f.copy() for f in frames], mask.copy()
    results = [tracker.step(f, mask if i == 0 else None) for i, f in enumerate(frames)]
    kept = [r.probabilities.copy() for r in results]
    for frame, copy in zip(frames, copies, strict=True):
        np.testing.assert_array_equal(frame, copy)
    np.testing.assert_array_equal(mask, mask_copy)
    # And what the caller does with its arrays and results later does not reach the tracker.
    other = Tracker(make_network("compact"), short_side=32)
    for index, frame in enumerate(copies):
        frame, given = frame.copy(), mask.copy() if index == 0 else None
        result = other.step(frame, given)
        np.testing.assert_array_equal(result.probabilities, kept[index])
        frame[:] = 0
        result.probabilities[:] = 0
        result.labels[:] = 9
        if given is not None:
            given[:] = 0


@pytest.mark.parametrize("short_side", [None, 32])
def test_read_only_and_strided_frames(make_network, short_side):
    network = make_network("compact")
    frames, mask = make_frames(2), make_mask([1])
    plain, odd = Tracker(network, short_side=short_side), Tracker(network, short_side=short_side)
    for index, frame in enumerate(frames):
        given = mask if index == 0 else None
        frozen = frame.copy()[::-1][:, ::-1][::-1][:, ::-1]
        double = frame.repeat(2, axis=1)[:, ::2]
        frozen.flags.writeable = double.flags.writeable = False
        expected = plain.step(frame, given).probabilities
        np.testing.assert_array_equal(
            odd.step(frozen if index else double, given).probabilities, expected
        )


@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_bytes_twice(make_network, preset):
    frames, mask = make_frames(4), make_mask([1, 2])
    runs = []
    for _ in range(2):
        tracker = Tracker(make_network(preset))
        steps = [tracker.step(f, mask if i == 0 else None) for i, f in enumerate(frames)]
        runs.append([(r.labels.tobytes(), r.probabilities.tobytes()) for r in steps])
    assert runs[0] == runs[1]


def tensor_bytes(root, skip):
    """Bytes of all tensors and arrays that can be reached from an object."""
    seen, storages, todo = set(), {}, [root]
    while todo:
        item = todo.pop()
        if id(item) in seen or item is skip:
            continue
        seen.add(id(item))
        if isinstance(item, torch.Tensor):
            storage = item.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
        elif isinstance(item, np.ndarray):
            base = item
            while isinstance(base.base, np.ndarray):
                base = base.base
            storages[id(base)] = base.nbytes
        elif isinstance(item, dict):
            todo += item.values()
        elif isinstance(item, (list, tuple, set)):
            todo += item
        elif dataclasses.is_dataclass(item) and not isinstance(item, type):
            todo += [getattr(item, f.name) for f in dataclasses.fields(item)]
        elif hasattr(item, "__dict__"):
            todo += vars(item).values()
    return sum(storages.values())


@pytest.mark.parametrize("preset", PRESETS)
def test_the_state_does_not_grow(make_network, preset):
    # every position is remembered: a memory is full after eight frames
    network = make_network(preset, memory_interval=1, memory_similarity=1.0)
    tracker = Tracker(network)
    frames, sizes = make_frames(18), []
    for index, frame in enumerate(frames):
        given = {0: make_mask([1, 2]), 2: make_mask([5])}.get(index)
        tracker.step(frame, given)
        sizes.append(tensor_bytes(tracker, skip=network))
    assert sizes[0] > 1000
    assert sizes[2] > sizes[1]  # a third object
    assert max(sizes[12:]) == max(sizes[3:12])


def test_corrections_do_not_pile_up(make_network):
    network = make_network("compact", memory_similarity=1.0)
    tracker = Tracker(network)
    sizes = []
    for frame in make_frames(12):
        tracker.step(frame, make_mask([1, 2]))
        sizes.append(tensor_bytes(tracker, skip=network))
    assert max(sizes) <= 9 * sizes[0]
    assert min(sizes[-3:]) < max(sizes)


def test_the_network_keeps_nothing_of_a_video(make_network):
    network = make_network("compact")
    before = tensor_bytes(network, skip=None)
    tracker = Tracker(network)
    for index, frame in enumerate(make_frames(3)):
        tracker.step(frame, make_mask([1]) if index == 0 else None)
    assert tensor_bytes(network, skip=None) == before


def test_inference_mode_stays_inside(make_network):
    tracker = Tracker(make_network("compact"))
    tracker.step(make_frames(1)[0], make_mask([1]))
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()


def test_half_precision_is_close(make_network):
    network, frames, mask = make_network("compact"), make_frames(3), make_mask([1, 2])
    full, half = Tracker(network), Tracker(network, precision=torch.bfloat16)
    for index, frame in enumerate(frames):
        given = mask if index == 0 else None
        x, y = full.step(frame, given), half.step(frame, given)
        check_result(y, frame)
        assert np.abs(x.probabilities - y.probabilities).mean() < 0.05
    assert not np.array_equal(x.probabilities, y.probabilities)


@pytest.mark.parametrize(("preset", "hard"), [("paper-resnet50", True), ("compact", False)])
def test_given_masks_of_scaled_frames_stay_0_or_1_where_the_network_wants_it(
    make_network, preset, hard
):
    tracker = Tracker(make_network(preset), short_side=32)
    tracker.step(make_frames(1, 50, 181)[0], make_mask([1, 2], 50, 181))
    shares = set(tracker.state.last_masks.unique().tolist())
    assert (shares == {0, 1}) is hard
