"""The directional appearance model, a mixture of four von Mises-Fisher components.

Eq. (9) to (16) and Algorithm 1. Components 0 and 2 model the background, 1 and 3 the object;
0 and 1 are the base pair, 2 and 3 the supplementary pair that learns what the base pair got wrong.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddeal_core.network.config import NetworkConfig
from ddeal_core.network.directional import DirectionalEmbedding, DirectionalFeatures, unit


class AppearanceModel(nn.Module):
    """Scores, estimates and updates the mixture; holds its concentration, not its means.

    Args:
        inputs: Channels of the backbone at stride 16.
        config: Decides where the text and the released code differ.
    """

    def __init__(self, inputs: int, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = DirectionalEmbedding(inputs, config.directional_channels)
        count = 2 if config.concentrations == "per-class" else 1
        # softplus(raw) = kappa keeps it positive.
        raw = config.concentration + math.log(-math.expm1(-config.concentration))
        self.raw_concentration = nn.Parameter(torch.full((count,), raw))

    @property
    def concentration(self) -> Tensor:
        """Kappa of (background, object), ``[2]``."""
        return F.softplus(self.raw_concentration).expand(2)

    def forward(self, features: DirectionalFeatures, means: Tensor) -> Tensor:
        """Scores of Algorithm 1, "Inference": ``s_lk = kappa_k <mu_k, r_l>``.

        Args:
            features: Current frame, L positions.
            means: Mean directions ``[G, K, M, C]``, components in the order 0, 1, (2, 3).

        Returns:
            ``[G, K, M, L]``.
        """
        groups, objects, components, _ = means.shape
        # Here features are divided by their length itself, where estimates (`per_unit` below) add
        # 1/L^2 to it: the released code does both, and its weights know no other way. 1e-12 only
        # spares a zero vector the division by zero.
        cosines = means.flatten(1, 2) @ features.raw / features.length.clamp_min(1e-12)
        kappa = self.concentration.repeat(components // 2)
        return cosines.view(groups, objects, components, -1) * kappa[:, None]

    def estimate(
        self, features: DirectionalFeatures, labels: Tensor, previous: Tensor | None = None
    ) -> Tensor:
        """Estimate the mean directions, or update them: Algorithm 1, "Update".

        Args:
            features: The frame that was labelled.
            labels: Soft class labels alpha_0, alpha_1 (background, object), ``[G, K, 2, L]``,
                from the given mask or from the prediction, Eq. (15).
            previous: Mean directions so far, ``[G, K, 4, C]``; None on the first frame.

        Returns:
            ``[G, K, 4, C]``. Eq. (14) mixes and does not normalise again.
        """
        per_unit = 1 / (features.eps + features.length)  # raw * per_unit are unit features
        fresh = self._mean_directions(features, labels, per_unit)
        base = self._mix(None if previous is None else previous[:, :, :2], fresh)

        judged = fresh if self.config.residual_posterior == "fresh" else base
        # Eq. (13), base components only. With one kappa, Z_p(kappa) of Eq. (12) cancels; with one a
        # class ("per-class") it does not, but the released code leaves it out all the same.
        posterior = self(features, judged).softmax(dim=2)
        missed = F.relu(labels - posterior)  # Eq. (16)
        scale = per_unit if self.config.supplementary_features == "unit" else None
        fresh = self._mean_directions(features, missed, scale)
        supplementary = self._mix(None if previous is None else previous[:, :, 2:], fresh)
        return torch.cat([base, supplementary], dim=2)

    def _mean_directions(
        self, features: DirectionalFeatures, weights: Tensor, scale: Tensor | None
    ) -> Tensor:
        """Maximum-likelihood mean directions, the text before Eq. (14): ``[G, K, 2, C]``.

        With every preset they are shorter than one by about 1 / (L n), where labels add up to n of
        the L positions: the released code adds 1/L^2 to the length that it divides by.
        """
        if scale is not None:
            weights = weights * scale[:, None]
        groups, objects, classes, positions = weights.shape
        sums = weights.flatten(1, 2) @ features.raw.transpose(1, 2) / positions
        return unit(sums, dim=2, eps=features.eps).view(groups, objects, classes, -1)

    def _mix(self, previous: Tensor | None, fresh: Tensor) -> Tensor:
        """Eq. (14)."""
        if previous is None:
            return fresh
        rate = self.config.update_rate
        return (1 - rate) * previous + rate * fresh
