"""Up-sampling with skip connections, and the final predictor."""

import torch.nn.functional as F
from torch import Tensor, nn

from ddeal_core.network.convolution import ConcatConv2d, initialise

_SKIP, _OBJECT, _EXTRA = range(3)


class Upsampling(nn.Module):
    """Figure 1, "up-sampling module": from stride 16 over 8 and 4 to full size.

    At each step the doubled object features are blended with projected backbone features.

    Args:
        s8: Channels of the backbone at stride 8.
        s4: Channels of the backbone at stride 4.
        channels: Channels of the path.
        extra_s8: Channels of further maps that each object brings at stride 8.
    """

    def __init__(self, s8: int, s4: int, channels: int, *, extra_s8: int = 0) -> None:
        super().__init__()
        self.project_s8 = nn.Conv2d(s8, channels, 1)
        parts = (channels, channels, extra_s8) if extra_s8 else (channels, channels)
        self.blend_s8 = ConcatConv2d(parts, channels, 3)
        self.project_s4 = nn.Conv2d(s4, channels, 1)
        self.blend_s4 = ConcatConv2d((channels, channels), channels, 3)
        self.predictor = nn.Conv2d(channels, 2, 3, padding=1)
        for conv in (self.project_s8, self.project_s4, self.predictor):
            initialise(conv)

    def encode_frame(self, s8: Tensor, s4: Tensor) -> tuple[Tensor, Tensor]:
        """Skip connections, which depend on the frame alone: once a frame.

        Args:
            s8: ``[B, s8, H/8, W/8]``.
            s4: ``[B, s4, H/4, W/4]``.

        Returns:
            The skips' shares of the two blends, ``[B, channels, H/8, W/8]`` and
            ``[B, channels, H/4, W/4]``.
        """
        skip8 = self.blend_s8(F.relu(self.project_s8(s8)), part=_SKIP)
        skip4 = self.blend_s4(F.relu(self.project_s4(s4)), part=_SKIP)
        return skip8, skip4

    def forward(
        self, fused: Tensor, skips: tuple[Tensor, Tensor], *, extra_s8: Tensor | None = None
    ) -> Tensor:
        """Predict at full size.

        Args:
            fused: From the fusion module, ``[G*K, channels, H/16, W/16]``.
            skips: From `encode_frame`, G frames.
            extra_s8: ``[G*K, extra_s8, H/8, W/8]``.

        Returns:
            (background, object) logits ``[G*K, 2, H, W]``.
        """
        x = self.blend_s8(enlarge(fused, 2), part=_OBJECT)
        if extra_s8 is not None:
            x = x + self.blend_s8(extra_s8, part=_EXTRA)
        x = F.relu(_add_frame(x, skips[0]))
        x = self.blend_s4(enlarge(x, 2), part=_OBJECT)
        x = F.relu(_add_frame(x, skips[1]))
        return enlarge(self.predictor(x), 4)


def enlarge(x: Tensor, factor: int) -> Tensor:
    """Scale ``[N, C, H, W]`` up, bilinear."""
    # Sizes, not factors: an exported graph can tell that they fit.
    size = [factor * side for side in x.shape[2:]]
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def _add_frame(objects: Tensor, frame: Tensor) -> Tensor:
    """Add what belongs to a frame, ``[G, ...]``, to each of its K objects, ``[G*K, ...]``."""
    groups = frame.shape[0]
    grouped = objects.view(groups, -1, *objects.shape[1:])
    return (grouped + frame[:, None]).view_as(objects)
