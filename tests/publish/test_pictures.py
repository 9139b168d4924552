"""Pictures: a place is shown whole across UTM zones, and what was not seen is not taken for dark ground."""

import io
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from shapely import box
from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.publish import overview, pictures, rasters
from pipeline.publish.geopackage import Area
from pipeline.publish.qgis import Shown
from tests.publish.planted import make_alert

ACROSS = box(77.985, 29.0, 78.015, 29.02)
"""Zones 43 and 44 meet in the middle of it."""
SEAM = box(77.999, 29.009, 78.001, 29.011)
STRETCH = {"true": ((0.0, 0.3),) * 3}


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Reflectance 0.1 in true colour everywhere, in both zones."""
    tiles = grid.tiles_over(ACROSS, tile_px=512)
    assert {tile.granule.epsg for tile in tiles} == {32643, 32644}
    layers = {name: rasters.LAYERS[name] for name in ("before", "after")}
    with rasters.Mosaics(tmp_path, layers, tiles) as mosaics:
        for tile in tiles:
            values = np.where(tile.owned(), np.full((6, 1, 1), 1000), 0).astype(np.uint16)
            for name in layers:
                mosaics.add(name, tile, values)
    return tmp_path


def pixels(jpeg: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"))


def chip(night: Path, shape: BaseGeometry, mgrs: str) -> pictures.Chip:
    return pictures.chip(night, make_alert(shape, mgrs=mgrs).detection, STRETCH)


@pytest.mark.parametrize("mgrs", ["43RGM", "44RKT"])
def test_chip_across_two_zones_is_whole_whichever_it_is_drawn_in(night: Path, mgrs: str) -> None:
    found = chip(night, SEAM, mgrs)
    assert found.whole
    shown = pixels(found.pixels["after", "true"])
    assert shown.shape == (64, 64)
    assert np.abs(shown.astype(int) - round(255 * (1 / 3) ** (1 / pictures.GAMMA))).max() <= 2


def test_chip_at_the_edge_of_the_area_is_hatched_beyond_it_and_says_so(night: Path) -> None:
    found = chip(night, box(77.9851, 29.010, 77.986, 29.011), "43RGM")
    assert not found.whole
    beyond = pixels(found.pixels["after", "true"])[:, :12].astype(int)
    assert beyond.min() > 30
    assert beyond.std() > 10


def test_overview_shows_the_part_of_the_area_in_the_other_zone(night: Path) -> None:
    drawn = overview.draw(night, Area("a", "A", "forest", ACROSS), Shown({}, (), STRETCH), [(1, make_alert(SEAM))])
    picture = pictures.cut(
        rasters.paths_of(night, "after"), pictures.Frame(32643, (791000, 3212200, 793000, 3213200), (10, 20))
    )
    assert (picture > 0).all()
    assert 0 < drawn.alerts[0]["x"] < drawn.width
    assert 0 < drawn.alerts[0]["y"] < drawn.height
    west = min(float(pair.split()[0].strip("MLZ")) for pair in drawn.aoi.replace("M", "L").split("L") if pair)
    assert west >= -1


def test_overview_of_an_area_without_any_raster_still_shows_where_it_is(tmp_path: Path) -> None:
    drawn = overview.draw(tmp_path, Area("a", "A", "forest", ACROSS), Shown({}, (), STRETCH), [])
    assert drawn.picture == ""
    assert drawn.aoi.startswith("M")


def test_cut_coarser_than_an_overview_shows_the_ground_at_its_place(tmp_path: Path) -> None:
    tiles = grid.tiles_over(box(77.0, 29.0, 77.12, 29.1), tile_px=1024)
    with rasters.Mosaics(tmp_path, {"after": rasters.PIXELS}, tiles) as mosaics:
        for tile in tiles:
            west = tile.granule.window_bounds(tile.window)[0]
            x = west + 10 * np.arange(tile.window.width)
            values = np.broadcast_to(np.where((x // 640) % 2, 1000, 500)[None, None], (6, *tile.window.shape))
            mosaics.add("after", tile, np.where(tile.owned(), values, 0).astype(np.uint16))
    [path] = rasters.paths_of(tmp_path, "after")
    with rasterio.open(path) as source:
        assert source.overviews(1)
        west, south, _, _ = (round(value / 640) * 640 for value in source.bounds)
    frame = pictures.Frame(source.crs.to_epsg(), (west + 1280, south + 1280, west + 7680, south + 7680), (100, 100))
    found = pictures.cut([path], frame)[0]
    assert found.mean() == pytest.approx(0.075, abs=0.001)
    metres = frame.bounds[0] + 64 * (np.arange(100) + 0.5)
    expected = np.where((metres // 640) % 2, 0.1, 0.05)
    inner = np.abs(metres % 640 - 320) < 200  # where no edge of a stripe is near
    assert np.allclose(found[:, inner], expected[inner], atol=1e-6)
