"""Chips: one stretch for all, and PNG files that any reader opens."""

import numpy as np
import pytest
import rasterio

from pipeline.publish import chips

unplaced = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")  # a picture, no map


def reflectance(value: float) -> np.ndarray:
    return np.full((6, 3, 5), value, np.float32)


def test_true_colour_fixed_stretch_and_grey_where_nothing_is_known() -> None:
    dark, half, full = (chips.true_colour(reflectance(value))[0, 0, 0] for value in (0.0, 0.0625, 0.25))
    assert (dark, half, full) == (0, 128, 255)
    assert chips.true_colour(reflectance(0.7)).max() == 255
    assert set(chips.true_colour(reflectance(np.nan)).ravel()) == {128}


def test_true_colour_red_is_b04_and_blue_is_b02() -> None:
    values = reflectance(0.0)
    values[2], values[0] = 0.25, 0.0625
    assert tuple(chips.true_colour(values)[0, 0]) == (255, 0, 128)


@unplaced
def test_png_is_read_back_by_gdal_and_small_ones_are_enlarged_by_whole_pixels() -> None:
    colours = np.random.default_rng(1).integers(0, 255, (3, 5, 3), np.uint8)
    with rasterio.MemoryFile(chips.png(colours)) as memory, memory.open() as source:
        assert source.driver == "PNG"
        assert source.shape == (3 * 52, 5 * 52)
        again = np.moveaxis(source.read(), 0, -1)
    assert (again[::52, ::52] == colours).all()
    assert (again[51::52, 51::52] == colours).all()


@unplaced
def test_png_large_ones_stay_as_they_are() -> None:
    with rasterio.MemoryFile(chips.png(np.zeros((300, 10, 3), np.uint8))) as memory, memory.open() as source:
        assert source.shape == (300, 10)
