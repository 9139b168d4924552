import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.learn import palette
from pipeline.simulate import spectra


def _ground(*names: str) -> NDArray[np.float32]:
    """(6, y, x) a row of ten pixels of each surface."""
    rows = [np.repeat(spectra.typical(name)[:, None], 10, axis=1) for name in names]
    return np.stack(rows, axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("soil_laterite", "bare"),
        ("soil_brown", "bare"),
        ("grass_dry", "dry"),
        ("burnt", "burnt"),
        ("concrete", "built"),
    ],
)
def test_sample_typical_surface_falls_into_its_class(name: str, kind: str) -> None:
    found = palette.sample(_ground(name, "evergreen", "water_clear"))
    assert kind in found
    np.testing.assert_allclose(found[kind], spectra.typical(name)[None].repeat(10, axis=0))


def test_sample_forest_water_and_missing_pixels_are_in_no_class() -> None:
    ground = _ground("evergreen", "water_clear", "soil_brown")
    ground[5, 2] = np.nan
    assert palette.sample(ground) == {}


def test_surface_draws_real_pixels_about_half_of_the_time_where_there_are_some() -> None:
    real = np.full((5, 6), 0.42, np.float32)
    draw, rng = palette.surface([{"bare": real}, {}]), np.random.default_rng(1)
    flat = [np.ptp(draw("soil_brown", rng)) < 1e-6 for _ in range(200)]
    assert 0.35 < np.mean(flat) < 0.65
    assert not any(np.ptp(draw("tarp_blue", rng)) < 1e-6 for _ in range(50))


def test_class_of_names_surfaces_that_exist() -> None:
    assert set(palette.CLASS_OF) <= set(spectra.NAMES)
