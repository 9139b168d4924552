"""STAC out: valid by the schemas, whole in its links, read by odc-stac, and the same bytes for the same night."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import odc.stac
import pystac
import pytest
import rasterio
from pystac.errors import STACValidationError
from shapely import box
from shapely.geometry import shape

from pipeline import grid
from pipeline.publish import collection, geojson, items, rasters
from tests.publish import planted, stac

PLACE = box(77.985, 29.0, 78.01, 29.02)
"""Lies in zone 43 and, for the smaller part, in zone 44."""
NIGHTS = (planted.NIGHT - timedelta(days=5), planted.NIGHT)


def facts(night: date) -> dict[str, Any]:
    return planted.RUN | {"as_of": night.isoformat()}


def write_night(out: Path, night: date) -> Path:
    """A night's folder with what items name in it; rasters of pixels that know where they are."""
    folder = out / night.isoformat() / "hills"
    folder.mkdir(parents=True)
    tiles = grid.tiles_over(PLACE, tile_px=512)
    with rasters.Mosaics(folder, rasters.LAYERS, tiles) as mosaics:
        for tile in tiles:
            rows, cols = np.indices(tile.window.shape)
            place = (rows + tile.window.row + 2 * (cols + tile.window.col)) % 1000
            for name, layer in rasters.LAYERS.items():
                numbers = np.arange(len(layer.descriptions))[:, None, None]
                values = (place + numbers + 1).astype(layer.dtype)
                mosaics.add(name, tile, np.where(tile.owned(), values, np.asarray(layer.nodata, layer.dtype)))
    geojson.write(folder / "alerts.geojson", [])
    for name in ("changes.geojson", "alerts.gpkg", "vanwatch.qgz", "report.html", "run.json"):
        (folder / name).touch()
    items.write(folder, facts(night), tiles, model="vanwatch-s-3+0123abcd")
    return folder


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights of one AOI in two zones, with their collection; for reading only."""
    out = tmp_path_factory.mktemp("out")
    for night in NIGHTS:
        write_night(out, night)
    collection.write(out)
    return out


@pytest.fixture
def copied(stored: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stored, tmp_path / "out"))


def everything(out: Path) -> list[pystac.STACObject]:
    root = pystac.Catalog.from_file(out / "catalog.json")
    return [root, *root.get_children(), *root.get_items(recursive=True)]


def test_write_gives_items_collection_and_catalogue_that_are_valid(stored: Path) -> None:
    found = everything(stored)
    for thing in found:
        stac.check(thing)
    assert [type(thing).__name__ for thing in found] == ["Catalog", "Collection", *["Item"] * 4]
    assert [thing.id for thing in found[2:]] == [
        "hills-2025-11-02",
        "hills-2025-11-02-32644",
        "hills-2025-11-07",
        "hills-2025-11-07-32644",
    ]


def test_check_refuses_what_an_extension_forbids(stored: Path) -> None:
    item = everything(stored)[-1]
    assert isinstance(item, pystac.Item)
    for asset, key, wrong in (("change", "proj:shape", [0.5]), ("before", "raster:bands", [{"sampling": "both"}])):
        spoilt = item.full_copy()
        spoilt.assets[asset].extra_fields[key] = wrong
        with pytest.raises(STACValidationError):
            stac.check(spoilt)


def test_write_names_only_files_that_are_there_by_relative_links(stored: Path) -> None:
    paths = sorted(stored.glob("*/*/items/*.json"))
    assert len(paths) == 4
    for path in paths:
        document = json.loads(path.read_text())
        hrefs = [each["href"] for each in (*document["assets"].values(), *document["links"])]
        assert len(hrefs) == (13 if path.stem.count("-") == 3 else 7)
        for href in hrefs:
            assert (path.parent / href).resolve().is_relative_to(stored)
            assert (path.parent / href).exists(), href


def test_write_through_latest_leads_to_the_same_collection(copied: Path) -> None:
    (copied / "latest").mkdir()
    (copied / "latest" / "hills").symlink_to(Path("..") / NIGHTS[-1].isoformat() / "hills")
    item = pystac.Item.from_file(copied / "latest" / "hills" / "items" / "hills-2025-11-07.json")
    assert item.get_collection() is not None
    assert Path(item.assets["alerts"].get_absolute_href() or "").exists()


@pytest.mark.parametrize(("suffix", "zone"), [("", 32643), ("-32644", 32644)])
def test_write_gives_items_from_which_odc_stac_loads_the_same_pixels(stored: Path, suffix: str, zone: int) -> None:
    item = pystac.Item.from_file(stored / "2025-11-07" / "hills" / "items" / f"hills-2025-11-07{suffix}.json")
    loaded = odc.stac.load([item], bands=["change.1", "change.2", "change.3", "after.4"])
    name = "change.tif" if zone == 32643 else "change_32644.tif"
    with rasterio.open(stored / "2025-11-07" / "hills" / name) as source:
        assert loaded.odc.geobox.crs.to_epsg() == source.crs.to_epsg() == zone
        assert loaded.odc.geobox.transform == source.transform
        change = source.read()
    for number in range(3):
        np.testing.assert_array_equal(loaded[f"change.{number + 1}"].isel(time=0).values, change[number])
    assert np.isfinite(change).any()
    after = loaded["after.4"].isel(time=0).values
    assert after.dtype == np.uint16
    np.testing.assert_array_equal(after > 0, np.isfinite(change[0]))


def test_write_tells_the_night_and_when_its_scenes_were_sensed(stored: Path) -> None:
    item = pystac.Item.from_file(stored / "2025-11-07" / "hills" / "items" / "hills-2025-11-07.json")
    assert item.datetime == datetime(2025, 11, 7, tzinfo=UTC)
    span = item.common_metadata.start_datetime, item.common_metadata.end_datetime
    assert span == (datetime(2025, 11, 6, 5, 41, tzinfo=UTC),) * 2  # the refused scene of the first does not count
    assert item.properties["vanwatch:scenes"] == ["S2A_43RGM_20251106T052931_R105"]


def test_write_without_a_scene_spans_the_night_alone(copied: Path) -> None:
    folder = copied / "2025-11-07" / "hills"
    items.write(folder, facts(planted.NIGHT) | {"scenes": {}}, grid.tiles_over(PLACE, tile_px=512), model="m")
    item = pystac.Item.from_file(folder / "items" / "hills-2025-11-07.json")
    stac.check(item)
    assert item.common_metadata.start_datetime == item.common_metadata.end_datetime == item.datetime


def test_write_gives_the_same_bytes_for_any_cutting_into_tiles(stored: Path, tmp_path: Path) -> None:
    tiles = grid.tiles_over(PLACE, tile_px=256)
    items.write(tmp_path, facts(planted.NIGHT), tiles[::-1], model="vanwatch-s-3+0123abcd")
    first = stored / "2025-11-07" / "hills" / "items"
    assert {p.name: p.read_bytes() for p in (tmp_path / "items").iterdir()} == {
        p.name: p.read_bytes() for p in first.iterdir()
    }


def test_write_footprints_of_the_zones_make_up_the_aoi(stored: Path) -> None:
    found = [item.geometry for item in everything(stored)[-2:] if isinstance(item, pystac.Item)]
    whole = grid.union(shape(geometry) for geometry in found)
    assert whole.symmetric_difference(PLACE).area < 1e-4 * PLACE.area


def test_write_at_the_antimeridian_is_valid_and_its_box_goes_round(tmp_path: Path) -> None:
    folder = tmp_path / NIGHTS[0].isoformat() / "isles"
    place = box(179.99, -17.0, 180.01, -16.98)
    told = facts(NIGHTS[0]) | {"aoi": "isles"}
    items.write(folder, told, grid.tiles_over(grid.split_at_antimeridian(place), tile_px=512), model="m")
    collection.write(tmp_path)
    for thing in everything(tmp_path):
        stac.check(thing)
    made = pystac.Collection.from_file(tmp_path / "collections" / "isles" / "collection.json")
    west, _, east, _ = made.extent.spatial.bboxes[0]
    assert (round(west, 2), round(east, 2)) == (179.99, -179.99)


def test_collection_twice_changes_nothing(copied: Path) -> None:
    files = [copied / "catalog.json", copied / "collections" / "hills" / "collection.json"]
    first = [path.read_bytes() for path in files]
    collection.write(copied)
    assert [path.read_bytes() for path in files] == first


def test_collection_spans_its_nights_and_forgets_one_that_is_gone(copied: Path) -> None:
    def extent() -> list[datetime | None]:
        path = copied / "collections" / "hills" / "collection.json"
        return pystac.Collection.from_file(path).extent.temporal.intervals[0]

    assert extent()[1] == datetime(2025, 11, 7, tzinfo=UTC)
    shutil.rmtree(copied / "2025-11-07")
    collection.write(copied)
    assert extent()[1] == datetime(2025, 11, 6, 5, 41, tzinfo=UTC)
    assert len(everything(copied)) == 4


def test_collection_of_an_aoi_without_nights_is_gone(copied: Path) -> None:
    for folder in copied.glob("2025*"):
        shutil.rmtree(folder)
    collection.write(copied)
    assert len(everything(copied)) == 1
    assert not (copied / "collections" / "hills").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"collection": "hills", "bbox": null, "properties": {}}'])
def test_collection_passes_over_what_is_no_item_of_ours(copied: Path, content: str) -> None:
    (copied / "2025-11-07" / "hills" / "items" / "other.json").write_text(content)
    collection.write(copied)
    assert len(everything(copied)) == 6
