"""Masks from hints by the network: where it looks, and what it is held to."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ddeal_core.inference.folding import fold_backbone
from ddeal_core.interaction.hint_maps import hint_maps
from ddeal_core.interaction.hints import NOT_OBJECT, OBJECT, Hints, bounds, grown_box
from ddeal_core.interaction.network import FirstMaskNetwork, PictureFeatures
from ddeal_core.interaction.weights import load_first_mask
from ddeal_core.interaction.window import Crop
from ddeal_core.media.matting.edges import refine_alpha

_MARGIN = 0.2  # of a box's sides, on every side: what is looked at around it
_SIDE = 320  # pixels: the root of a crop's area at the first look
_CLOSE_SIDE = 448  # at the second look
_CLOSER = 0.7  # of the first look's crop: the second look is at the mask's place if that is smaller
_KEPT = 12  # crops of a picture whose features are kept, and answers
_SPECK = 0.01  # of the largest piece: smaller ones without a mark on them are dropped

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class MaskFinder:
    """The network, ready to answer; it may be used from several threads."""

    def __init__(self, network: FirstMaskNetwork) -> None:
        self._network = network.eval()
        self._backbone = fold_backbone(network.backbone)

    @classmethod
    @cache
    def bundled(cls) -> MaskFinder:
        """The one with the weights that come with the package, read once."""
        return cls(load_first_mask())

    @classmethod
    def load(cls, path: Path) -> MaskFinder:
        """One with other weights.

        Raises:
            WeightsError: See `load_first_mask`.
        """
        return cls(load_first_mask(path))

    @torch.inference_mode()
    def encode(self, picture: NDArray[np.uint8]) -> PictureFeatures:
        """Look at a crop, HxWx3 uint8 RGB."""
        image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        return self._network.encode(image, self._backbone)  # type: ignore[arg-type]

    @torch.inference_mode()
    def decode(self, features: PictureFeatures, maps: Floats) -> Floats:
        """How sure it is that each pixel of a crop is the object's, HxW."""
        fine, _ = self._network.decode(features, torch.from_numpy(maps)[None])
        odds = F.interpolate(fine, scale_factor=2, mode="bilinear", align_corners=False)
        return np.asarray(odds[0, 0].sigmoid().numpy())


class Picture:
    """A frame, and what the network has seen of it: a further hint is answered from that.

    Args:
        image: HxWx3 uint8 RGB.
        finder: That looks at it; None for the one that comes with the package.
    """

    def __init__(self, image: NDArray[np.uint8], finder: MaskFinder | None = None) -> None:
        self.image = image
        self.size = (image.shape[0], image.shape[1])
        self._given = finder
        self._seen: OrderedDict[Crop, PictureFeatures] = OrderedDict()
        self._answers: OrderedDict[tuple[Crop, bytes], Floats] = OrderedDict()

    @property
    def _finder(self) -> MaskFinder:
        return self._given or MaskFinder.bundled()

    def probability(
        self, hints: Mapping[int, Hints], number: int, old: Bools, marks: NDArray[np.uint8]
    ) -> Floats:
        """How sure it is that a pixel is object `number`'s: HxW, 1 and 0 where it is marked.

        `old` is its mask so far, HxW, empty where there is none; marks are HxW uint8 in the frame:
        1 surely on the object, 2 surely not.
        """
        box = grown_box(hints[number], marks)
        previous = old.astype(np.float32) if old.any() else None
        if box is not None:
            crop = Crop.around(box, _MARGIN, self.size, _SIDE)
        elif previous is not None:
            crop = Crop.around(bounds(old | (marks == OBJECT)), _MARGIN, self.size, _SIDE)
        else:
            crop = Crop.whole(self.size, _SIDE)
        found = self._look(crop, hints, number, box, previous)
        near = _pieces(found > 0.5, marks) if box is None else found > 0.5
        if near.any():
            closer = replace(crop, side=_CLOSE_SIDE)
            if box is None and previous is None:
                place = bounds(near | (marks == OBJECT))
                smaller = Crop.around(place, _MARGIN, self.size, _CLOSE_SIDE)
                closer = smaller if smaller.area < _CLOSER * crop.area else closer
            found = self._look(closer, hints, number, box, found)
            crop = closer
        if max(crop.scale) < 1:
            found = np.asarray(refine_alpha(self.image, found) / 255, np.float32)
        found[marks == OBJECT], found[marks == NOT_OBJECT] = 1, 0
        return found

    def _look(
        self,
        crop: Crop,
        hints: Mapping[int, Hints],
        number: int,
        box: tuple[int, int, int, int] | None,
        previous: Floats | None,
    ) -> Floats:
        maps = hint_maps(
            crop.marks(hints, number),
            None if box is None else crop.box(box),
            None if previous is None else crop.values(previous),
        )
        question = (crop, hashlib.blake2b(maps.tobytes(), digest_size=16).digest())
        answer = _kept(
            self._answers,
            question,
            lambda: self._finder.decode(
                _kept(self._seen, crop, lambda: self._finder.encode(crop.picture(self.image))), maps
            ),
        )
        return crop.enlarge(answer)


def _kept(store: OrderedDict[Key, Value], key: Key, make: Callable[[], Value]) -> Value:
    """Look a value up, or make it; the `_KEPT` that were asked for last stay."""
    value = store.pop(key, None)
    value = make() if value is None else value
    store[key] = value
    if len(store) > _KEPT:
        store.popitem(last=False)
    return value


def _pieces(found: Bools, marks: NDArray[np.uint8]) -> Bools:
    """The pieces that a mark is on; all but specks where none is."""
    count, numbers, statistics, _ = cv2.connectedComponentsWithStats(found.view(np.uint8))
    wanted = np.zeros(count, np.bool_)
    wanted[numbers[(marks == OBJECT) & found]] = True
    wanted[0] = False
    if not wanted.any():
        areas = statistics[:, cv2.CC_STAT_AREA]
        wanted[1:] = areas[1:] >= _SPECK * areas[1:].max(initial=0)
    return np.asarray(wanted[numbers])
