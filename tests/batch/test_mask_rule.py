import pytest

from ddeal_core.batch.plan import masks_in
from ddeal_core.errors import InputError
from ddeal_core.media import open_source, write_mask


@pytest.fixture
def folder(tmp_path, tiny_clip):
    """`folder("00000", ...)`: a folder with masks of these names."""

    def make(*names):
        for name in names:
            write_mask(tmp_path / "masks" / f"{name}.png", tiny_clip.masks[0])
        return tmp_path / "masks"

    (tmp_path / "masks").mkdir()
    return make


def test_masks_of_some_frames_are_each_for_their_frame(folder, tiny_clip):
    masks = folder("00000", "00005")
    for video in (tiny_clip.video, tiny_clip.images):
        with open_source(video) as source:
            assert masks_in(masks, source) == [str(masks)]


@pytest.mark.parametrize("ending", ["mp4", "webm"])  # WebM does not say how long it is
def test_of_masks_for_all_frames_the_first_is_meant(folder, tiny_clip, make_clip, tmp_path, ending):
    masks = folder(*(f"{index:05d}" for index in range(8)))
    codec = {"mp4": "libx264", "webm": "libvpx-vp9"}[ending]
    video = make_clip(tmp_path / f"a.{ending}", tiny_clip.frames, codec=codec)
    with open_source(video) as source:
        assert masks_in(masks, source) == [str(masks / "00000.png")]
    with open_source(tiny_clip.images, start=3) as source:
        assert masks_in(masks, source) == [str(masks / "00003.png")]
    (masks / "00007.png").unlink()
    with open_source(video) as source:
        assert masks_in(masks, source) == [str(masks)]


def test_a_single_mask_of_another_name_is_for_the_first_frame(folder, tiny_clip):
    masks = folder("bear")
    with open_source(tiny_clip.images, start=2) as source:
        assert masks_in(masks, source) == [str(masks / "bear.png")]
    folder("camel")
    with open_source(tiny_clip.images) as source, pytest.raises(InputError, match="holds no mask"):
        masks_in(masks, source)
