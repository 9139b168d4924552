from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.learn import benign, landscapes

SIZE = (48, 48)


def _land() -> landscapes.Land:
    return landscapes.landscape(np.random.default_rng(2), side_px=48)


Change = Callable[[landscapes.Land, np.random.Generator], NDArray[np.float32]]
CHANGES: dict[str, Change] = {
    "farmed": lambda land, rng: benign.farmed(land.reflectance, land.fields, rng),
    "seasonal": lambda land, rng: benign.seasonal(land.reflectance, land.woody, rng),
    "flooded": lambda land, rng: benign.flooded(land.reflectance, land.woody, rng),
    "lit": lambda land, rng: benign.lit(land.reflectance, rng),
    "hazy": lambda land, rng: benign.hazy(land.reflectance, rng),
    "cloudy": lambda land, rng: benign.cloudy(land.reflectance, rng),
    "shifted": lambda land, rng: benign.shifted(land.reflectance, rng),
    "noisy": lambda land, rng: benign.noisy(land.reflectance, rng, amount=1.0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_benign_change_keeps_shape_and_argument_and_changes_something(name: str) -> None:
    land = _land()
    kept = land.reflectance.copy()
    results = [CHANGES[name](land, np.random.default_rng(seed)) for seed in range(6)]
    np.testing.assert_array_equal(land.reflectance, kept)
    assert all(result.shape == kept.shape and np.isfinite(result).all() for result in results)
    assert any(not np.array_equal(result, kept) for result in results)


def test_hazy_veil_is_strongest_in_blue() -> None:
    dark = np.full((6, *SIZE), 0.02, np.float32)
    gains = np.mean([benign.hazy(dark, np.random.default_rng(seed)) - dark for seed in range(40)], axis=(0, 2, 3))
    assert (np.diff(gains) < 0).all()


def test_farmed_wood_far_from_fields_is_left_alone() -> None:
    fields = np.zeros(SIZE, np.int32)
    fields[:, :16] = 1
    forest = np.full((6, *SIZE), 0.1, np.float32)
    for seed in range(8):
        changed = benign.farmed(forest, fields, np.random.default_rng(seed))
        np.testing.assert_allclose(changed[:, :, 24:], 0.1, atol=1e-6)


def test_gaps_are_mostly_none_and_sometimes_large() -> None:
    shares = [benign.gaps(SIZE, np.random.default_rng(seed)).mean() for seed in range(200)]
    assert 0.6 < np.mean(np.array(shares) == 0) < 0.9
    assert max(shares) > 0.4


def test_field_numbers_lie_on_open_land_only() -> None:
    open_land = np.zeros(SIZE, np.bool_)
    open_land[:20] = True
    numbers = landscapes.field_numbers(open_land, np.random.default_rng(0))
    np.testing.assert_array_equal(numbers > 0, open_land)
    assert len(np.unique(numbers)) > 2
