import numpy as np
import pytest

from pipeline.simulate import noise
from pipeline.simulate.noise import Raster

WHOLE = Raster(0.0, 0.0, 2.5, (200, 240))
PART = Raster(100.0, 50.0, 2.5, (60, 80))
CROP = (slice(40, 100), slice(20, 100))


@pytest.mark.parametrize(
    "field",
    [
        lambda raster: noise.smooth(5, raster, scale_m=33.0),
        lambda raster: noise.fractal(5, raster, scale_m=300.0, octaves=5),
        lambda raster: noise.grain(5, raster),
    ],
)
def test_any_field_window_is_a_crop_of_the_whole(field):
    np.testing.assert_allclose(field(PART), field(WHOLE)[CROP], atol=1e-5)


@pytest.mark.parametrize("scale_m", [4.0, 11.0, 40.0])
def test_smooth_any_scale_has_mean_zero_and_deviation_one_everywhere(scale_m):
    field = noise.smooth(1, Raster(0.0, 0.0, 2.5, (1200, 1200)), scale_m=scale_m)
    assert abs(field.mean()) < 0.1
    assert field.std() == pytest.approx(1, abs=0.08)
    assert field[:, ::16].std() == pytest.approx(field[:, 8::16].std(), abs=0.1)  # no lattice to be seen


def test_smooth_other_key_is_another_field():
    one, two = (noise.smooth(noise.key(3, word), WHOLE, scale_m=20) for word in ("crown", "edge"))
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.1


def test_grain_is_white_with_deviation_one():
    field = noise.grain(2, WHOLE)
    assert field.std() == pytest.approx(1, abs=0.02)
    assert abs(np.corrcoef(field[:, 1:].ravel(), field[:, :-1].ravel())[0, 1]) < 0.02
