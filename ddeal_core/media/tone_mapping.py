"""HDR video (PQ or HLG) shown as SDR.

Code values become light, BT.2020's primaries become BT.709's, bright light is rolled off, and the
rest is coded for an SDR screen. Reference white (203 cd/m2, ITU-R BT.2408) is 1.0; up to a little
above half of it nothing is compressed, so skin and mid-tones stay where they were graded.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ddeal_core.errors import MediaError

PQ, HLG = 16, 18
HDR_TRANSFERS = {PQ: "PQ (SMPTE ST 2084)", HLG: "HLG (ARIB STD-B67)"}

_WHITE = 203.0  # cd/m2
_PEAK = 1000.0  # cd/m2: what phones and graders aim for; more is cut off
_KNEE = 0.6  # of reference white
_STEPS = 4096  # entries of the tables; HDR video has 10 or 12 bits

_TO_BT709 = np.array(  # from BT.2020, in linear light (ITU-R BT.2087)
    [
        [1.6605, -0.5876, -0.0728],
        [-0.1246, 1.1329, -0.0083],
        [-0.0182, -0.1006, 1.1187],
    ],
    np.float32,
)
_BT2020 = 9
_LUMINANCE = np.array([[0.2627, 0.6780, 0.0593]], np.float32)  # of BT.2020


def shown_as_sdr(
    coded: NDArray[np.uint16], *, transfer: int, primaries: int = _BT2020, bits: int = 8
) -> NDArray[Any]:
    """Map HDR code values to SDR ones.

    Args:
        coded: HxWx3 uint16 RGB of full range, PQ or HLG, 0 to 65535.
        transfer: 16 (PQ) or 18 (HLG), as ITU-T H.273 numbers them.
        primaries: 9 for BT.2020; others are taken to be BT.709's.
        bits: Of the result, 8 or 16.

    Returns:
        HxWx3 RGB for a screen of gamma 2.4 (BT.1886), uint8 or uint16.

    Raises:
        MediaError: The transfer is not an HDR one.
    """
    if transfer not in HDR_TRANSFERS:
        raise MediaError(f"transfer {transfer} is not HDR: {', '.join(HDR_TRANSFERS.values())}")
    light = _linear(transfer)[coded >> 4]
    if transfer == HLG:  # the light of the scene; a screen of 1000 cd/m2 adds a gamma of 1.2
        luminance = cv2.transform(light, _LUMINANCE)
        light *= (np.maximum(luminance, 0) ** np.float32(0.2)).reshape(*light.shape[:2], 1)
        light *= np.float32(_PEAK / _WHITE)
    if primaries == _BT2020:
        light = cv2.transform(light, _TO_BT709)
    np.maximum(light, 0, out=light)
    # one factor for all three channels keeps the hue
    most = light.max(axis=2)
    light *= _roll_off_factor(most)[..., None]
    if bits == 16:
        coded_light = np.minimum(light, 1) ** np.float32(1 / 2.4)
        return np.asarray(np.rint(coded_light * np.float32(65535)), np.uint16)
    place = np.minimum(light * np.float32(_STEPS - 1) + np.float32(0.5), _STEPS - 1)
    return np.asarray(_screen()[place.astype(np.uint16)], np.uint8)


def _roll_off_factor(most: NDArray[np.float32]) -> NDArray[np.float32]:
    """Below the knee 1; above, what brings `_PEAK` down to 1 without a kink (after Reinhard)."""
    room = 1 - _KNEE
    over = np.maximum(most - np.float32(_KNEE), 0) / np.float32(room)
    top = np.float32((_PEAK / _WHITE - _KNEE) / room)
    rolled = np.float32(_KNEE) + np.float32(room) * over * (1 + over / top**2) / (1 + over)
    factor = np.where(most > _KNEE, rolled / np.maximum(most, np.float32(1e-6)), np.float32(1))
    return np.asarray(factor, np.float32)


@cache
def _linear(transfer: int) -> NDArray[np.float32]:
    """Light by code value: for PQ in units of reference white, for HLG of the scene, 0 to 1."""
    code = np.linspace(0, 1, _STEPS)
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        root = code ** (1 / m2)
        light = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) * 10000 / _WHITE
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return light.astype(np.float32)


@cache
def _screen() -> NDArray[np.uint8]:
    return np.rint(np.linspace(0, 1, _STEPS) ** (1 / 2.4) * 255).astype(np.uint8)
