"""Hints in words and in pictures of strokes."""

import numpy as np
import pytest
from PIL import Image

from ddeal_core.errors import InputError, MaskError
from ddeal_core.interaction import grab_cut, read_hints, read_strokes
from ddeal_core.media import davis_palette

SIZE = (100, 200)


def test_pixels_and_shares():
    hints = read_hints(boxes=["10,20,30,40", "50%,25%,12.5%,50%"], size=SIZE)
    assert hints[1].box == (10, 20, 30, 40)
    assert hints[2].box == (100, 25, 25, 50)
    assert read_hints(points=["100%, 0%"], size=SIZE)[1].inside == ((199, 0),)
    assert read_hints(boxes=["-5,-5,20,20"], size=SIZE)[1].box == (-5, -5, 20, 20)


@pytest.mark.parametrize("point", ["150%,50%", "50%,101%", "200,50"])
def test_a_point_beyond_the_frame_is_refused_in_shares_as_in_pixels(point):
    with pytest.raises(InputError, match="lies outside the frame, which is 200x100"):
        grab_cut(np.zeros((*SIZE, 3), np.uint8), read_hints(points=[point], size=SIZE))


def test_ids_are_given_or_counted():
    hints = read_hints(boxes=["2=1,1,5,5", "9,9,5,5", "30,30,5,5"], size=SIZE)
    assert {number: hint.box[:2] for number, hint in hints.items()} == {
        2: (1, 1),
        1: (9, 9),
        3: (30, 30),
    }
    assert set(read_hints(boxes=["1,1,5,5"], size=SIZE, known=(1, 2))) == {1, 2, 3}


def test_points_belong_to_the_only_object_or_say_whose_they_are():
    hints = read_hints(boxes=["38=1,1,5,5"], points=["3,3", "4,4"], size=SIZE)
    assert hints[38].inside == ((3, 3), (4, 4))
    hints = read_hints(points=["3,3", "2=4,4"], not_points=["9,9", "2=8,8"], size=SIZE)
    assert hints[1].outside == ((9, 9),)
    assert hints[2].outside == ((9, 9), (8, 8))
    with pytest.raises(InputError, match="write its id before it"):
        read_hints(boxes=["1,1,5,5", "9,9,5,5"], points=["3,3"], size=SIZE)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"boxes": ["1,2,3"]}, "a box is x,y,width,height"),
        ({"boxes": ["1,2,3,4,5"]}, "a box is"),
        ({"boxes": ["a=1,2,3,4"]}, "a box is"),
        ({"boxes": ["0=1,2,3,4"]}, "1 to 254"),
        ({"boxes": ["1=1,2,3,4", "1=1,2,3,4"]}, "object 1 has two boxes"),
        ({"boxes": ["1,2,0,4"]}, "at least 1 pixel"),
        ({"points": ["1;2"]}, "a point is x,y"),
        ({"points": [""]}, "a point is x,y"),
        ({"points": ["1e3,nan"]}, "a point is x,y"),
    ],
)
def test_words_that_cannot_be_read(words, says):
    with pytest.raises(InputError, match=says):
        read_hints(**words, size=SIZE)


def strokes_of(path, pixels, mode):
    Image.fromarray(pixels, mode).save(path)
    return read_strokes(path, size=SIZE)


def test_strokes_in_grey_colours_and_with_alpha(tmp_path):
    expected = np.zeros(SIZE, np.uint8)
    expected[10:14, 10:60] = 1
    expected[30:34, 10:60] = 2
    expected[80:84, 10:60] = 255
    grey = tmp_path / "grey.png"
    Image.fromarray(expected).save(grey)
    assert np.array_equal(read_strokes(grey, size=SIZE), expected)

    colours = np.zeros((*SIZE, 3), np.uint8)
    colours[expected == 1] = (250, 10, 10)  # any colours: 1, 2 in reading order
    colours[expected == 2] = (10, 10, 250)
    colours[expected == 255] = 255
    rgb = tmp_path / "rgb.png"
    Image.fromarray(colours).save(rgb)
    assert np.array_equal(read_strokes(rgb, size=SIZE), expected)

    rgba = np.dstack(
        [np.where(expected[..., None] > 0, colours, 77), (expected > 0) * np.uint8(255)]
    )
    layer = tmp_path / "layer.png"
    Image.fromarray(rgba.astype(np.uint8)).save(layer)
    assert np.array_equal(read_strokes(layer, size=SIZE), expected)

    palette = np.where(expected == 2, 38, expected)
    colours = np.zeros((*SIZE, 3), np.uint8)
    for number in (1, 38):
        colours[palette == number] = davis_palette()[number]
    colours[expected == 255] = 255
    Image.fromarray(colours).save(rgb)
    assert np.array_equal(read_strokes(rgb, size=SIZE), palette)


def test_strokes_become_hints_of_each_object(tmp_path):
    strokes = np.zeros(SIZE, np.uint8)
    strokes[10, 10:20], strokes[30, 10:20], strokes[50, 10:20] = 1, 4, 255
    hints = read_hints(strokes=strokes, size=SIZE)
    assert set(hints) == {1, 4}
    assert hints[4].scribble is not None
    assert set(np.unique(hints[4].scribble[30])) == {0, 1}
    assert set(np.unique(hints[4].scribble[50])) == {0, 2}
    assert not hints[4].scribble[10].any()


def test_strokes_that_cannot_be_used(tmp_path):
    with pytest.raises(MaskError, match="no image of strokes"):
        read_strokes(tmp_path / "none.png", size=SIZE)
    path = tmp_path / "strokes.png"
    Image.new("L", (20, 10), 3).save(path)
    with pytest.raises(MaskError, match="are 20x10, the frame 200x100"):
        read_strokes(path, size=SIZE)
    Image.new("L", (200, 100), 0).save(path)
    with pytest.raises(MaskError, match="no stroke in it"):
        read_strokes(path, size=SIZE)
    path.write_text("text")
    with pytest.raises(MaskError, match="no image that can be read"):
        read_strokes(path, size=SIZE)
    photo = tmp_path / "strokes.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)).save(photo)
    with pytest.raises(MaskError, match="JPEG"):
        read_strokes(photo, size=SIZE)
