import numpy as np
import pytest

from pipeline.detect import classical

FOREST = np.array([0.02, 0.04, 0.025, 0.28, 0.14, 0.06], np.float32)[:, None, None]
SOIL = np.array([0.07, 0.10, 0.14, 0.20, 0.30, 0.25], np.float32)[:, None, None]
SPREAD = np.full((6, 1, 1), 0.01, np.float32)


def test_score_same_date_is_zero() -> None:
    assert classical.score(FOREST, FOREST, SPREAD) == 0


def test_score_forest_to_soil_is_many_spreads_and_the_reverse_negative() -> None:
    assert classical.score(FOREST, SOIL, SPREAD) > 5
    assert classical.score(SOIL, FOREST, SPREAD) < -5


def test_score_by_hand() -> None:
    def fall(other: int) -> float:
        high, low, new_high, new_low = (
            float(v) for v in (FOREST[3, 0, 0], FOREST[other, 0, 0], SOIL[3, 0, 0], SOIL[other, 0, 0])
        )
        was, now = (high - low) / (high + low), (new_high - new_low) / (new_high + new_low)
        by_high, by_low = 2 * low / (high + low) ** 2, 2 * high / (high + low) ** 2
        return (was - now) / max(0.02, (by_high**2 + by_low**2) ** 0.5 * 0.01)

    assert classical.score(FOREST, SOIL, SPREAD)[0, 0] == pytest.approx((fall(2) + fall(5)) / 2, abs=0.01)


def test_score_wider_spread_is_a_smaller_score() -> None:
    assert classical.score(FOREST, SOIL, 3 * SPREAD) < classical.score(FOREST, SOIL, SPREAD)


def test_score_missing_swir_falls_back_to_ndvi() -> None:
    look = SOIL.copy()
    look[4:] = np.nan
    assert classical.score(FOREST, look, SPREAD) > 5


def test_score_missing_pixel_is_nan() -> None:
    look = np.full_like(SOIL, np.nan)
    assert np.isnan(classical.score(FOREST, look, SPREAD)).all()


def test_score_dark_water_stays_quiet() -> None:
    water = np.full((6, 1, 1), 0.004, np.float32)
    darker = np.full((6, 1, 1), 0.001, np.float32)
    assert abs(classical.score(water, darker, SPREAD)[0, 0]) < 1
