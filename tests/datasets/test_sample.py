import cv2
import numpy as np
import pytest

from ddeal_core.datasets.clip import Clip
from ddeal_core.datasets.sample import FISH, TURTLE, sample_clip


@pytest.fixture(scope="module")
def clip() -> Clip:
    """The whole story, small."""
    return sample_clip(frames=24, size=(144, 256))


def _areas(clip: Clip, label: int):
    return (clip.labels == label).sum(axis=(1, 2))


def _centroid(label_map, label: int):
    return np.argwhere(label_map == label).mean(axis=0)


@pytest.mark.parametrize(
    ("frames", "size"), [(1, (96, 160)), (4, (96, 160)), (2, (121, 77)), (2, (32, 32))]
)
def test_any_length_and_size(frames, size):
    clip = sample_clip(frames=frames, size=size)
    assert clip.images.shape == (frames, *size, 3)
    assert clip.labels.shape == (frames, *size)
    assert clip.object_ids == (FISH, TURTLE)


@pytest.mark.parametrize("frames", [0, -1])
def test_too_short_is_refused(frames):
    with pytest.raises(ValueError, match=f"not {frames}"):
        sample_clip(frames=frames)


def test_too_small_is_refused():
    with pytest.raises(ValueError, match="not 20x640"):
        sample_clip(frames=1, size=(20, 640))


def test_the_defaults_are_three_seconds_of_360p():
    defaults = sample_clip.__kwdefaults__
    assert defaults == {"frames": 72, "size": (360, 640)}


def test_same_arguments_give_the_same_bytes():
    first, second = (sample_clip(frames=3, size=(96, 160)) for _ in range(2))
    assert first.images.tobytes() == second.images.tobytes()
    assert first.labels.tobytes() == second.labels.tobytes()


def test_the_threads_of_opencv_change_no_byte():
    threads = cv2.getNumThreads()
    clips = []
    try:
        for count in (1, 4):
            cv2.setNumThreads(count)
            clips.append(sample_clip(frames=2, size=(180, 320)))
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(clips[0].images, clips[1].images)
    assert np.array_equal(clips[0].labels, clips[1].labels)


def test_both_objects_are_whole_in_the_first_frame(clip):
    first = clip.labels[0]
    for label, share in ((FISH, 0.04), (TURTLE, 0.02)):
        mask = (first == label).astype(np.uint8)
        assert mask.mean() > share
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        assert stats[1:, cv2.CC_STAT_AREA].max() > 0.97 * mask.sum()  # nothing stands before it
        border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert not border.any()


def test_both_objects_stay_in_the_picture(clip):
    for label in (FISH, TURTLE):
        assert _areas(clip, label).min() > 0.008 * clip.labels[0].size
    assert clip.object_ids == (FISH, TURTLE)


def test_the_fish_swims_to_the_right_and_comes_back_nearer(clip):
    columns = np.array([_centroid(frame, FISH)[1] for frame in clip.labels]) / 256
    assert columns[0] < 0.35
    assert columns.max() > 0.7
    assert columns[-1] < columns.max() - 0.2
    areas = _areas(clip, FISH)
    assert areas[-1] > 2 * areas[0]


def test_the_turtle_moves_and_grows(clip):
    start, end = _centroid(clip.labels[0], TURTLE), _centroid(clip.labels[-1], TURTLE)
    assert np.hypot(*(end - start)) > 0.1 * 256
    areas = _areas(clip, TURTLE)
    assert areas[-1] > 1.3 * areas[0]


def test_kelp_hides_part_of_the_fish_and_splits_it(clip):
    areas = _areas(clip, FISH)
    passing = slice(8, 14)  # while it heads right at an unchanged distance
    assert areas[passing].min() < 0.65 * areas[0]

    def pieces(frame) -> int:
        _, _, stats, _ = cv2.connectedComponentsWithStats((frame == FISH).astype(np.uint8))
        return int((stats[1:, cv2.CC_STAT_AREA] > 10).sum())

    assert pieces(clip.labels[0]) == 1
    assert max(pieces(frame) for frame in clip.labels[passing]) >= 3


def test_labels_lie_on_what_they_name(clip):
    """The fish is orange and white, the turtle green and brown, the water blue."""
    for number in (0, 8, 16, 23):
        image, labels = clip.images[number].astype(int), clip.labels[number]
        redness = image[..., 0] - image[..., 2]
        assert redness[labels == FISH].mean() > 40
        assert redness[labels == TURTLE].mean() > 0
        ring = cv2.dilate((labels == TURTLE).astype(np.uint8), np.ones((9, 9))) > 0
        ring &= cv2.dilate((labels == TURTLE).astype(np.uint8), np.ones((5, 5))) == 0
        assert np.median(redness[ring & (labels == 0)]) < -40


def test_an_unlabelled_fish_of_similar_colour_crosses(clip):
    """Orange enough to be mistaken, in the middle rows, left of the fish, later in the clip."""
    image, labels = clip.images[15].astype(int), clip.labels[15]
    orange = (image[..., 0] - image[..., 2] > 40) & (image[..., 0] - image[..., 1] > 25)
    orange[: int(0.4 * 144)] = False
    orange[int(0.75 * 144) :] = False
    left = orange[:, : 256 // 2]
    assert (left & (labels[:, : 256 // 2] == 0)).sum() > 0.01 * labels.size
    assert not (labels[:, : 256 // 2] == FISH).any()


def test_the_camera_pans_over_the_reef(clip):
    first, later = (
        cv2.cvtColor(clip.images[k], cv2.COLOR_RGB2GRAY)[104:140, :110].astype(np.float32)
        for k in (8, 14)
    )
    (shift, _), _ = cv2.phaseCorrelate(first, later, cv2.createHanningWindow((110, 36), cv2.CV_32F))
    assert -16 < shift < -4  # what is seen moves to the left


def test_the_film_has_grain(clip):
    water = clip.images[:, 4:24, 215:245].astype(np.float32)
    rough = water[0] - cv2.GaussianBlur(water[0], (0, 0), 2)
    assert 1 < rough.std() < 5
    change = water[1] - water[0]
    assert (change - cv2.GaussianBlur(change, (0, 0), 2)).std() > 1  # new in each frame


def test_a_short_clip_tells_the_whole_story(clip):
    short = sample_clip(frames=4, size=(144, 256))
    for mine, theirs in ((0, 0), (3, 23)):
        same = [
            ((short.labels[mine] == k) & (clip.labels[theirs] == k)).sum()
            / ((short.labels[mine] == k) | (clip.labels[theirs] == k)).sum()
            for k in (FISH, TURTLE)
        ]
        assert min(same) > 0.7
