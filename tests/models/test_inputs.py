import numpy as np
import pytest

from models import inputs
from models.card import Normalisation

_NORMAL = Normalisation(mean=(0.1,) * 6, std=(0.1,) * 6, clip=5.0)
_COARSE = (4, 5)


def test_prepare_observed_pixels_are_in_deviations_and_cut() -> None:
    values = np.full((6, 2, 2), 0.3, np.float32)
    values[0, 0, 0] = 2.0
    tensor = inputs.prepare(values, _NORMAL, coarse=_COARSE).numpy()
    assert tensor.shape == (8, 2, 2)
    assert tensor[0, 0, 0] == 5.0
    assert tensor[1:6] == pytest.approx(2.0)
    assert not tensor[6:].any()


def test_prepare_missing_pixel_is_zero_and_flagged() -> None:
    values = np.full((6, 2, 2), 0.3, np.float32)
    values[:, 0, 0] = np.nan
    values[2, 1, 1] = np.nan  # one 10 m band is enough
    tensor = inputs.prepare(values, _NORMAL, coarse=_COARSE).numpy()
    assert not tensor[:6, 0, 0].any()
    assert not tensor[:6, 1, 1].any()
    assert tensor[6].tolist() == [[1, 0], [0, 1]]
    assert tensor[7].tolist() == [[1, 0], [0, 1]]


def test_prepare_missing_coarse_band_keeps_the_pixel() -> None:
    values = np.full((6, 2, 2), 0.3, np.float32)
    values[5, 0, 0] = np.nan
    tensor = inputs.prepare(values, _NORMAL, coarse=_COARSE).numpy()
    assert tensor[:4, 0, 0] == pytest.approx(2.0)
    assert not tensor[4:6, 0, 0].any()
    assert not tensor[6].any()
    assert tensor[7].tolist() == [[1, 0], [0, 0]]
    assert not inputs.missing_pixels(values, coarse=_COARSE).any()
