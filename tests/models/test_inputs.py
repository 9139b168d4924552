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


def test_prepare_index_is_the_same_under_another_sun() -> None:
    """Gain changes the bands and not their normalised difference."""
    rng = np.random.default_rng(1)
    values = rng.uniform(0.1, 0.5, (6, 4, 4)).astype(np.float32)
    pairs = inputs.index_bands(("B02", "B03", "B04", "B08", "B11", "B12"), ("NDVI", "NBR"))
    one, other = (inputs.prepare(v, _NORMAL, coarse=_COARSE, indices=pairs) for v in (values, 0.7 * values))
    assert one.shape == (10, 4, 4)
    np.testing.assert_allclose(one[8:], other[8:], atol=1e-4)
    ndvi = (values[3] - values[2]) / (values[3] + values[2])
    np.testing.assert_allclose(one[8], ((ndvi - 0.4) / 0.25).clip(-5, 5), atol=1e-4)


def test_prepare_index_without_its_band_is_zero() -> None:
    values = np.full((6, 2, 2), 0.3, np.float32)
    values[5, 0, 0] = np.nan
    values[:, 1, 1] = np.nan
    pairs = inputs.index_bands(("B02", "B03", "B04", "B08", "B11", "B12"), ("NDVI", "NDMI", "NBR"))
    found = inputs.prepare(values, _NORMAL, coarse=_COARSE, indices=pairs)
    assert not found[9:, 0, 0].any()  # both 20 m bands count as missing together
    assert found[8, 0, 0] != 0
    assert not found[8:, 1, 1].any()
