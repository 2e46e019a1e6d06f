"""Padding of frames to the network's stride."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from ddeal_core.network.ddeal import STRIDE


@dataclass(frozen=True, slots=True)
class Padding:
    """Brings a frame's sides to multiples of the stride, and the results back.

    By reflection; where an odd number of pixels is missing, the extra one goes to the left and to
    the top, as in the released code.

    Attributes:
        height: Of the frame.
        width: Of the frame.
    """

    height: int
    width: int

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """Pixels added on the left, right, top and bottom."""
        missing_y, missing_x = -self.height % STRIDE, -self.width % STRIDE
        return (missing_x + 1) // 2, missing_x // 2, (missing_y + 1) // 2, missing_y // 2

    def pad(self, x: Tensor) -> Tensor:
        """Pad ``[B, C, height, width]``."""
        margins = self.margins
        if not any(margins):
            return x
        # A reflection cannot be longer than what it mirrors.
        fits = max(margins[:2]) < self.width and max(margins[2:]) < self.height
        return F.pad(x, margins, mode="reflect" if fits else "replicate")

    def crop(self, x: Tensor) -> Tensor:
        """Undo `pad` on ``[..., H, W]``."""
        left, _, top, _ = self.margins
        return x[..., top : top + self.height, left : left + self.width]
