"""What the network's modules said of one frame, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddeal_core.network.ddeal import Ddeal
from ddeal_core.network.state import ObjectState, Prediction
from ddeal_core.tracking.padding import Padding

CueMap = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class FrameCues:
    """Cues of K objects on one frame, before the objects are merged.

    Maps lie on the grid of the padded frame as the network saw it, H by W pixels, at stride 16
    (h = H/16, w = W/16) or 8; `at_frame_size` brings one onto the frame.

    Attributes:
        object_ids: The K ids, in the order of the arrays.
        switched_off: Of "matching", "base" and "supplementary", those that the fusion module was
            not shown (`Ablation`). Their maps are here all the same.
        last_masks: The object's share in the last frame, as propagation is given it; in [0, 1],
            ``[K, h, w]``.
        matching: s^b, s^t of Eq. (8), (7): the best cosine under the background's and under the
            object's mask on the first frame; in [-1, 1], ``[K, 2, h, w]``.
        appearance: Scores of the components 0 to 3, ``kappa * cosine``: background and object of
            the base pair, then of the supplementary pair; ``[K, 4, h, w]``.
        dense: Log-scores of `DenseMatching`, (background, object) on the first frame, on the last
            one and, with a memory, on any, ``[K, 4 or 6, 2h, 2w]``; None for a network without.
        propagation: Features of the propagation module, not negative, ``[K, P, h, w]``.
        propagation_effect: What they did: the coarse probability less the one that comes out
            with these features at zero; in [-1, 1], ``[K, h, w]``.
        coarse: The object's probability by the coarse predictor, ``[K, h, w]``.
        final: The object's probability by the up-sampling module, ``[K, H, W]``.
        margins: Pixels of padding on the left, right, top and bottom of H by W.
    """

    object_ids: tuple[int, ...]
    switched_off: frozenset[str]
    last_masks: CueMap
    matching: CueMap
    appearance: CueMap
    dense: CueMap | None
    propagation: CueMap
    propagation_effect: CueMap
    coarse: CueMap
    final: CueMap
    margins: tuple[int, int, int, int]

    @property
    def base(self) -> CueMap:
        """Posterior of the object by the base pair alone, Eq. (13), ``[K, h, w]``."""
        return _posterior(self.appearance[:, 0], self.appearance[:, 1])

    @property
    def supplementary(self) -> CueMap:
        """Posterior of the object by the supplementary pair alone, ``[K, h, w]``."""
        return _posterior(self.appearance[:, 2], self.appearance[:, 3])

    def at_frame_size(self, one: CueMap, size: tuple[int, int]) -> CueMap:
        """Resize a map without its padding.

        Args:
            one: ``[*, *]``, any of the maps.
            size: (height, width) to give it, such as the frame's.
        """
        padded = self.final.shape[-2:]
        if one.shape != padded:
            one = np.asarray(cv2.resize(one, padded[::-1], interpolation=cv2.INTER_LINEAR))
        left, right, top, bottom = self.margins
        one = one[top : padded[0] - bottom, left : padded[1] - right]
        if one.shape == size:
            return one
        smaller = size[0] < one.shape[0]
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(one, size[::-1], interpolation=how), np.float32)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All fields by name for ``numpy.savez``, with `base` and `supplementary`."""
        found: dict[str, NDArray[np.generic]] = {
            "object_ids": np.array(self.object_ids, np.uint8),
            "switched_off": np.array(sorted(self.switched_off), "U16"),
            "margins": np.array(self.margins, np.int32),
        }
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in found and value is not None:
                found[field.name] = value
        return found | {"base": self.base, "supplementary": self.supplementary}


def read_cues(
    network: Ddeal,
    state: ObjectState,
    prediction: Prediction,
    *,
    object_ids: tuple[int, ...],
    padding: Padding,
) -> FrameCues:
    """Copy what a prediction rests on to the host.

    Args:
        network: Which predicted.
        state: What it knew before the frame.
        prediction: Of the one video.
        object_ids: Of the objects in `state`.
        padding: Of the frame.
    """
    with torch.inference_mode():
        cues, switches = prediction.cues, network.config.ablation
        coarse = _object(prediction.coarse)
        # Propagation has features, no scores: its share is what changes without them.
        nothing = torch.zeros_like(prediction.propagation)
        without = _object(network.predict_coarse(cues.shown(switches), nothing))
        return FrameCues(
            object_ids=object_ids,
            switched_off=frozenset(
                name
                for name in ("matching", "base", "supplementary")
                if not getattr(switches, name)
            ),
            last_masks=_array(state.last_masks[:, :, 1]),
            matching=_array(cues.matching),
            appearance=_array(cues.appearance),
            dense=None if cues.dense is None else _array(cues.dense),
            propagation=_array(prediction.propagation),
            propagation_effect=_array(coarse - without),
            coarse=_array(coarse),
            final=_array(_object(prediction.fine)),
            margins=padding.margins,
        )


def _object(logits: Tensor) -> Tensor:
    return logits.float().softmax(dim=2)[:, :, 1]


def _array(x: Tensor) -> CueMap:
    """Of the only video."""
    return np.ascontiguousarray(x[0].float().cpu().numpy())


def _posterior(background: CueMap, target: CueMap) -> CueMap:
    """Softmax of two scores, with equal concentrations."""
    with np.errstate(over="ignore"):  # exp of a large number is a posterior of 0
        return np.asarray(1 / (1 + np.exp(background - target)), np.float32)
