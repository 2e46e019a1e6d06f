"""The first mask from a few hints: boxes, points and strokes.

Give what you know of each object, get a label map::

from ddeal_core.interaction import Hints, first_mask

labels = first_mask(image, {1: Hints(box=(120, 40, 200, 310)), 2: Hints(inside=((640, 200),))})
"""

from ddeal_core.interaction.first_mask import first_mask, image_at, mask_from_hints
from ddeal_core.interaction.grabcut import grab_cut
from ddeal_core.interaction.hints import Hints
from ddeal_core.interaction.preview import preview
from ddeal_core.interaction.strokes import read_strokes
from ddeal_core.interaction.words import read_hints

__all__ = [
    "Hints",
    "first_mask",
    "grab_cut",
    "image_at",
    "mask_from_hints",
    "preview",
    "read_hints",
    "read_strokes",
]
