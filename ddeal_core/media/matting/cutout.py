"""What was found in one frame, in the forms that outputs need."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.media.masks.label_images import ids_in
from ddeal_core.media.matting.composites import deepened
from ddeal_core.media.matting.edges import foreground_colours, refined

if TYPE_CHECKING:
    from ddeal_core.media.frame import DeepPicture


class Cutout:
    """Labels, alpha and colours of one frame; several outputs share what was worked out once.

    `Cutout(image, labels, alpha)` takes alpha as final. `Cutout.of(image, labels, probabilities)`
    is the network's answer, whose edges are refined when somebody asks for them. What is worked
    out has the image's type, and goes up to its greatest value: 255, or 65535 for `deep`.

    Attributes:
        image: HxWx3 uint8 or uint16 RGB.
        labels: HxW uint8, 0 background, else the object's id (1..254).
        object_ids: Ids of the objects known by now, whether in this frame or not.
        record: Gives what `SoftWriter` keeps of the frame.

    `object_ids` are those in `labels` if left out; `alpha` is HxW of the image's type, 0 background
    to 255 (65535) object, or None for that of the labels, hard.

    Raises:
        ValueError: Shapes or types do not fit.
    """

    def __init__(
        self,
        image: NDArray[Any],
        labels: NDArray[np.uint8],
        alpha: NDArray[Any] | None = None,
        *,
        object_ids: tuple[int, ...] | None = None,
    ) -> None:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"image is HxWx3 uint8 or uint16, not {image.shape} {image.dtype}")
        for name, plane, dtype in (("labels", labels, np.uint8), ("alpha", alpha, image.dtype)):
            if plane is not None and (plane.shape != image.shape[:2] or plane.dtype != dtype):
                raise ValueError(
                    f"{name} must be {image.shape[:2]} {np.dtype(dtype)}, "
                    f"not {plane.shape} {plane.dtype}"
                )
        if object_ids is None:
            object_ids = ids_in(labels)
        self.image = image
        self.labels = labels
        self.object_ids = object_ids
        self._alpha = alpha
        self._deep: dict[bool, Cutout] = {}
        self._shallow: Cutout | None = None
        self._ask: Callable[[], NDArray[np.float32]] | None = None
        self._ask_cues: Callable[[], object] = lambda: None
        self._is_final = False
        self.record: Callable[[], bytes] = lambda: b""

    @classmethod
    def of(
        cls,
        image: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        probabilities: Callable[[], NDArray[np.float32]],
        object_ids: tuple[int, ...],
        *,
        is_final: bool = False,
        cues: Callable[[], object] = lambda: None,
    ) -> Cutout:
        """Take what was found: see `Result.cutout`.

        Args:
            image: HxWx3 uint8 RGB.
            labels: HxW uint8.
            probabilities: Gives ``[1 + K, H, W]`` float32, background first; called once, if an
                output wants more than labels.
            object_ids: The K ids, in the order of the probabilities.
            is_final: Whether edges stay as they are: the probabilities are mattes.
            cues: Gives the frame's cues; called if an output wants them.

        Raises:
            ValueError: Shapes do not fit.
        """
        cutout = cls(image, labels, object_ids=object_ids)
        cutout._ask, cutout._is_final, cutout._ask_cues = probabilities, is_final, cues
        return cutout

    def deep(self, picture: DeepPicture | None, *, hdr: bool = False) -> Cutout:
        """The same cut-out in 16 bits of the frame's picture; None for what 8 bits show.

        With `hdr`, HDR has its own code values. What is alike in both is shared.
        """
        if hdr not in self._deep:
            if picture is None:
                image = deepened(self.image, np.dtype(np.uint16))
            else:
                image = picture.rgb(hdr=hdr)
            alpha = None if self._alpha is None else deepened(self._alpha, image.dtype)
            cutout = Cutout(image, self.labels, alpha, object_ids=self.object_ids)
            cutout._shallow = self
            self._deep[hdr] = cutout
        return self._deep[hdr]

    @cached_property
    def cues(self) -> object:
        """The `FrameCues` that led to it, for the writers of `ddeal_core.cues`; else None."""
        return self._ask_cues()

    @cached_property
    def _probabilities(self) -> NDArray[np.float32] | None:
        if self._ask is None:
            return None
        found = self._ask()
        expected = (1 + len(self.object_ids), *self.labels.shape)
        if found.shape != expected:
            raise ValueError(f"probabilities are {expected}, not {found.shape}")
        return found

    @cached_property
    def hard_alpha(self) -> NDArray[Any]:
        """Full where any object is the most probable, else 0; HxW."""
        return self._full_where(self.labels > 0)

    def _full_where(self, inside: NDArray[np.bool_]) -> NDArray[Any]:
        dtype = self.image.dtype
        return np.asarray(inside * np.iinfo(dtype).max, dtype)

    @cached_property
    def _soft(self) -> NDArray[np.float32] | None:
        """Opacity with refined edges, 0 to 1, before it is rounded; None without probabilities."""
        if self._shallow is not None:
            return self._shallow._soft
        if self._probabilities is None:
            return None
        opacity = 1 - self._probabilities[0]
        return opacity if self._is_final else refined(self.image, opacity)

    @cached_property
    def alpha(self) -> NDArray[Any]:
        """Opacity of all objects together, with refined edges; HxW."""
        if self._alpha is not None:
            return self._alpha
        return self.hard_alpha if self._soft is None else self._rounded(self._soft)

    def _rounded(self, opacity: NDArray[np.float32]) -> NDArray[Any]:
        dtype = self.image.dtype
        return np.asarray(np.rint(opacity * np.float32(np.iinfo(dtype).max)), dtype)

    @cached_property
    def _covered(self) -> NDArray[np.float32] | None:
        """Opacity by which the old background is taken out of the colours; None for alpha."""
        return None if self._shallow is None else self._shallow._covered

    def soft(self) -> NDArray[np.float32]:
        """Opacity of all objects together before it is rounded, HxW, 0 to 1."""
        if self._alpha is None and self._soft is not None:
            return self._soft
        return np.asarray(self.alpha / np.iinfo(self.image.dtype).max, np.float32)

    def planes(self) -> NDArray[np.float32]:
        """Probability of each object, or its matte where edges are final; ``[K, H, W]``."""
        if self._probabilities is not None:
            return self._probabilities[1:]
        return np.stack([self.labels == i for i in self.object_ids]).astype(np.float32)

    def replaced(
        self, labels: NDArray[np.uint8], probabilities: Callable[[], NDArray[np.float32]]
    ) -> Cutout:
        """The same frame with other labels and probabilities: see `of`."""
        other = Cutout.of(
            self.image,
            labels,
            probabilities,
            self.object_ids,
            is_final=self._is_final,
            cues=self._ask_cues,
        )
        other.record = self.record
        return other

    @cached_property
    def colours(self) -> NDArray[Any]:
        """The objects' own colours, the old background taken out of the edges; HxWx3."""
        covered = self._covered
        return foreground_colours(
            self.image, self.alpha if covered is None else self._rounded(covered)
        )

    def opacity(self, *, hard: bool) -> NDArray[Any]:
        """Give alpha, soft or hard."""
        return self.hard_alpha if hard else self.alpha

    def paint(self, *, hard: bool) -> NDArray[Any]:
        """Give the colours that go with soft or hard alpha."""
        return self.image if hard else self.colours

    def matte(self, object_id: int, *, hard: bool = False) -> NDArray[Any]:
        """Opacity of one object, HxW; those of all objects add up to alpha.

        Where objects touch, each has its share of the probability.
        """
        if hard or object_id not in self.object_ids:
            return self._full_where(self.labels == object_id)
        if len(self.object_ids) == 1:
            return self.alpha
        # rounding the sums of 1..k, not each share, lets the differences add up to alpha
        k = self.object_ids.index(object_id)
        sums = self._cumulated_shares
        alpha = self.alpha.astype(np.float32)
        upper, lower = (np.rint(alpha * sums[i]) for i in (k + 1, k))
        return np.asarray(upper - lower, self.image.dtype)

    @cached_property
    def _cumulated_shares(self) -> NDArray[np.float32]:
        """How much of each pixel's alpha belongs to the first 0, 1, ... K objects."""
        if self._shallow is not None:
            return self._shallow._cumulated_shares
        if self._probabilities is not None:
            each = self._probabilities[1:]
        else:
            nearest = nearest_labels(self.labels)
            each = np.stack([nearest == i for i in self.object_ids]).astype(np.float32)
        sums = np.zeros((len(each) + 1, *self.labels.shape), np.float32)
        for k, share in enumerate(each):  # far faster than numpy's cumsum
            np.add(sums[k], share, out=sums[k + 1])
        sums /= np.maximum(sums[-1], np.float32(1e-9))
        sums[-1] = 1
        return np.asarray(sums, np.float32)


def nearest_labels(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The label of each pixel, or that of the nearest object where there is none; HxW."""
    if not labels.any():
        return labels
    _, place = cv2.distanceTransformWithLabels(
        (labels == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    marks = np.zeros(int(place.max()) + 1, np.uint8)
    inside = labels > 0
    marks[place[inside]] = labels[inside]
    return np.asarray(marks[place], np.uint8)
