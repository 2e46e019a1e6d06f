"""What a camera and a codec do to a picture: light, defocus, noise, compression."""

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.datasets.arrays import Array, Floats, Floats32
from ddeal_core.datasets.motion import smooth_noise
from ddeal_core.settings import Range, Share, check_settings

Amount = Annotated[float, Range(0, 1000)]


@dataclass(frozen=True)
class DegradationConfig:
    """How often and how much frames are degraded. A probability of 0 switches it off."""

    # Share of clips with a colour cast, contrast and brightness of their own.
    colour_probability: Share = 0.5
    colour_strength: Amount = 0.12  # standard deviation of these, as a share of the range
    drift_probability: Share = 0.4  # share of clips whose light changes over time
    drift_strength: Amount = 0.08  # standard deviation of the change
    shadow_probability: Share = 0.25  # share of clips under an uneven, moving light
    shadow_strength: Amount = 0.18  # standard deviation of its factor
    defocus_probability: Share = 0.3  # share of clips that are slightly out of focus
    defocus_sigma: Amount = 1.2  # largest standard deviation of the blur, pixels
    low_resolution_probability: Share = 0.15  # share of clips enlarged from a smaller size
    noise_probability: Share = 0.4  # share of clips with sensor noise
    noise_sigma: Amount = 10.0  # largest standard deviation of the noise, grey levels
    jpeg_probability: Share = 0.3  # share of clips with compression artefacts
    jpeg_quality: Annotated[int, Range(1, 95)] = 30  # lowest quality
    grey_probability: Share = 0.03  # share of clips without colour

    def __post_init__(self) -> None:
        check_settings(self)

    @classmethod
    def none(cls) -> "DegradationConfig":
        """Switch everything off."""
        off = {f.name: 0.0 for f in fields(cls) if f.name.endswith("_probability")}
        return cls(**off)  # type: ignore[arg-type]


def colour_gains(
    rng: np.random.Generator, times: Floats, strength: float, *, drift: float
) -> Floats:
    """Factors of the three colours over time, ``[T, 3]``: a fixed cast and a slow drift."""
    light, cast = rng.normal() * strength, rng.normal(size=3) * strength * 0.4
    change = smooth_noise(rng, times, 1, period=(6.0, 60.0)) * drift
    return np.asarray(np.exp(np.clip(light + cast + change, -0.7, 0.7)))


class Degradation:
    """The degradation of one clip: drawn when made, applied to its frames in any order.

    ``times [T]`` are those of the frames and `size` is their (height, width).
    """

    def __init__(
        self,
        config: DegradationConfig,
        rng: np.random.Generator,
        times: Floats,
        size: tuple[int, int],
    ) -> None:
        def happens(probability: float) -> bool:
            return bool(rng.random() < probability)

        self._size = size
        frames = len(times)
        self._tables = None
        coloured, drifting = happens(config.colour_probability), happens(config.drift_probability)
        if coloured or drifting:
            self._tables = _colour_tables(
                rng,
                times,
                config.colour_strength if coloured else 0.0,
                config.drift_strength if drifting else 0.0,
            )
        self._shadow: Array | None = None
        if happens(config.shadow_probability):
            noise = smooth_noise(rng, times, 9, period=(8.0, 60.0)) + rng.normal(size=9)
            gain = np.exp(config.shadow_strength * noise / np.sqrt(2)).reshape(frames, 3, 3)
            self._shadow = np.clip(gain * 128, 0, 255).astype(np.uint8)
        self._sigma = 0.0
        if happens(config.defocus_probability):
            self._sigma = float(rng.uniform(0.4, max(config.defocus_sigma, 0.4)))
        self._shrink = 1.0
        if happens(config.low_resolution_probability):
            self._shrink = float(rng.uniform(0.4, 0.8))
        self._noise: NDArray[np.int16] | None = None
        if happens(config.noise_probability):
            sigma = np.float32(rng.uniform(0, config.noise_sigma))
            tile = _noise_tile(bool(rng.random() < 0.4))
            tile = tile[: max(size[0] + 32, 96), : max(size[1] + 32, 96)]
            self._noise = _at_least((tile * sigma).round().astype(np.int16), size)
        self._noise_at = rng.random((frames, 2))
        self._quality = 0
        if happens(config.jpeg_probability):
            self._quality = int(rng.integers(config.jpeg_quality, 96))
        self._grey = happens(config.grey_probability)

    def __call__(self, frame: Array, t: int) -> Array:
        """Degrade frame ``t`` ``[H, W, 3]``."""
        work: cv2.typing.MatLike = frame
        height, width = self._size
        if self._grey:
            grey = cv2.cvtColor(work, cv2.COLOR_RGB2GRAY)
            work = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))
        if self._shadow is not None:
            light = cv2.resize(self._shadow[t], (width, height), interpolation=cv2.INTER_CUBIC)
            light = cv2.cvtColor(light, cv2.COLOR_GRAY2RGB)
            work = cv2.multiply(work, light, scale=1 / 128)
        if self._tables is not None:
            work = cv2.LUT(work, self._tables[t])
        if self._sigma:
            work = cv2.GaussianBlur(work, (0, 0), self._sigma)
        if self._shrink < 1:
            small = (max(2, round(width * self._shrink)), max(2, round(height * self._shrink)))
            work = cv2.resize(work, small, interpolation=cv2.INTER_AREA)
            work = cv2.resize(work, (width, height), interpolation=cv2.INTER_LINEAR)
        if self._noise is not None:
            spare = np.array(self._noise.shape[:2]) - (height, width)
            y, x = (self._noise_at[t] * (spare + 1)).astype(int)
            noise = self._noise[y : y + height, x : x + width]
            work = cv2.add(work, noise, dtype=cv2.CV_8U)
        if self._quality:
            _, packed = cv2.imencode(
                ".jpg", cv2.cvtColor(work, cv2.COLOR_RGB2BGR),
                [cv2.IMWRITE_JPEG_QUALITY, self._quality],
            )  # fmt: skip
            work = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB))
        return np.asarray(work, dtype=np.uint8)


_TILE = 512


@lru_cache(maxsize=2)
def _noise_tile(grey: bool) -> Floats32:
    """Unit noise, made once; sensor noise is slightly blurred by demosaicing."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(_TILE, _TILE, 1 if grey else 3)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 0.5, borderType=cv2.BORDER_REFLECT)
    noise = np.asarray(blurred / np.std(blurred), dtype=np.float32)
    return np.asarray(np.repeat(noise[..., None], 3, axis=2) if grey else noise)


def _at_least(tile: NDArray[np.int16], size: tuple[int, int]) -> NDArray[np.int16]:
    """Repeat a tile until it is larger than a frame."""
    rows = -(-(size[0] + 1) // tile.shape[0])
    columns = -(-(size[1] + 1) // tile.shape[1])
    return tile if rows == columns == 1 else np.tile(tile, (rows, columns, 1))


def _colour_tables(rng: np.random.Generator, times: Floats, strength: float, drift: float) -> Array:
    """Look-up tables ``[T, 256, 1, 3]``: gamma, contrast, brightness, colour cast."""
    gains = colour_gains(rng, times, strength, drift=drift)
    gamma = np.exp(rng.normal() * strength)
    contrast = np.exp(rng.normal() * strength)
    change = smooth_noise(rng, times, 1, period=(6.0, 60.0))
    lift = rng.normal() * strength * 0.3 + drift * 0.5 * change
    grey = (np.arange(256) / 255) ** gamma
    values = ((grey - 0.5) * contrast + 0.5)[None, :, None] * gains[:, None, :]
    values = np.clip(values + lift[:, :, None], 0, 1) * 255
    return np.asarray(values.round().astype(np.uint8)[:, :, None, :])
