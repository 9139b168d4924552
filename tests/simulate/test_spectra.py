import numpy as np
import pytest

from pipeline.simulate import spectra


@pytest.mark.parametrize("name", spectra.NAMES)
def test_varied_any_surface_stays_physical(name):
    rng = np.random.default_rng(0)
    many = np.stack([spectra.varied(name, rng=rng) for _ in range(300)])
    assert many.dtype == np.float32
    assert many.min() > 0
    assert many.max() <= 0.9
    np.testing.assert_allclose(np.median(many, axis=0), spectra.typical(name), rtol=0.06)


def test_varied_amount_zero_is_the_table():
    np.testing.assert_allclose(
        spectra.varied("evergreen", rng=np.random.default_rng(0), amount=0), spectra.typical("evergreen"), rtol=1e-6
    )


def test_mixed_halves_is_the_mean():
    one, other = spectra.typical("evergreen"), spectra.typical("soil_brown")
    np.testing.assert_allclose(spectra.mixed(one, other, 0.5), (one + other) / 2, rtol=1e-5)
    assert spectra.mixed(one, other, np.zeros((3, 4), np.float32)).shape == (6, 3, 4)
