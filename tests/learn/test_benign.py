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
    "snowed": lambda land, rng: benign.snowed(land.reflectance, land.woody, rng),
    "sunlit": lambda land, rng: benign.sunlit(land.reflectance, benign.relief(SIZE, rng), land.woody, rng),
    "lit": lambda land, rng: benign.lit(land.reflectance, rng),
    "hazy": lambda land, rng: benign.hazy(land.reflectance, rng),
    "cloudy": lambda land, rng: benign.cloudy(land.reflectance, rng)[0],
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


def test_cloudy_hides_most_where_it_is_brightest_or_darkest() -> None:
    ground = np.full((6, *SIZE), 0.1, np.float32)
    thick = 0
    for seed in range(12):
        veiled, veil = benign.cloudy(ground, np.random.default_rng(seed))
        assert veil.shape == SIZE
        assert 0 <= veil.min() < veil.max() <= 1
        np.testing.assert_allclose(veiled[:, veil == 0], 0.1, rtol=1e-6)
        thick += int((veil > 0.3).sum())
        assert not (veil > 0.3).any() or np.abs(veiled - ground).max(axis=0)[veil > 0.3].mean() > 0.02
    assert thick > 0


def test_relief_is_level_more_often_than_not_and_never_a_cliff() -> None:
    heights = [benign.relief(SIZE, np.random.default_rng(seed)) for seed in range(100)]
    assert 0.45 < np.mean([not field.any() for field in heights]) < 0.85
    assert max(float(np.abs(np.gradient(field)).max()) for field in heights) < 1.8


def test_sunlit_level_ground_without_trees_is_as_before() -> None:
    ground = np.full((6, *SIZE), 0.1, np.float32)
    level, bare = np.zeros(SIZE, np.float32), np.zeros(SIZE, np.bool_)
    np.testing.assert_allclose(benign.sunlit(ground, level, bare, np.random.default_rng(1)), 0.1, rtol=1e-6)


def test_sunlit_shade_falls_beside_the_trees_and_least_in_blue() -> None:
    ground = np.full((6, *SIZE), 0.1, np.float32)
    trees = np.zeros(SIZE, np.bool_)
    trees[20:28, 20:28] = True
    shone = [benign.sunlit(ground, np.zeros(SIZE, np.float32), trees, np.random.default_rng(s)) for s in range(20)]
    darkest = np.min(shone, axis=0)
    np.testing.assert_allclose(darkest[:, trees], 0.1, rtol=1e-6)
    np.testing.assert_allclose(darkest[:, :10], 0.1, rtol=1e-6)
    shaded = darkest[3] < 0.09
    assert shaded.any()
    assert (darkest[0][shaded] > darkest[5][shaded]).all()
