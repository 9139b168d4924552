from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from pipeline.grid import Window
from pipeline.simulate import land, shapes, sky, world
from pipeline.simulate.land import Cover
from pipeline.simulate.world import Event

SUN = (150.0, 50.0)
DAY = date(2022, 10, 25)


@pytest.fixture(scope="module")
def small() -> world.World:
    return world.planted_world(7, (128, 160), factor=2)


def test_reflectance_any_window_is_a_crop_of_the_whole(small):
    window = Window(30, 44, 50, 64)
    whole = small.reflectance(DAY, sun=SUN)
    part = small.reflectance(DAY, window, sun=SUN)
    np.testing.assert_allclose(part, whole[:, 60:160, 88:216], atol=2e-4)


def test_reflectance_same_seed_same_bytes_other_seed_another_world(small):
    again = world.planted_world(7, (128, 160), factor=2).reflectance(DAY, sun=SUN)
    other = world.planted_world(8, (128, 160), factor=2).reflectance(DAY, sun=SUN)
    assert again.tobytes() == small.reflectance(DAY, sun=SUN).tobytes()
    assert np.abs(again - other).mean() > 0.005


@pytest.mark.parametrize("day", [date(2022, month, 15) for month in range(1, 13)])
def test_reflectance_every_month_is_physical(small, day):
    seen = small.reflectance(day, sun=SUN)
    assert seen.dtype == np.float32
    assert seen.min() > 0
    assert np.percentile(seen, 99.9) < 0.7


def test_reflectance_forest_green_after_the_rains_and_bare_in_april(small):
    forest = small.ground().cover == Cover.FOREST
    ndvi = []
    for day in (DAY, date(2022, 4, 10)):
        _, _, red, nir, _, _ = small.reflectance(day, sun=SUN)[:, forest]
        ndvi.append(float(np.median((nir - red) / (nir + red))))
    assert ndvi[0] > 0.8
    assert ndvi[1] < ndvi[0] - 0.08


def test_reflectance_event_shows_from_its_first_day_on_and_nowhere_else(small):
    planted = shapes.clearing(np.random.default_rng(0), centre=(30.0, 40.0), area_ha=1.0, cover="bare", kept=0.0)
    changed = replace(small, events=(Event("clearing-1", planted, DAY),))
    before = date(2022, 10, 24)
    np.testing.assert_array_equal(changed.reflectance(before, sun=SUN), small.reflectance(before, sun=SUN))
    step = np.abs(changed.reflectance(DAY, sun=SUN) - small.reflectance(DAY, sun=SUN)).max(axis=0)
    assert (step > 0).sum() * 25 == pytest.approx(planted.area_m2, rel=0.15)
    rows, cols = np.nonzero(step)
    west, north, east, south = planted.geometry.bounds
    assert rows.min() / 2 >= north - 0.5
    assert rows.max() / 2 <= south
    assert cols.min() / 2 >= west - 0.5
    assert cols.max() / 2 <= east


def test_ground_full_world_holds_every_cover():
    ground = world.planted_world(7, (600, 800), factor=1).ground()
    shares = np.bincount(ground.cover.ravel(), minlength=7) / ground.cover.size
    assert (shares > 0.0005).all()
    assert shares[Cover.FOREST] > 0.5
    assert (ground.units["cover"] == Cover.FIELD).sum() > 100


def test_slope_light_slope_towards_the_sun_is_brighter():
    slope = np.zeros((2, 1, 3), np.float32)
    slope[0, 0] = (-0.2, 0.0, 0.2)  # falls to the south, flat, rises to the south
    light = world.slope_light(slope, (180.0, 45.0))[0]
    assert light[0] > light[1] > light[2]
    assert light[1] == pytest.approx(0)


def test_planted_world_odd_size_or_factor_is_refused():
    with pytest.raises(ValueError, match="even"):
        world.planted_world(1, (101, 100))
    with pytest.raises(ValueError, match="factor"):
        world.planted_world(1, (100, 100), factor=3)


def test_ground_coarse_raster_sees_the_same_land(small):
    fine = small.ground().cover == Cover.RIVER
    coarse = land.ground(small.layout, land.Raster(0, 0, 20.0, (64, 80)), seed=7).cover == Cover.RIVER
    assert coarse.mean() == pytest.approx(fine.mean(), abs=0.02)


def test_sun_position_against_the_almanac():
    azimuth, elevation = sky.sun_position(date(2022, 6, 21), 23.4, solar_hour=12.0)
    assert elevation == pytest.approx(90, abs=0.5)
    azimuth, elevation = sky.sun_position(date(2022, 12, 21), 20.0, solar_hour=12.0)
    assert (azimuth, elevation) == (pytest.approx(180, abs=1), pytest.approx(46.6, abs=0.5))
    assert sky.sun_position(date(2022, 12, 21), 20.0, solar_hour=9.0)[0] < 150
