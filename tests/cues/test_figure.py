"""What can be seen on a figure."""

import numpy as np
import pytest

from ddeal_core import Ablation, Segmenter
from ddeal_core.cues.drawing import colour_of, colour_table, paint, write_text
from ddeal_core.cues.figure import CueFigure


def drawn(network, clip, **layout):
    *_, last = Segmenter(network, keep_cues=True).track(clip.frames[:4], clip.masks[0])
    figure = CueFigure((96, 128), **layout)
    given = figure.given(0, clip.frames[0], clip.masks[0], 1)
    image = clip.frames[3]
    return (
        figure,
        last,
        lambda cues: figure.draw(image, last.labels, cues, [1], index=3, given=[given]),
    )


@pytest.mark.parametrize(("preset", "dense"), [("compact", 3), ("released-resnet50", 0)])
def test_a_figure_shows_every_map_of_its_network(make_network, tiny_clip, preset, dense):
    network = make_network(preset)
    figure, last, draw = drawn(network, tiny_clip, dense_maps=dense)
    whole = draw(last.cues)
    assert whole.shape == (*figure.size, 3)
    assert whole.dtype == np.uint8
    assert np.array_equal(draw(last.cues), whole)
    names = ["last_masks", "matching", "appearance", "coarse", "final", "propagation_effect"]
    for name in names + ["dense"] * bool(dense):
        changed = {f: getattr(last.cues, f) for f in last.cues.__dataclass_fields__}
        changed[name] = changed[name][..., ::-1, ::-1].copy()
        assert not np.array_equal(draw(type(last.cues)(**changed)), whole), name


def test_a_cue_that_is_switched_off_shows_nothing_of_itself(make_network, tiny_clip):
    network = make_network(ablation=Ablation(matching=False))
    _, last, draw = drawn(network, tiny_clip, dense_maps=3)
    changed = {f: getattr(last.cues, f) for f in last.cues.__dataclass_fields__}
    changed["matching"] = -changed["matching"]
    changed["dense"] = -changed["dense"]
    assert np.array_equal(draw(last.cues), draw(type(last.cues)(**changed)))
    on = changed | {"switched_off": frozenset()}
    assert not np.array_equal(draw(last.cues), draw(type(last.cues)(**on)))


def test_without_cues_it_says_so_and_keeps_its_shape(make_network, tiny_clip):
    figure, last, draw = drawn(make_network(), tiny_clip, dense_maps=3)
    assert draw(None).shape == (*figure.size, 3)
    assert not np.array_equal(draw(None), draw(last.cues))


@pytest.mark.parametrize("size", [(1, 1), (2000, 3), (720, 1280), (1280, 720), (97, 131)])
@pytest.mark.parametrize("objects", [1, 3])
def test_sizes_are_even_and_near_what_was_asked_for(size, objects):
    figure = CueFigure(size, objects=objects, dense_maps=3)
    assert figure.size[0] % 2 == 0
    assert figure.size[1] % 2 == 0
    labels = np.ones(size, np.uint8)
    image = np.zeros((*size, 3), np.uint8)
    given = [figure.given(0, image, labels, 1)] * objects
    picture = figure.draw(image, labels, None, range(1, 1 + objects), index=0, given=given)
    assert picture.shape == (*figure.size, 3)


def test_probabilities_grow_brighter_and_signs_have_colours():
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None]
    assert (np.diff(paint(ramp, signed=False).sum(2).astype(int)) >= 0).all()
    low, middle, high = paint(np.array([[-3, 0, 3]], np.float32), signed=True, limit=2)[0].tolist()
    assert low == colour_table(signed=True)[0].tolist()
    assert high == colour_table(signed=True)[255].tolist()
    assert low[2] > low[0]
    assert high[0] > high[2]
    assert max(middle) < 30


def test_every_object_has_a_bright_colour_of_its_own():
    colours = [colour_of(i) for i in range(1, 8)]
    assert len(set(colours)) == 7
    assert all(max(colour) == 255 for colour in colours)


def test_text_stays_within_its_picture():
    picture = np.zeros((12, 30, 3), np.uint8)
    write_text(picture, "much longer than the picture", (5, 4), size=18)
    write_text(picture, "at its right end and far too long", (-1, 0), size=18)
    assert picture.any()
