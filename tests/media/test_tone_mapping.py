"""HDR shown as SDR: where known lights end up."""

from __future__ import annotations

import numpy as np
import pytest

from ddeal_core.errors import MediaError
from ddeal_core.media.tone_mapping import shown_as_sdr


def pq(nits):
    """Code values of light, by SMPTE ST 2084's inverse curve."""
    y = (np.asarray(nits, float) / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def hlg(scene):
    scene = np.asarray(scene, float)
    low = np.sqrt(3 * scene)
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, low, high)


def shown(code, **options):
    coded = np.rint(np.asarray(code) * 65535).astype(np.uint16)
    return shown_as_sdr(coded.reshape(1, -1, 3), **options)[0].astype(int)


def grey(code, transfer):
    return shown(np.repeat(np.asarray(code)[:, None], 3, 1), transfer=transfer)


def test_mid_tones_of_pq_stay_and_the_peak_is_white():
    nits = np.array([0, 2, 10, 36, 100, 203, 1000, 4000])
    out = grey(pq(nits), 16)
    assert np.abs(out - out[:, :1]).max() <= 1, "grey stays grey"
    light = (out[:, 0] / 255) ** 2.4
    assert light[:5] == pytest.approx(nits[:5] / 203, abs=0.01)
    assert 0.7 < light[5] < 0.9, "reference white leaves room above"
    assert out[6, 0] == out[7, 0] == 255
    assert (np.diff(out[:, 0]) >= 0).all()


def test_hlg_puts_reference_white_where_pq_does():
    # BT.2408: 75 % of the signal is 203 cd/m2 on a screen of 1000
    assert grey([0.75], 18)[0, 0] == pytest.approx(grey(pq([203]), 16)[0, 0], abs=2)
    assert grey(hlg([1.0]), 18)[0, 0] >= 254


def test_primaries_are_converted():
    # BT.709's red, in BT.2020's primaries, at half of reference white
    red = np.array([0.6274, 0.0691, 0.0164]) * 100
    out = shown(pq(red), transfer=16)[0]
    assert out[0] > 180
    assert max(out[1], out[2]) < 25
    kept = shown(pq(red), transfer=16, primaries=1)[0]
    assert kept[1] > 50


def test_bright_colours_keep_their_hue():
    dim, bright = (shown(pq(np.array([1, 0.5, 0.25]) * n), transfer=16)[0] for n in (100, 900))
    light = [(c / 255) ** 2.4 for c in (dim, bright)]
    assert light[1] / light[1][0] == pytest.approx(light[0] / light[0][0], abs=0.03)


def test_sdr_is_refused():
    with pytest.raises(MediaError, match="not HDR"):
        shown_as_sdr(np.zeros((2, 2, 3), np.uint16), transfer=1)
