"""What the matching and the appearance model say of a frame, before fusion."""

from typing import NamedTuple

import torch
from torch import Tensor

from ddeal_core.network.config import Ablation


class Cues(NamedTuple):
    """Maps of K objects in G videos; class order (background, object).

    Attributes:
        matching: s^b, s^t of Eq. (8), (7), ``[G, K, 2, H/16, W/16]``.
        appearance: Scores of components 0 to 3, ``[G, K, 4, H/16, W/16]``.
        dense: Scores of `DenseMatching`, ``[G, K, 4 or 6, H/8, W/8]``, or None.
    """

    matching: Tensor
    appearance: Tensor
    dense: Tensor | None

    def of(self, objects: slice) -> "Cues":
        """Those of some objects."""
        dense = None if self.dense is None else self.dense[:, objects]
        return Cues(self.matching[:, objects], self.appearance[:, objects], dense)

    def shown(self, ablation: Ablation) -> "Cues":
        """Those that are switched on; the others become zeros, so that shapes stay (Table V)."""
        # Times zero instead of zeros: parameters stay in the graph, as distributed training wants.
        matching, appearance, dense = self
        if not ablation.matching:
            matching = matching * 0
            dense = None if dense is None else dense * 0
        base, supplementary = appearance[:, :, :2], appearance[:, :, 2:]
        if not ablation.supplementary:
            supplementary = supplementary * 0
        if not ablation.base:
            base = base * 0
        return Cues(matching, torch.cat([base, supplementary], dim=2), dense)
