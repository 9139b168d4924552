import copy
import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import sensors
from pipeline.catalog import parse
from pipeline.schema import Scene

Read = Callable[[str], Any]
ALL = {*sensors.BANDS, "SCL"}
ELSEWHERE = Path("/elsewhere")


def one(item: Any, **options: Any) -> Scene:
    parsed = parse.scenes([item], catalog="test", **{"base": ELSEWHERE, **options})
    assert parsed.problems == ()
    return parsed.scenes[0]


def readme_rows(folder: Path) -> list[tuple[str, str, date, str]]:
    """(file, collection, date, baseline) of each item that a folder's README lists."""
    text = (folder / "README.md").read_text()
    rows = re.findall(r"\| items/(\S+) \| item, collection (\S+), (\d{4}-\d\d-\d\d), baseline (\S+) \|", text)
    return [(name, collection, date.fromisoformat(day), baseline) for name, collection, day, baseline in rows]


def test_scenes_of_all_recorded_items_agree_with_their_readme(shared_data: Path) -> None:
    checked = 0
    for folder in sorted((shared_data / "stac").iterdir()):
        for name, collection, day, baseline in readme_rows(folder):
            item = json.loads((folder / "items" / name).read_text())
            scene = one(item)
            part = scene.parts[0]
            assert scene.sensed.date() == day, name
            assert part.collection == collection.replace("none", ""), name
            assert baseline in (part.baseline, "-"), name
            assert set(dict(part.assets)) == ALL, name
            assert scene.item_ids == (item["id"],)
            checked += 1
        assert checked
    assert checked == 2 + 16 + 38 + 13


def test_scenes_of_all_recorded_items_lie_on_their_granule_grid(shared_data: Path) -> None:
    for path in sorted((shared_data / "stac").glob("*/items/*.json")):
        scene = one(json.loads(path.read_text()))
        assert scene.granule.mgrs in path.name, path.name
        if scene.granule.mgrs == "34LBQ":
            continue  # its makers changed this copy of 34LBP by hand: origin, offset and id do not fit together
        for band, asset in scene.parts[0].assets:
            assert asset.transform is not None
            pixel = asset.transform[0]
            assert asset.transform == (pixel, 0, scene.granule.left_m, 0, -pixel, scene.granule.top_m), path.name
            assert asset.shape == (109800 / pixel,) * 2, (path.name, band)


@pytest.mark.parametrize(
    ("name", "expected"),
    [  # platform, orbit, baseline, offset hint, datatake, published
        ("S2B_24MUA_20250731_0_L2A", ("sentinel-2b", 95, "05.11", 0, "20250731T130249", "2025-07-31")),
        ("S2B_T24MUA_20250731T130245_L2A", ("sentinel-2b", 95, "05.11", -1000, "20250731T130249", "2025-07-31")),
        ("S2A_29RKH_20200219_0_L2A", ("sentinel-2a", 37, "02.14", 0, "20200219T112111", "2020-08-19")),
        ("S2A_28QCH_20200714_0_L2A", ("sentinel-2a", 123, "02.14", 0, "20200714T115221", "")),
        (
            "S2A_MSIL2A_20190101T000001_R116_T58UFE_20201007T214651",
            ("sentinel-2a", 116, "02.12", 0, "20190101T000001", ""),
        ),
        (
            "S2B_MSIL2A_20240419T095549_R122_T46XER_20240419T124342",
            ("sentinel-2b", 122, "05.10", None, "20240419T095549", ""),
        ),
        (
            "S2C_MSIL2A_20260527T014651_N0512_R017_T55WFR_20260527T042005",
            ("sentinel-2c", 17, "05.12", -1000, "20260527T014651", "2026-05-27"),
        ),
        (
            "S2B_MSIL2A_20200322T074609_N0500_R135_T36NYH_20230612T214223",
            ("sentinel-2b", 135, "05.00", -1000, "20200322T074609", "2023-10-07"),
        ),
        ("S2A_T07HFE_20190212T192646_L2A", ("sentinel-2a", 13, "02.12", 0, "20190212T192651", "2025-06-05")),
        ("S2B_T33XWJ_20220413T150756_L2A", ("sentinel-2b", 25, "04.00", -1000, "20220413T150759", "2025-06-05")),
    ],
)
def test_scenes_of_each_catalogue_have_the_right_facts(stac: Read, name: str, expected: tuple[Any, ...]) -> None:
    scene = one(stac(name))
    taken = f"{scene.datatake:%Y%m%dT%H%M%S}" if scene.datatake else ""
    listed = str(scene.published.date()) if scene.published else ""
    part = scene.parts[0]
    assert (scene.platform, scene.relative_orbit, part.baseline, part.offset_hint, taken, listed) == expected


def test_scenes_scene_id_is_the_same_in_both_collections(stac: Read) -> None:
    names = ("S2B_24MUA_20250731_0_L2A", "S2B_T24MUA_20250731T130245_L2A")
    assert {one(stac(name)).scene_id for name in names} == {"S2B_24MUA_20250731T130249_R095"}


@pytest.mark.parametrize(
    ("page", "count", "reasons"),
    [
        ("earth-search-v1/responses/cloud-filter-page1.json", 5, {"sentinel-1-grd": 3, "S2MSI1C": 2}),
        ("earth-search-v1/responses/cloud-filter-page2.json", 7, {"S2MSI1C": 3}),
        ("earth-search-v1/responses/fields-no-geometry-page1.json", 0, {"lists none of the files": 10}),
        ("earth-search-v1/responses/two-collections-page1.json", 1, {"landsat-c2-l2": 1}),
        ("earth-search-v1/responses/two-collections-page2.json", 0, {}),
        ("earth-search-v1/responses/v0-page1.json", 1, {}),
        ("planetary-computer/responses/naip-paging-page1.json", 0, {"naip": 10}),
        ("planetary-computer/responses/naip-paging-page2.json", 0, {"naip": 10}),
        ("planetary-computer/responses/s2-datetime-page1.json", 33, {}),
        ("planetary-computer/responses/site1-20200606-tall-strip-africa.geojson", 9, {}),
        ("planetary-computer/responses/site2-2020_jun_jul-35MNM.geojson", 13, {}),
        ("cdse/responses/global-mosaics-search_queried.json", 0, {"S2MSI_L3__MCQ": 1}),
        ("cdse/responses/issue1043-api-proj-code-page1.json", 1, {}),
        ("cdse/responses/issue1547-inconsistent-nodata-handling-page1.json", 1, {}),
    ],
)
def test_scenes_of_each_recorded_page_are_counted(stac: Read, page: str, count: int, reasons: dict[str, int]) -> None:
    items = stac(page)["features"]
    parsed = parse.scenes(items, catalog="test")
    assert len(parsed.scenes) == count
    assert len(parsed.problems) == sum(reasons.values()) == len(items) - count
    for reason, times in reasons.items():
        assert sum(reason in line for line in parsed.problems) == times
    assert not any("\n" in line for line in parsed.problems)
    assert all(set(dict(scene.parts[0].assets)) == ALL for scene in parsed.scenes)


def test_scenes_of_v0_reads_its_own_flag_and_baseline(stac: Read) -> None:
    scene = one(stac("earth-search-v1/responses/v0-page1.json")["features"][0])
    assert (scene.granule.mgrs, scene.parts[0].baseline, scene.parts[0].offset_hint) == ("20EPT", "05.11", 0)


def test_scenes_of_series_give_absolute_paths_of_existing_files(shared_data: Path) -> None:
    for name, count, bands in (("boadella", 12, ALL - {"SCL"}), ("worldcereal-a", 118, ALL)):
        folder = shared_data / "series" / name
        items = json.loads((folder / "items.json").read_text())["features"]
        parsed = parse.scenes(items, catalog="file", base=folder)
        assert (len(parsed.scenes), parsed.problems) == (count, ())
        for scene in parsed.scenes:
            part = scene.parts[0]
            assert set(dict(part.assets)) == bands
            assert all(Path(asset.href).is_absolute() and Path(asset.href).is_file() for _, asset in part.assets)
            assert (scene.platform, scene.relative_orbit, part.baseline, part.offset_hint) == ("", None, "02.00", 0)


def test_d2_baseline_is_never_guessed_from_the_date(stac: Read) -> None:
    item = stac("S2A_13TDE_20231008_0_L2A")
    names = ("s2:processing_baseline", "s2:product_uri", "s2:datatake_id", "s2:datastrip_id", "s2:granule_id")
    for name in names:
        del item["properties"][name]
    assert one(item).parts[0].baseline == ""


def test_d8_solar_day_is_local_where_the_utc_date_is_not(stac: Read) -> None:
    east = one(stac("S2A_OPER_MSI_L2A_TL_2APS_20240109T203651_A044654_T60CWS"))  # 18:47 UTC at 177 E
    assert (east.sensed.date(), east.solar_day) == (date(2024, 1, 9), date(2024, 1, 10))
    west = one(stac("S2A_T01WCP_20230625T234624_L2A"))  # 23:46 UTC on a grid about 177 W
    assert (west.sensed.date(), west.solar_day) == (date(2023, 6, 25), date(2023, 6, 25))


def test_d9_wgs84_geometry_is_not_looked_at(stac: Read) -> None:
    item = stac("S2A_T01KAB_20230821T221944_L2A")
    told = one(item)
    item["geometry"] = {"type": "Polygon", "coordinates": [[[-180, -20], [180, -20], [180, -10], [-180, -20]]]}
    item["bbox"] = None
    assert one(item) == told
    assert (told.granule.mgrs, told.granule.epsg) == ("01KAB", 32701)


def test_scenes_in_another_projection_than_their_tile_are_refused(stac: Read) -> None:
    item = stac("S2B_24MUA_20250731_0_L2A")
    item["properties"]["proj:epsg"] = 4326
    problem = parse.scenes([item], catalog="test").problems[0]
    assert "EPSG:4326" in problem
    assert "24MUA" in problem


def test_d23_cloud_cover_is_told_and_never_refused(stac: Read) -> None:
    item = stac("S2B_T01CCV_20191228T210521_L2A")
    assert one(item).cloud_pct == pytest.approx(99.99889)
    item["properties"]["eo:cloud_cover"] = float("nan")
    assert one(item).cloud_pct is None


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=8),
    st.just([]),
    st.just({}),
)


def paths(value: Any, trail: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where each value of a nested document stands."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [trail, *(path for key, inner in pairs for path in paths(inner, (*trail, key)))]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_scenes_of_broken_items_are_problems_never_crashes(stac: Read, data: st.DataObject) -> None:
    names = ("S2B_T24MUA_20250731T130245_L2A", "S2C_MSIL2A_20260527T014651_N0512_R017_T55WFR_20260527T042005")
    item = copy.deepcopy(stac(data.draw(st.sampled_from(names))))
    keep = {"assets": {key: item["assets"][key] for key in list(item["assets"])[:12]}}
    item |= keep
    for _ in range(data.draw(st.integers(1, 3))):
        trail = data.draw(st.sampled_from(paths(item)))
        junk = data.draw(JUNK)
        if not trail:
            item = junk
            break
        place = item
        for key in trail[:-1]:
            place = place[key]
        place[trail[-1]] = junk
    parsed = parse.scenes([item], catalog="test")
    assert len(parsed.scenes) + len(parsed.problems) == 1
    assert all(scene.solar_day and scene.revision for scene in parsed.scenes)
