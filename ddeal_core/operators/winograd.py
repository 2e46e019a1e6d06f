"""3 x 3 convolutions with fewer multiplications, for the wide layers on a CPU.

Winograd's way (Lavin and Gray, 2016): a tile of m x n outputs needs (m + 2) x (n + 2) products
instead of 9 m n. Each of them is one product of matrices over all tiles and channels, which is
what a processor does best. Exact but for rounding.
"""

from collections.abc import Iterable
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ddeal_core.operators.fused_convolution import FusedConv2d
from ddeal_core.operators.onednn import suits_onednn
from ddeal_core.operators.product import product

# With fewer channels, taking tiles apart and together costs more than the products save.
_LEAST_CHANNELS = 256
_BUFFER = 1 << 23  # Numbers.
_OUTPUTS = (2, 3, 4)
# Of the points tried, these lose the fewest digits: as few as the direct convolution.
_POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)


def winograd_pays(conv: nn.Conv2d) -> bool:
    """Whether a layer is of the kind that gains, on the device on which it is."""
    return (
        conv.weight.device.type == "cpu"
        and conv.kernel_size == (3, 3)
        and conv.stride == (1, 1)
        and conv.padding == conv.dilation
        and conv.dilation[0] == conv.dilation[1]
        and conv.groups == 1
        and min(conv.in_channels, conv.out_channels) >= _LEAST_CHANNELS
    )


class WinogradConv2d(nn.Module):
    """A 3 x 3 convolution that keeps the size, dilated or not.

    A dilated one is d x d plain ones on every d-th row and column. Tiles are chosen by the size of
    the first map that comes; the transformed weights are kept, up to four times the weights.

    Args:
        plain: The convolution, whose padding is its dilation; it runs where this way does not.
    """

    def __init__(self, plain: FusedConv2d) -> None:
        super().__init__()
        self.plain = plain
        self._dilation = plain.dilation[0]
        self._tile = (0, 0)
        self._weight = torch.empty(0)  # [(m+2)(n+2), inputs, outputs]
        self._enter = torch.empty(0)  # [(m+2)(n+2), (m+2)(n+2)]
        self._leave = torch.empty(0)  # [m n, (m+2)(n+2)]

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``[N, inputs, H, W]``."""
        if not suits_onednn(x):
            return self.plain(x)  # type: ignore[no-any-return]
        height, width = x.shape[2:]
        tile = best_tile(height, self._dilation), best_tile(width, self._dilation)
        if tile != self._tile:
            self._prepare(*tile)
        # One buffer of all tiles would be new memory every time, and clearing it costs more than
        # the products save.
        most = _BUFFER // (4 * x[0].numel())  # a tile overlaps its neighbours
        parts = [self._convolve(part) for part in torch.split(x, max(1, most))]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _convolve(self, x: Tensor) -> Tensor:
        m, n = self._tile
        count, channels, height, width = x.shape
        d = self._dilation
        rows, columns = -(-height // (d * m)), -(-width // (d * n))
        below, right = d * rows * m - height, d * columns * n - width
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, d, right + d, d, below + d)).contiguous()
        image, line, pixel, _ = padded.stride()
        tiles = padded.as_strided(
            (m + 2, n + 2, count, rows, d, columns, d, channels),
            (d * line, d * pixel, image, m * d * line, line, n * d * pixel, pixel, 1),
        ).reshape((m + 2) * (n + 2), -1)
        tiles = (self._enter @ tiles).view((m + 2) * (n + 2), -1, channels)
        products = product(tiles, self._weight)  # [(m+2)(n+2), tiles, outputs]
        y = self._leave @ products.flatten(1)
        y = y.view(m, n, count, rows, d, columns, d, -1).permute(2, 3, 0, 4, 5, 1, 6, 7)
        y = y.reshape(count, rows * m * d, columns * n * d, -1)[:, :height, :width]
        if self.plain.bias is not None:
            y = y + self.plain.bias
        return (F.relu_(y) if self.plain.activation == "relu" else y).permute(0, 3, 1, 2)

    def _prepare(self, m: int, n: int) -> None:
        (leave_y, weigh_y, enter_y), (leave_x, weigh_x, enter_x) = transforms(m), transforms(n)
        weight = self.plain.weight.double()  # [outputs, inputs, 3, 3]
        weight = torch.einsum("ai,bj,koij->abok", _tensor(weigh_y), _tensor(weigh_x), weight)
        self._weight = weight.flatten(0, 1).float().contiguous()
        self._enter = torch.kron(_tensor(enter_y), _tensor(enter_x)).float()
        self._leave = torch.kron(_tensor(leave_y), _tensor(leave_x)).float()
        self._tile = m, n


def best_tile(side: int, dilation: int) -> int:
    """Outputs of a tile along one side, for the fewest products in all."""

    def products(outputs: int) -> int:
        return -(-side // (dilation * outputs)) * (outputs + 2)

    return min(_OUTPUTS, key=products)


@cache
def transforms(
    outputs: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Toom and Cook's matrices A, G, B of a 1D convolution: ``A (G w * B x)``.

    A convolution turned round: two polynomials are multiplied by their values at some points and
    at infinity, where only the leading coefficient counts.
    """
    points = _POINTS[: outputs + 1]
    leave = _values(points, outputs).T
    weigh = _values(points, 3)
    enter = np.linalg.inv(_values(points, outputs + 2)).T.astype(np.float64)
    return leave, weigh, enter


def _values(points: Iterable[float], count: int) -> NDArray[np.float64]:
    rows = [[point**power for power in range(count)] for point in points]
    return np.array([*rows, [float(power == count - 1) for power in range(count)]])


def _tensor(x: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(x))
