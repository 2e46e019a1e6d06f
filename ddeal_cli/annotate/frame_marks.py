"""All that was marked on one frame, and the mask that it makes.

A mask has three layers: what was there before (a mask that was loaded, or the result that is being
corrected), what the network made of boxes, clicks and scribbles, and the strokes of brush and
eraser. The upper one wins, so that a further click does not undo what was painted by hand.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddeal_cli.annotate.marks import BoxMark, Click, Mark, Point, Stroke
from ddeal_core.interaction import Hints, first_mask
from ddeal_core.media.masks.label_images import Labels, ids_in

if TYPE_CHECKING:
    from ddeal_core.interaction.mask_finder import Picture

_ERASED = 255
_INSIDE, _OUTSIDE = 1, 2  # of a scribble


@dataclass(frozen=True, slots=True)
class LabelMap:
    """A label map of (height, width), compressed row by row; equal where all pixels are."""

    size: tuple[int, int]
    packed: bytes

    @classmethod
    def of(cls, labels: Labels) -> LabelMap:
        """Compress HxW uint8."""
        if labels.ndim != 2 or labels.dtype != np.uint8:
            raise ValueError(f"labels are HxW uint8, not {labels.shape} {labels.dtype}")
        packed = zlib.compress(np.ascontiguousarray(labels).tobytes(), 1)
        return cls((labels.shape[0], labels.shape[1]), packed)

    def labels(self) -> Labels:
        """HxW uint8, a new array."""
        return np.frombuffer(bytearray(zlib.decompress(self.packed)), np.uint8).reshape(self.size)

    @property
    def digest(self) -> str:
        """Stands for the pixels: other pixels have another one."""
        return sha256(repr(self.size).encode() + self.packed).hexdigest()


@dataclass(frozen=True, slots=True)
class ObjectHints:
    """Hints about one object on one frame, from which the network makes its mask."""

    box: tuple[int, int, int, int] | None = None
    inside: tuple[Point, ...] = ()
    outside: tuple[Point, ...] = ()
    scribble: LabelMap | None = None


@dataclass(frozen=True)
class FrameMarks:
    """The marks of one frame; every change makes a new one.

    Attributes:
        size: (height, width).
        objects: Ids marked here, rising. Only these are given to the network on this frame.
        base: Their masks before any mark.
        hints: By id.
        cut: What the network made of the hints.
        brush: Painted ids; 255 where the eraser was; 0 where neither.
    """

    size: tuple[int, int]
    objects: tuple[int, ...] = ()
    base: LabelMap | None = None
    hints: Mapping[int, ObjectHints] = field(default_factory=dict)
    cut: LabelMap | None = None
    brush: LabelMap | None = None

    @classmethod
    def of_mask(cls, labels: Labels) -> FrameMarks:
        """Marks that are a whole mask, as from a file."""
        return cls((labels.shape[0], labels.shape[1]), ids_in(labels), LabelMap.of(labels))

    @cached_property
    def mask(self) -> LabelMap:
        """The three layers as one label map."""
        labels = self._layer(self.base)
        if self.cut is not None:
            cut = self.cut.labels()
            labels[np.isin(labels, list(self.hints))] = 0
            labels = np.where(cut > 0, cut, labels)
        if self.brush is not None:
            brush = self.brush.labels()
            labels = np.where(brush > 0, brush, labels)
            labels[brush == _ERASED] = 0
        return LabelMap.of(labels)

    @cached_property
    def given(self) -> tuple[int, ...]:
        """Ids that the mask shows, rising: an object without a pixel cannot be given."""
        return ids_in(self.mask.labels())

    def marked(self, mark: Mark, image: NDArray[np.uint8] | Picture, before: Labels) -> FrameMarks:
        """Add a mark, on the frame or a `Picture` of it.

        `before` is HxW: the masks of objects not marked here so far, such as the network's.
        """
        own = self._with_object(mark.object_id, before)
        if isinstance(mark, Stroke) and mark.tool in ("brush", "eraser"):
            return own._painted(mark)
        return own._hinted(mark)._cut_out(image)

    def without(
        self, object_id: int, image: NDArray[np.uint8] | Picture | None = None
    ) -> FrameMarks | None:
        """Forget one object; None if nothing is left.

        With the image, what the network made of the other hints is worked out again.
        """
        objects = tuple(i for i in self.objects if i != object_id)
        if not objects:
            return None

        def cleared(layer: LabelMap | None) -> LabelMap | None:
            if layer is None:
                return None
            labels = layer.labels()
            labels[labels == object_id] = 0
            return LabelMap.of(labels)

        hints = {i: each for i, each in self.hints.items() if i != object_id}
        rest = replace(
            self,
            objects=objects,
            base=cleared(self.base),
            hints=hints,
            cut=cleared(self.cut) if hints else None,
            brush=cleared(self.brush),
        )
        return rest if image is None or not hints else rest._cut_out(image)

    def _layer(self, layer: LabelMap | None) -> Labels:
        return np.zeros(self.size, np.uint8) if layer is None else layer.labels()

    def _with_object(self, object_id: int, before: Labels) -> FrameMarks:
        """With the object among those marked, as it was before."""
        if object_id in self.objects:
            return self
        base = self._layer(self.base)
        base[(before == object_id) & (base == 0)] = object_id
        objects = tuple(sorted((*self.objects, object_id)))
        return replace(self, objects=objects, base=LabelMap.of(base))

    def _painted(self, stroke: Stroke) -> FrameMarks:
        covered = stroke.covered(self.size)
        brush = self._layer(self.brush)
        if stroke.tool == "brush":
            brush[covered] = stroke.object_id
        else:  # other objects stay
            brush[covered & (self.mask.labels() == stroke.object_id)] = _ERASED
        return replace(self, brush=LabelMap.of(brush))

    def _hinted(self, mark: Mark) -> FrameMarks:
        known = self.hints.get(mark.object_id, ObjectHints())
        if isinstance(mark, BoxMark):
            box = mark.within(self.size)
            # the object is outlined anew: what was there before says nothing any more
            new = ObjectHints(box=(box.x, box.y, box.width, box.height))
            fresh = self._forgetting_pixels(mark.object_id)
            return replace(fresh, hints={**self.hints, mark.object_id: new})
        if isinstance(mark, Click):
            mark.check(self.size)
            # a second click on the same pixel is a change of mind
            inside = tuple(point for point in known.inside if point != mark.point)
            outside = tuple(point for point in known.outside if point != mark.point)
            if mark.inside:
                new = replace(known, inside=(*inside, mark.point), outside=outside)
            else:
                new = replace(known, inside=inside, outside=(*outside, mark.point))
        else:
            scribble = self._layer(known.scribble)
            value = _INSIDE if mark.tool == "inside" else _OUTSIDE
            scribble[mark.covered(self.size)] = value
            new = replace(known, scribble=LabelMap.of(scribble))
        return replace(self, hints={**self.hints, mark.object_id: new})

    def _forgetting_pixels(self, object_id: int) -> FrameMarks:
        base, brush = self._layer(self.base), self._layer(self.brush)
        base[base == object_id] = 0
        brush[brush == object_id] = 0
        return replace(self, base=LabelMap.of(base), brush=LabelMap.of(brush))

    def _cut_out(self, image: NDArray[np.uint8] | Picture) -> FrameMarks:
        """Find all hinted objects anew, beginning with what was there before."""
        base = self._layer(self.base)
        base[~np.isin(base, list(self.hints))] = 0
        hints = {
            i: Hints(
                known.box,
                known.inside,
                known.outside,
                None if known.scribble is None else known.scribble.labels(),
            )
            for i, known in self.hints.items()
        }
        return replace(self, cut=LabelMap.of(first_mask(image, hints, base)))
