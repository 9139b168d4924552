import numpy as np
import pytest

from models import inputs
from models.card import Normalisation

_NORMAL = Normalisation(mean=(0.1,) * 6, std=(0.1,) * 6, clip=5.0)
_COARSE = (4, 5)


def test_prepare_observed_pixels_are_in_deviations_and_cut() -> None:
    values = np.full((6, 2, 2), 0.3, np.float32)
    values[0, 0, 0] = 2.0
    found = inputs.prepare(values, _NORMAL, coarse=_COARSE)
    assert found.shape == (8, 2, 2)
    assert found[0, 0, 0] == 5.0
    assert found[1:6] == pytest.approx(2.0)
    assert not found[6:].any()


def test_prepare_missing_pixel_is_zero_and_flagged() -> None:
    values = np.full((6, 2, 2), 0.3, np.float32)
    values[:, 0, 0] = np.nan
    values[2, 1, 1] = np.nan  # one 10 m band is enough
    found = inputs.prepare(values, _NORMAL, coarse=_COARSE)
    assert not found[:6, 0, 0].any()
    assert not found[:6, 1, 1].any()
    assert found[6].tolist() == [[1, 0], [0, 1]]
    assert found[7].tolist() == [[1, 0], [0, 1]]


def test_prepare_missing_coarse_band_keeps_the_pixel() -> None:
    values = np.full((6, 2, 2), 0.3, np.float32)
    values[5, 0, 0] = np.nan
    found = inputs.prepare(values, _NORMAL, coarse=_COARSE)
    assert found[:4, 0, 0] == pytest.approx(2.0)
    assert not found[4:6, 0, 0].any()
    assert not found[6].any()
    assert found[7].tolist() == [[1, 0], [0, 0]]
    assert not inputs.missing_pixels(values, coarse=_COARSE).any()
