from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely import box

from pipeline import grid, schema
from pipeline.detect import change
from pipeline.detect.detector import Detector
from pipeline.grid import Tile, Window

GRANULE = grid.granule("31UDS")
AREA = Window(1024, 512, 512, 512)
World = Callable[[Window, int], NDArray[np.float32]]


def _tile(window: Window, owned: Window | None = None) -> Tile:
    return Tile(GRANULE, window, box(*GRANULE.window_bounds(owned or window)))


def _changed(tile: Tile, world: World, scene: schema.Scene, detector: Detector) -> schema.Change:
    window = tile.window.grown(detector.halo_px)
    pixels, median = world(window, 1), world(window, 0)
    reason = np.isnan(pixels).any(axis=0).astype(np.uint8)
    look = schema.Look(scene, window, schema.look_pixels(pixels, reason, GRANULE, window))
    spread, count = np.full_like(median, 0.02), np.full(window.shape, 9, np.uint8)
    normal = schema.Normal(window, schema.normal_pixels(median, spread, count, GRANULE, window), ())
    return change.change(look, normal, tile, detector=detector)


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.sampled_from([256, 512]), cols=st.sampled_from([256, 512]))
def test_change_any_tile_size_gives_the_same_bytes(
    rows: int, cols: int, world: World, scene: schema.Scene, detector: Detector
) -> None:
    whole = _changed(_tile(AREA), world, scene, detector)
    for row in range(AREA.row, AREA.row + AREA.height, rows):
        for col in range(AREA.col, AREA.col + AREA.width, cols):
            window = Window(row, col, rows, cols)
            part = _changed(_tile(window), world, scene, detector)
            inside = window.within(AREA)
            assert part.probability.tobytes() == whole.probability[:, *inside].tobytes()
            assert part.z.tobytes() == whole.z[inside].tobytes()


def test_change_last_tile_of_the_granule_equals_a_larger_one(
    world: World, scene: schema.Scene, detector: Detector
) -> None:
    last = grid.GRANULE_PX // 256 * 256
    small = Window(last, last, grid.GRANULE_PX - last, grid.GRANULE_PX - last)
    large = Window(last - 256, last - 256, small.height + 256, small.width + 256)
    part, whole = (_changed(_tile(window), world, scene, detector) for window in (small, large))
    assert part.probability.tobytes() == whole.probability[:, *small.within(large)].tobytes()


def test_change_missing_pixels_are_nan(world: World, scene: schema.Scene, detector: Detector) -> None:
    tile = _tile(Window(0, 0, 256, 256))
    found = _changed(tile, world, scene, detector)
    missing = np.isnan(world(tile.window, 1)).any(axis=0)
    assert missing.any()
    np.testing.assert_array_equal(np.isnan(found.probability), np.broadcast_to(missing, (3, 256, 256)))
    np.testing.assert_array_equal(np.isnan(found.z), missing)
    assert np.nanmin(found.probability) >= 0
    assert np.nanmax(found.probability) <= 1


def test_change_only_the_look_misses_swir_pixels_still_count(
    world: World, scene: schema.Scene, detector: Detector
) -> None:
    def without_swir(window: Window, date_number: int) -> NDArray[np.float32]:
        values = world(window, date_number)
        values[4:] = np.nan
        return values

    found = _changed(_tile(Window(0, 0, 256, 256)), without_swir, scene, detector)
    assert np.isfinite(found.probability).mean() > 0.8
    assert np.isfinite(found.z).mean() > 0.8


def test_change_cell_without_owned_pixels_is_left_out(world: World, scene: schema.Scene, detector: Detector) -> None:
    window = Window(0, 0, 256, 512)
    found = _changed(_tile(window, owned=Window(0, 0, 256, 256)), world, scene, detector)
    assert np.isfinite(found.probability[:, :, :256]).any()
    assert np.isnan(found.probability[:, :, 256:]).all()


def test_change_tile_off_the_cells_is_refused(world: World, scene: schema.Scene, detector: Detector) -> None:
    with pytest.raises(ValueError, match="cells"):
        _changed(_tile(Window(128, 0, 256, 256)), world, scene, detector)


def test_change_look_without_halo_is_refused(world: World, scene: schema.Scene, detector: Detector) -> None:
    tile = _tile(Window(0, 0, 256, 256))
    window = tile.window
    pixels = world(window, 1)
    reason = np.isnan(pixels).any(axis=0).astype(np.uint8)
    look = schema.Look(scene, window, schema.look_pixels(pixels, reason, GRANULE, window))
    count = np.ones(window.shape, np.uint8)
    normal = schema.Normal(window, schema.normal_pixels(pixels, pixels, count, GRANULE, window), ())
    with pytest.raises(ValueError, match="normal covers"):
        change.change(look, normal, tile, detector=detector)
