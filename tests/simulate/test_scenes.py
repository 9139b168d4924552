import hashlib
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
import shapely
from shapely.geometry import shape

from pipeline import aoi, grid, sensors
from pipeline.simulate import scenes
from pipeline.simulate.scenes import Built

START = date(2022, 10, 18)
CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return scenes.build(tmp_path_factory.mktemp("world"), seed=7, start=START, preset="tiny", workers=1)


@pytest.fixture(scope="module")
def found(built: Built) -> list[dict[str, Any]]:
    features: list[dict[str, Any]] = json.loads(built.items.read_text())["features"]
    return features


def _numbers(built: Built, item: dict[str, Any], key: str) -> np.ndarray:
    with rasterio.open(built.items.parent / item["assets"][key]["href"]) as file:
        return np.asarray(file.read(1))


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_build_again_with_other_workers_gives_the_same_bytes(built, tmp_path):
    scenes.build(tmp_path, seed=7, start=START, preset="tiny", workers=2)
    assert _digests(tmp_path) == _digests(built.items.parent)


def test_build_items_parse_with_pystac(built, found):
    collection = pystac.ItemCollection.from_file(str(built.items))
    assert len(collection) == len(found) == len({item.id for item in collection})
    for item in collection:
        assert item.datetime is not None
        assert set(item.assets) == {"blue", "green", "red", "nir", "swir16", "swir22", "scl"}
        for asset in item.assets.values():
            assert (built.items.parent / asset.href).is_file()


def test_build_items_carry_the_keys_of_real_ones(found, shared_data):
    real = json.loads((shared_data / "stac/earth-search-v1/items/S2B_24MUA_20250731_0_L2A.json").read_text())
    for item in found:
        assert set(item["properties"]) <= set(real["properties"]) | {"s2:dark_features_percentage"}
        assert set(item["assets"]) <= set(real["assets"])
        for name, asset in item["assets"].items():
            assert set(asset) <= set(real["assets"][name]), name
        for key in ("s2:product_uri", "s2:datatake_id", "s2:datastrip_id", "s2:tile_id"):
            assert len(item["properties"][key]) == len(real["properties"][key]), key


def test_build_files_are_cogs_on_the_granule_grid_as_the_items_say(built, found):
    for item in found:
        granule = grid.granule(item["properties"]["grid:code"].removeprefix("MGRS-"))
        for name, asset in item["assets"].items():
            with rasterio.open(built.items.parent / asset["href"]) as file:
                step = 10 if name in ("blue", "green", "red", "nir") else 20
                assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
                assert file.crs.to_epsg() == granule.epsg == item["properties"]["proj:epsg"]
                assert file.res == (step, step)
                assert (granule.top_m - file.transform.f) % 20 == (file.transform.c - granule.left_m) % 20 == 0
                assert list(file.transform[:6]) == asset["proj:transform"]
                assert list(file.shape) == asset["proj:shape"]
                assert file.nodata == 0
                assert file.dtypes[0] == ("uint8" if name == "scl" else "uint16")


def test_write_cog_large_raster_has_blocks_and_overviews(tmp_path):
    values = np.arange(1100 * 1300, dtype=np.uint32).reshape(1100, 1300).astype(np.uint16)
    path = tmp_path / "deep" / "one.tif"
    scenes.products.write_cog(path, values, transform=rasterio.Affine(10, 0, 3e5, 0, -10, 2e6), epsg=32644)
    with rasterio.open(path) as file:
        assert file.block_shapes == [(512, 512)]
        assert file.overviews(1) == [2, 4]
        assert file.compression.value == "DEFLATE"
        assert file.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == "2"
        np.testing.assert_array_equal(file.read(1), values)


def _two_processings(found: list[dict[str, Any]], mgrs: str) -> tuple[dict[str, Any], dict[str, Any]]:
    late = next(i for i in found if mgrs in i["id"] and i["properties"]["s2:processing_baseline"] == "05.00")
    first = next(i for i in found if i["id"] == late["id"].replace("_1_", "_0_"))
    return first, late


def test_d3_same_reflectance_under_two_baselines_is_the_same_after_the_offset(built, found):
    first, late = _two_processings(found, "44QLH")
    assert first["properties"]["s2:processing_baseline"] == "03.01"
    for key in ("blue", "nir", "swir22"):
        old, new = (_numbers(built, item, key).astype(np.int32) for item in (first, late))
        held = (old > 1) & (new > 0)
        assert held.mean() > 0.9
        np.testing.assert_array_equal(old[held], new[held] - 1000)


def test_d1_one_flag_denies_an_offset_that_was_taken_out(built, found):
    modern = [i for i in found if float(i["properties"]["s2:processing_baseline"]) >= 4 and "QLH" in i["id"]]
    states = set()
    for item in modern:
        numbers = _numbers(built, item, "red")
        held = np.percentile(numbers[numbers > 0], 1) > 1000
        states.add((item["properties"]["earthsearch:boa_offset_applied"], bool(held)))
    assert states == {(True, False), (False, True), (False, False)}


def test_d4_split_datastrips_share_the_datatake_and_cover_the_granule_together(built, found):
    strips: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for item in found:
        properties = item["properties"]
        key = (properties["grid:code"], properties["s2:datatake_id"])
        strips.setdefault(key, []).append(item)
    pairs = [pair for pair in strips.values() if len(pair) == 2]
    assert len(pairs) == 2  # one per granule
    for one, two in pairs:
        assert one["properties"]["s2:datastrip_id"] != two["properties"]["s2:datastrip_id"]
        upper, lower = (_numbers(built, item, "red") > 0 for item in (one, two))
        assert (upper ^ lower).all()
        assert upper[0].all()
        assert lower[-1].all()


def test_build_swath_edge_leaves_a_wedge_without_data_in_all_bands(built, found):
    item = next(i for i in found if 1 < i["properties"]["s2:nodata_pixel_percentage"] < 40 and "QLH" in i["id"])
    missing = _numbers(built, item, "scl") == 0
    assert 0.01 < missing.mean() < 0.6
    for key in ("blue", "nir", "swir16"):
        numbers = _numbers(built, item, key)
        step = len(numbers) // len(missing)
        np.testing.assert_array_equal(numbers == 0, missing.repeat(step, 0).repeat(step, 1))


def test_build_two_granules_hold_the_same_pixels_where_they_overlap(built, found):
    west = next(i for i in found if i["id"].startswith("S2B_44QLH") and i["properties"]["eo:cloud_cover"] < 5)
    east = next(i for i in found if i["id"] == west["id"].replace("QLH", "QMH"))
    one, two = (_numbers(built, item, "nir") for item in (west, east))
    np.testing.assert_array_equal(one[:, -two.shape[1] :], two)


def test_build_truth_lies_in_the_aoi_and_starts_about_the_first_night(built):
    area = aoi.load(built.aoi, CONFIGS)
    planted = json.loads(built.planted.read_text())["features"]
    assert {feature["properties"]["kind"] for feature in planted} == {"clearing", "camp", "track"}
    for feature in planted:
        geometry, properties = shape(feature["geometry"]), feature["properties"]
        assert geometry.is_valid
        assert area.geometry.contains(geometry)
        assert abs((date.fromisoformat(properties["start"]) - START).days) < 15
        metres = grid.reproject(geometry, 4326, 32644)
        assert metres.area == pytest.approx(
            properties["area_ha"] * 1e4 if properties["kind"] != "track" else 0, rel=0.01
        )
        if properties["kind"] == "track":
            assert metres.length == pytest.approx(properties["length_m"], rel=0.01)
    assert len(list(grid.home_squares(area.geometry))) == 2


def test_build_every_planted_event_is_seen_clearly_three_times_after_its_start(built, found):
    for feature in json.loads(built.planted.read_text())["features"]:
        metres = grid.reproject(shape(feature["geometry"]).envelope, 4326, 32644)
        start, clear = date.fromisoformat(feature["properties"]["start"]), 0
        for item in found:
            if "QLH" not in item["id"] or datetime.fromisoformat(item["properties"]["datetime"]).date() < start:
                continue
            with rasterio.open(built.items.parent / item["assets"]["scl"]["href"]) as file:
                window = file.window(*metres.bounds).round_offsets().round_lengths()
                clear += bool(np.isin(file.read(1, window=window), (2, 4, 5, 6, 7)).mean() > 0.85)
        assert clear >= 3


def test_build_clearing_is_brighter_in_red_than_before(built, found):
    planted = json.loads(built.planted.read_text())["features"]
    clearing = next(feature for feature in planted if feature["properties"]["kind"] == "clearing")
    metres = grid.reproject(shape(clearing["geometry"]), 4326, 32644).buffer(-20)
    west = [i for i in found if "QLH" in i["id"] and i["properties"]["s2:nodata_pixel_percentage"] == 0]
    early = [i for i in west if i["properties"]["datetime"] < "2021-12" and i["properties"]["eo:cloud_cover"] < 1]
    late = [i for i in west if i["properties"]["datetime"] > "2022-10-22" and i["properties"]["eo:cloud_cover"] < 20]
    means = []
    for item in (early[-1], late[-1]):
        with rasterio.open(built.items.parent / item["assets"]["swir22"]["href"]) as file:
            inside = ~rasterio.features.geometry_mask([metres], file.shape, file.transform)
            held = 1000 * (np.percentile(file.read(1), 1) > 1000)
            means.append(float((file.read(1)[inside] - held).mean()) * sensors.SENTINEL2.scale)
    assert means[1] > means[0] + 0.03


def test_build_footprints_hold_their_pixels_and_are_drawn_the_right_way_round(found):
    for item in found:
        outline = shape(item["geometry"])
        assert outline.is_valid
        assert outline.exterior.is_ccw
        assert outline.bounds == pytest.approx(item["bbox"], abs=1e-6)
        assert shapely.box(80.0, 20.1, 80.1, 20.3).contains(outline)
