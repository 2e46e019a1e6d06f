"""From the network's tensors to the cues of one frame."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddeal_core.cues.frame_cues import FrameCues
from ddeal_core.network.ddeal import Ddeal
from ddeal_core.network.state import ObjectState, Prediction
from ddeal_core.tracking.padding import Padding

__all__ = ["read_cues"]


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
        without = network.coarse_without_propagation(prediction)
        coarse = _object(prediction.coarse)
        cues = prediction.cues
        switches = network.config.ablation
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
            propagation_effect=_array(coarse - _object(without)),
            coarse=_array(coarse),
            final=_array(_object(prediction.fine)),
            margins=padding.margins,
        )


def _object(logits: Tensor) -> Tensor:
    return logits.float().softmax(dim=2)[:, :, 1]


def _array(x: Tensor) -> NDArray[np.float32]:
    """Of the only video."""
    return np.ascontiguousarray(x[0].float().cpu().numpy())
