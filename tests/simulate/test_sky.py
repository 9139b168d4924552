from dataclasses import replace

import numpy as np
import pytest

from pipeline.simulate import optics, sky
from pipeline.simulate.noise import Raster
from pipeline.simulate.sky import Weather

SUN = (150.0, 45.0)
WHOLE = Raster(0.0, 0.0, 10.0, (900, 900))
CLOUDY = Weather(seed=4, cloud_share=0.4, veil=0.0, haze=0.0, cloud_height_m=1000.0, view=0.0)
FOREST = np.array([0.023, 0.044, 0.026, 0.31, 0.14, 0.058], np.float32)


def _forest() -> optics.Native:
    bands = FOREST[:, None, None]
    return optics.Native(np.broadcast_to(bands[:4], (4, 900, 900)), np.broadcast_to(bands[4:], (2, 450, 450)))


def test_air_shadow_is_the_cloud_moved_away_from_the_sun():
    over = sky.air(CLOUDY, WHOLE, sun=(180.0, 45.0))  # 1000 m high at 45 degrees: 100 pixels to the north
    np.testing.assert_allclose(over.shadow[:800], over.cloud[100:], atol=1e-5)


def test_air_window_is_a_crop_of_the_whole_sky():
    part = sky.air(CLOUDY, Raster(500.0, 700.0, 10.0, (100, 120)), sun=SUN)
    whole = sky.air(CLOUDY, WHOLE, sun=SUN)
    np.testing.assert_allclose(part.cloud, whole.cloud[50:150, 70:190], atol=1e-4)
    np.testing.assert_allclose(part.shadow, whole.shadow[50:150, 70:190], atol=1e-4)


def test_through_clear_sky_keeps_the_ground_within_a_few_percent():
    calm = replace(CLOUDY, cloud_share=0.0)
    over = sky.air(calm, WHOLE, sun=SUN)
    assert over.clear.all()
    seen = sky.through(_forest(), over, calm, sun=SUN)
    np.testing.assert_allclose(seen.stacked()[:, 0, 0], FOREST, rtol=0.15)


def test_through_clouds_are_bright_and_shadows_dark():
    over = sky.air(CLOUDY, WHOLE, sun=SUN)
    seen = sky.through(_forest(), over, CLOUDY, sun=SUN).ten
    assert seen[0][over.cloud > 0.95].min() > 0.4
    dark = (over.shadow > 0.95) & (over.cloud < 0.01)
    assert seen[3][dark].max() < 0.6 * np.median(seen[3][over.clear])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_classified_finds_most_cloud_and_misses_some(seed):
    weather = replace(CLOUDY, seed=seed, veil=0.5)
    over = sky.air(weather, WHOLE, sun=SUN)
    seen = sky.through(_forest(), over, weather, sun=SUN)
    classes = sky.classified(seen, over, WHOLE, seed=seed)
    assert set(np.unique(classes)) <= {2, 3, 4, 5, 6, 7, 8, 9, 10}
    thick = optics.box_mean(over.cloud, factor=2) > 0.8
    some = optics.box_mean(np.maximum(over.cloud, over.veil), factor=2) > 0.1
    cloud = np.isin(classes, (8, 9, 10))
    assert cloud[thick].mean() > 0.98
    assert (some & ~cloud).sum() > 0
    assert not cloud[~some].any()
    clear = optics.box_mean(over.clear.astype(np.float32), factor=2) == 1
    assert (classes[clear] == 4).mean() > 0.95
