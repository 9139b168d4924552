import copy
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from pipeline.catalog import coverage, merge, parse
from pipeline.schema import Scene

Read = Callable[[str], Any]


def scenes(items: list[Any], catalog: str) -> tuple[Scene, ...]:
    return merge.merge(parse.scenes(items, catalog=catalog).scenes)


def halved(item: Any) -> Any:
    """The same acquisition's other datastrip, four minutes on."""
    other = copy.deepcopy(item)
    other["id"] += "_lower"
    other["properties"]["s2:datastrip_id"] = item["properties"]["s2:datastrip_id"].replace("T130245", "T130645")
    return other


def test_d5_missing_datastrip_and_missing_scene_are_gaps(stac: Read) -> None:
    names = ("S2B_T24MUA_20250731T130245_L2A", "S2B_T24MUV_20250731T130245_L2A", "S2B_T24MVV_20250731T130245_L2A")
    full = [stac(name) for name in names]
    half = halved(full[0])
    second = scenes([*full, half], "second")
    gaps = coverage.missing(scenes(full[:2], "first"), second)
    assert [(gap.granule.mgrs, gap.day, len(gap.datastrips)) for gap in gaps] == [
        ("24MUA", date(2025, 7, 31), 1),
        ("24MVV", date(2025, 7, 31), 0),
    ]
    assert gaps[0].datastrips == (half["properties"]["s2:datastrip_id"],)
    assert coverage.missing(second, second) == ()
    assert coverage.missing(second, scenes(full[:2], "first")) == ()


def test_d5_other_names_of_the_same_acquisition_are_no_gap(stac: Read) -> None:
    first = scenes([stac("S2B_24MUA_20250731_0_L2A")], "first")
    assert coverage.missing(first, scenes([stac("S2B_T24MUA_20250731T130245_L2A")], "second")) == ()


def test_d5_unnamed_datastrips_are_only_counted(stac: Read) -> None:
    item = stac("S2B_T24MUA_20250731T130245_L2A")
    other = halved(item)
    silent = [copy.deepcopy(item), copy.deepcopy(other)]
    for number, entry in enumerate(silent):
        entry["id"] = f"S2B_24MUA_20250731_{number}_L2A"
        del entry["properties"]["s2:datastrip_id"]
        entry["properties"]["s2:generation_time"] = f"2025-08-0{number + 1}T00:00:00Z"
    two, one = scenes(silent, "second"), scenes([item], "first")
    assert len(two[0].parts) == 2
    assert len(coverage.missing(one, two)) == 1
    assert coverage.missing(scenes([item, other], "first"), two) == ()


def test_d6_newest_gives_the_latest_scene_of_each_granule(stac: Read) -> None:
    items = stac("planetary-computer/responses/site2-2020_jun_jul-35MNM.geojson")["features"]
    items += stac("planetary-computer/responses/site1-20200606-tall-strip-africa.geojson")["features"]
    latest = coverage.newest(scenes(items, "pc"))
    assert len(latest) == 9
    assert {granule.mgrs: scene.solar_day for granule, scene in latest.items()}["35MNM"] == date(2020, 7, 31)
    assert list(latest) == sorted(latest)
    assert max(scene.sensed for scene in latest.values()) - min(s.sensed for s in latest.values()) > timedelta(days=50)
