"""Rasters: pixels that know where they are come back at their place, as COGs that others can read."""

import itertools
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import odc.stac
import pystac
import pytest
import rasterio
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from rasterio import shutil
from shapely import Point, box, geometry

from pipeline import grid
from pipeline.publish import cogs, rasters
from pipeline.sensors import BANDS

REFLECTANCE = cogs.Layer("uint16", 0, BANDS, scale=1e-4)
LAYERS = {"change": rasters.CHANGE, "after": REFLECTANCE}
PROJ = "https://stac-extensions.github.io/projection/v1.1.0/schema.json"
RASTER = "https://stac-extensions.github.io/raster/v1.1.0/schema.json"
PLACE = box(77.0, 29.0, 77.03, 29.02)


def codes(tile: grid.Tile) -> tuple[np.ndarray, np.ndarray]:
    """Change and reflectance whose values tell the place (in metres), on what the tile answers for."""
    west, _, _, north = tile.granule.window_bounds(tile.window)
    y = (north - 5 - 10 * np.arange(tile.window.height))[:, None]
    x = (west + 5 + 10 * np.arange(tile.window.width))[None, :]
    place = (y // 10 * 7 + x // 10) % 60_000
    bands = np.arange(1, 7)[:, None, None]
    digital = np.where(tile.owned(), (place + bands), 0).astype(np.uint16)
    change = np.where(tile.owned(), (place / 60_000 + bands[:3] / 1e6), np.nan).astype(np.float32)
    return change, digital


def write(folder: Path, tiles: tuple[grid.Tile, ...], *, backwards: bool = False) -> None:
    folder.mkdir(exist_ok=True)
    with rasters.Mosaics(folder, LAYERS, tiles) as mosaics:
        for tile in tiles[::-1] if backwards else tiles:
            change, digital = codes(tile)
            mosaics.add("change", tile, change)
            mosaics.add("after", tile, digital)


def test_mosaics_pixels_at_their_place(tmp_path: Path) -> None:
    tiles = grid.tiles_over(PLACE, tile_px=256)
    write(tmp_path, tiles)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["after.tif", "change.tif"]
    with rasterio.open(tmp_path / "after.tif") as after, rasterio.open(tmp_path / "change.tif") as change:
        assert (after.crs.to_epsg(), change.crs.to_epsg()) == (32643, 32643)
        assert (after.transform, after.shape) == (change.transform, change.shape)
        rows, cols = np.nonzero(after.read(1))
        x, y = rasterio.transform.xy(after.transform, rows, cols)
        place = (np.array(y) // 10 * 7 + np.array(x) // 10) % 60_000
        for band in range(1, 7):
            assert (after.read(band)[rows, cols] == (place + band).astype(np.uint16)).all()
        values = change.read()
        assert np.allclose(values[1][rows, cols], place / 60_000 + 2e-6)
        assert np.isfinite(values[0]).sum() == len(rows) == sum(int(tile.owned().sum()) for tile in tiles)


def test_mosaics_extent_is_that_of_the_aoi(tmp_path: Path) -> None:
    tiles = grid.tiles_over(PLACE, tile_px=1024)
    write(tmp_path, tiles)
    around = grid.reproject(PLACE.segmentize(0.001), 4326, 32643).bounds
    with rasterio.open(tmp_path / "change.tif") as change:
        assert np.abs(np.array(change.bounds) - around).max() <= 11
        assert all(value % 10 == 0 for value in change.bounds)


@pytest.mark.parametrize("tile_px", [512, 1024, 4096])
def test_mosaics_any_tile_size_and_order_same_bytes(tmp_path: Path, tile_px: int) -> None:
    write(tmp_path / "one", grid.tiles_over(PLACE, tile_px=256))
    write(tmp_path / "other", grid.tiles_over(PLACE, tile_px=tile_px), backwards=True)
    for name in ("change.tif", "after.tif"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_mosaics_several_granules_of_a_zone_one_file_without_seam(tmp_path: Path) -> None:
    corner = grid.reproject(Point(700_000, 3_200_000), 32643, 4326)
    tiles = grid.tiles_over(corner.buffer(0.012, cap_style="square"), tile_px=512)
    assert len({tile.granule for tile in tiles}) == 4
    write(tmp_path, tiles)
    with rasterio.open(tmp_path / "after.tif") as after:
        values = after.read(1)
        row, col = after.index(700_000, 3_200_000)
        middle = values[row - 50 : row + 50, col - 50 : col + 50].astype(int)
        assert middle.all()
        assert set(np.unique(np.diff(middle, axis=1) % 60_000)) == {1}


def test_d14_mosaics_two_zones_two_files(tmp_path: Path) -> None:
    tiles = grid.tiles_over(box(77.98, 29.0, 78.01, 29.01), tile_px=1024)
    write(tmp_path, tiles)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["after.tif", "after_32644.tif", "change.tif", "change_32644.tif"]
    for name, epsg in (("change.tif", 32643), ("change_32644.tif", 32644)):
        with rasterio.open(tmp_path / name) as change:
            assert change.crs.to_epsg() == epsg
            assert np.isfinite(change.read(1)).any()


def test_mosaics_layers_described(tmp_path: Path) -> None:
    write(tmp_path, grid.tiles_over(PLACE, tile_px=1024))
    with rasterio.open(tmp_path / "after.tif") as after:
        assert after.descriptions == BANDS
        assert (after.dtypes, after.nodata) == (("uint16",) * 6, 0)
        assert (after.scales, after.offsets) == ((1e-4,) * 6, (0.0,) * 6)
    with rasterio.open(tmp_path / "change.tif") as change:
        assert change.descriptions == ("clearing", "camp", "track")
        assert change.dtypes == ("float32",) * 3
        assert np.isnan(change.nodata)


def test_mosaics_files_are_cogs(tmp_path: Path) -> None:
    write(tmp_path, grid.tiles_over(PLACE, tile_px=1024))
    wide = grid.tiles_over(box(77.0, 29.0, 77.1, 29.05), tile_px=1024)
    (tmp_path / "wide").mkdir()
    write(tmp_path / "wide", wide)
    for path in tmp_path.rglob("*.tif"):
        with rasterio.open(path) as raster:
            assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert raster.compression.name == "deflate"
            assert set(raster.block_shapes) == {(512, 512)}
            assert raster.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == ("3" if "change" in path.name else "2")
            expected = [2**n for n in itertools.takewhile(lambda n: max(raster.shape) >> n - 1 > 512, range(1, 9))]
            assert raster.overviews(1) == expected
    assert not list(tmp_path.rglob("*.aux.xml"))


def test_mosaics_overviews_do_not_mix_data_with_nodata(tmp_path: Path) -> None:
    tiles = grid.tiles_over(box(77.0, 29.0, 77.1, 29.05), tile_px=1024)
    with rasters.Mosaics(tmp_path, LAYERS, tiles) as mosaics:
        for tile in tiles:
            change = np.full((3, *tile.window.shape), np.nan, np.float32)
            change[:, ::2, ::2] = 0.5
            mosaics.add("change", tile, change)
    with rasterio.open(tmp_path / "change.tif", overview_level=0) as change:
        assert set(np.unique(change.read(1)[5:-5, 5:-5])) == {0.5}


def test_write_change_overviews_are_means_of_blocks_of_pixels(tmp_path: Path) -> None:
    noise = np.random.default_rng(7).random((3, 1300, 1028)).astype(np.float32)
    rasters.write_change(tmp_path / "change.tif", noise, epsg=32629, transform=rasterio.Affine(10, 0, 0, 0, -10, 0))
    for level, side in enumerate((2, 4)):
        blocks = noise.reshape(3, 1300 // side, side, 1028 // side, side)
        with rasterio.open(tmp_path / "change.tif", overview_level=level) as change:
            np.testing.assert_allclose(change.read(), blocks.mean(axis=(2, 4)), rtol=1e-5)


def test_mosaics_nothing_known_small_file_of_nodata(tmp_path: Path) -> None:
    with rasters.Mosaics(tmp_path, LAYERS, grid.tiles_over(box(77.0, 29.0, 77.4, 29.3), tile_px=2048)):
        pass
    assert (tmp_path / "change.tif").stat().st_size < 100_000
    with rasterio.open(tmp_path / "change.tif") as change:
        assert np.isnan(change.read(1)).all()
    with rasterio.open(tmp_path / "after.tif") as after:
        assert not after.read(1).any()


def test_mosaics_pixels_are_shown_in_true_colour_by_whoever_is_given_the_file_alone(tmp_path: Path) -> None:
    with rasters.Mosaics(tmp_path, rasters.LAYERS, grid.tiles_over(PLACE, tile_px=1024)):
        pass
    for name in ("before", "after"):
        with rasterio.open(tmp_path / f"{name}.tif") as source:
            shown = {colour.name: band for band, colour in zip(source.descriptions, source.colorinterp, strict=True)}
        assert {colour: shown[colour] for colour in ("red", "green", "blue")} == {
            "red": "B04",
            "green": "B03",
            "blue": "B02",
        }
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["after.tif", "before.tif", "change.tif", "seen.tif"]


def test_mosaics_error_inside_nothing_left(tmp_path: Path) -> None:
    tiles = grid.tiles_over(PLACE, tile_px=1024)
    with (
        pytest.raises(ValueError, match=r"change, tile 43RFN.*expected float32"),
        rasters.Mosaics(tmp_path, LAYERS, tiles) as mosaics,
    ):
        mosaics.add("change", tiles[0], np.zeros((3, *tiles[0].window.shape)))
    assert list(tmp_path.iterdir()) == []


def test_mosaics_one_thread_or_several_same_bytes(tmp_path: Path) -> None:
    noise = np.random.default_rng(7).random((3, 1500, 1500)).astype(np.float32)
    rasters.write_change(tmp_path / "a.tif", noise, epsg=32629, transform=rasterio.Affine(10, 0, 0, 0, -10, 0))
    copy = {"compress": "DEFLATE", "level": 1, "predictor": "YES", "blocksize": 512, "overview_resampling": "AVERAGE"}
    shutil.copy(tmp_path / "a.tif", tmp_path / "b.tif", driver="COG", num_threads="1", sparse_ok=True, **copy)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_write_change_one_array_same_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    values = rng.random((3, 300, 200)).astype(np.float32)
    values[:, :50] = np.nan
    transform = rasterio.Affine(10, 0, 500_000, 0, -10, 4_400_000)
    rasters.write_change(tmp_path / "change.tif", values, epsg=32629, transform=transform)
    assert [path.name for path in tmp_path.iterdir()] == ["change.tif"]
    with rasterio.open(tmp_path / "change.tif") as change:
        assert np.array_equal(change.read(), values, equal_nan=True)
        assert (change.transform, change.crs.to_epsg()) == (transform, 32629)
        assert change.descriptions == ("clearing", "camp", "track")


@given(st.integers(1, 60), st.sampled_from("CDEFGHJKLMNPQRSTUVWX"), st.integers(0, 7), st.integers(0, 19))
def test_granules_any_of_a_zone_one_lattice(zone: int, band: str, column: int, row: int) -> None:
    letters = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")[(zone - 1) % 3]
    granule = grid.granule(f"{zone:02d}{band}{letters[column]}{'ABCDEFGHJKLMNPQRSTUV'[row]}")
    assert granule.left_m % 10 == granule.top_m % 10 == 0
    assert granule.left_m % 20 == granule.top_m % 20 == 0


def test_frames_largest_zone_first_whatever_the_order() -> None:
    tiles = grid.tiles_over(box(77.98, 29.0, 78.01, 29.01), tile_px=512)
    assert [frame.epsg for frame in rasters.frames(tiles)] == [32643, 32644]
    assert rasters.frames(tiles[::-1]) == rasters.frames(tiles)


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # odc-geo still multiplies by *
@pytest.mark.filterwarnings("ignore:The 'shapely.ops.transform:DeprecationWarning")  # odc-geo still calls it
def test_mosaics_loaded_by_odc_stac_same_pixels(tmp_path: Path) -> None:
    write(tmp_path, grid.tiles_over(PLACE, tile_px=1024))
    with rasterio.open(tmp_path / "after.tif") as after:
        values, transform, shape = after.read(4), after.transform, after.shape
    item = pystac.Item("night", geometry.mapping(PLACE), list(PLACE.bounds), datetime(2025, 11, 1, tzinfo=UTC), {})
    item.stac_extensions = [PROJ, RASTER]
    extra = {"proj:epsg": 32643, "proj:shape": list(shape), "proj:transform": list(transform)[:6]}
    extra["raster:bands"] = [{"data_type": "uint16", "nodata": 0, "name": name} for name in BANDS]
    item.add_asset("after", pystac.Asset(str(tmp_path / "after.tif"), roles=["data"], extra_fields=extra))
    loaded = odc.stac.load([item], bands=["after.4"], crs="EPSG:32643", resolution=10)
    array = next(iter(loaded.data_vars.values())).isel(time=0)
    x, y = rasterio.transform.xy(transform, *map(np.ravel, np.indices(shape)))
    known = values.ravel() > 0
    there = array.sel(x=xr.DataArray(np.array(x)[known]), y=xr.DataArray(np.array(y)[known]))
    assert known.any()
    assert np.array_equal(there.to_numpy(), values.ravel()[known])
