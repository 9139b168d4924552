import copy
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import grid
from pipeline.catalog import merge, parse
from pipeline.schema import Asset, Part, Scene

Read = Callable[[str], Any]
NOON = datetime(2025, 7, 31, 12, 0, 0, tzinfo=UTC)
GRANULE = grid.granule("24MUA")


def listing(
    item_id: str = "one", *, strip_s: int | None = 0, baseline: str = "05.11", made_h: int = 1, **facts: Any
) -> Scene:
    """One item's scene: `strip_s` seconds from the datatake to the datastrip, processed `made_h` hours later."""
    made = NOON + timedelta(hours=made_h)
    strip = (
        "" if strip_s is None else f"S2B_DS_{made:%Y%m%dT%H%M%S}_S{NOON + timedelta(seconds=strip_s):%Y%m%dT%H%M%S}_N"
    )
    part = Part(item_id, "c", "sentinel-2-l2a", strip, baseline, made, None, (("B02", Asset(f"/{item_id}.tif")),))
    scene = Scene("", "sentinel-2b", GRANULE, NOON, NOON, 95, 1.0, (part,), (item_id,), NOON)
    return replace(scene, **facts)


def kept(scenes: list[Scene]) -> list[list[str]]:
    """Item ids of the kept parts, per merged scene."""
    return [[part.item_id for part in scene.parts] for scene in merge.merge(scenes)]


def test_d4_same_acquisition_in_two_collections_is_one_scene(stac: Read) -> None:
    names = ("S2B_24MUA_20250731_0_L2A", "S2B_T24MUA_20250731T130245_L2A")
    for first, second in (names, names[::-1]):
        merged = merge.merge(parse.scenes([stac(first), stac(second)], catalog="es").scenes)
        assert len(merged) == 1
        assert [part.item_id for part in merged[0].parts] == [first]  # equally good: the preferred one
        assert merged[0].item_ids == tuple(sorted(names))


def test_d4_same_acquisition_in_three_catalogues_is_one_scene(stac: Read) -> None:
    v0 = stac("earth-search-v1/responses/v0-page1.json")["features"]
    items = [*v0, stac("S2B_20EPT_20250731_0_L2A"), stac("S2B_T20EPT_20250731T131905_L2A")]
    merged = merge.merge(parse.scenes(items, catalog="es").scenes)
    assert [(scene.scene_id, len(scene.parts)) for scene in merged] == [("S2B_20EPT_20250731T131909_R095", 1)]
    assert merged[0].item_ids == ("S2B_20EPT_20250731_0_L2A", "S2B_T20EPT_20250731T131905_L2A")


def test_d4_all_recorded_pages_merge_to_one_scene_per_acquisition(stac: Read) -> None:
    items = [
        item for page in (1, 2) for item in stac(f"earth-search-v1/responses/cloud-filter-page{page}.json")["features"]
    ]
    scenes = parse.scenes(items, catalog="es").scenes
    merged = merge.merge(scenes)
    assert len(scenes) == 12
    assert [scene.granule.mgrs for scene in merged] == ["20EPT", "24MUA", "24MUV", "24MVV", "24MWV", "24MXV"]
    assert all(len(scene.parts) == 1 and len(scene.item_ids) == 2 for scene in merged)


def test_d4_reprocessing_under_another_datastrip_name_replaces_the_old(stac: Read) -> None:
    old = stac("S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531")
    new = copy.deepcopy(old)
    new["id"] = "S2B_MSIL2A_20190629T212529_N0500_R043_T06VVN_20230701T000000"
    new["properties"] |= {
        "s2:processing_baseline": "05.00",
        "s2:generation_time": "2023-07-01T00:00:00Z",
        "s2:datastrip_id": "S2B_OPER_MSI_L2A_DS_S2RP_20230701T000000_S20190629T212530_N05.00",
    }
    for items in ([old, new], [new, old]):
        (scene,) = merge.merge(parse.scenes(items, catalog="pc").scenes)
        assert [part.baseline for part in scene.parts] == ["05.00"]
        assert scene.item_ids == tuple(sorted((old["id"], new["id"])))


def test_d4_higher_baseline_beats_newer_processing() -> None:
    assert kept([listing("a", baseline="05.11"), listing("b", baseline="05.10", made_h=9)]) == [["a"]]


def test_d4_newer_processing_of_the_same_baseline_wins() -> None:
    assert kept([listing("a"), listing("b", made_h=9), listing("c", made_h=5)]) == [["b"]]


def test_d4_unknown_baseline_is_worst() -> None:
    assert kept([listing("a", baseline="", made_h=9), listing("b", baseline="02.00")]) == [["b"]]


def test_d5_split_datastrips_are_kept_both_in_the_order_sensed() -> None:
    halves = [listing("lower", strip_s=300), listing("upper", strip_s=0)]
    assert kept(halves) == kept(halves[::-1]) == [["upper", "lower"]]


def test_d5_each_split_datastrip_keeps_its_newest_revision() -> None:
    scenes = [
        listing("upper-old", strip_s=0, baseline="02.12"),
        listing("lower-old", strip_s=300, baseline="02.12"),
        listing("upper-new", strip_s=1, baseline="05.00", made_h=99),
    ]
    assert kept(scenes) == [["upper-new", "lower-old"]]


def test_merge_of_unnamed_datastrips_loses_none_but_true_duplicates() -> None:
    assert kept([listing("x_0", strip_s=None), listing("x_1", strip_s=None, made_h=2)]) == [["x_1", "x_0"]]
    assert kept([listing("named"), listing("same-product", strip_s=None)]) == [["named"]]


def test_d4_platform_may_be_absent_if_everything_else_matches() -> None:
    (scene,) = merge.merge([listing("a", platform=""), listing("b", made_h=2)])
    assert (scene.platform, scene.scene_id) == ("sentinel-2b", "S2B_24MUA_20250731T120000_R095")
    (scene,) = merge.merge([listing("a", platform="", datatake=None, relative_orbit=None), listing("b")])
    assert scene.item_ids == ("a", "b")


@pytest.mark.parametrize(
    "facts",
    [
        {"platform": "sentinel-2c"},  # flies 30 s apart when a new satellite is being checked
        {"relative_orbit": 52},
        {"granule": grid.granule("24MUV")},
        {"datatake": NOON + timedelta(minutes=100)},
        {"datatake": None, "sensed": NOON + timedelta(minutes=100)},
    ],
)
def test_merge_of_different_acquisitions_keeps_them_apart(facts: dict[str, Any]) -> None:
    assert len(merge.merge([listing("a"), listing("b", **facts)])) == 2


def test_merge_fills_absent_facts_from_discarded_listings() -> None:
    early = NOON - timedelta(days=1)
    poor = listing("new", made_h=9, cloud_pct=None, relative_orbit=None, published=None)
    (scene,) = merge.merge([poor, listing("old", cloud_pct=7.0, published=early)])
    assert [part.item_id for part in scene.parts] == ["new"]
    assert (scene.cloud_pct, scene.relative_orbit, scene.published) == (7.0, 95, early)


@st.composite
def listings(draw: st.DrawFn) -> tuple[list[Scene], int]:
    """Listings of some acquisitions, with facts withheld at random, and how many acquisitions they show."""
    found: list[Scene] = []
    starts = draw(st.lists(st.integers(0, 12), min_size=1, max_size=4, unique=True))
    for slot in starts:
        taken = NOON + timedelta(minutes=100 * slot)
        for strip_s in draw(st.sampled_from([(0,), (0, 240)])):
            for _ in range(draw(st.integers(1, 3))):
                number = len(found)
                scene = listing(
                    f"item{number}",
                    strip_s=draw(st.sampled_from([strip_s + 6000 * slot, None])),
                    baseline=draw(st.sampled_from(["02.12", "05.00", "05.11"])),
                    made_h=number + 1,
                    platform=draw(st.sampled_from(["sentinel-2b", ""])),
                    relative_orbit=draw(st.sampled_from([95, None])),
                    datatake=draw(st.sampled_from([taken, None])),
                    sensed=taken,
                )
                found.append(scene)
    return found, len(starts)


@given(listings(), st.randoms(use_true_random=False))
def test_merge_in_any_order_gives_the_same_scenes(given_listings: tuple[list[Scene], int], rng: random.Random) -> None:
    found, acquisitions = given_listings
    merged = merge.merge(found)
    shuffled = rng.sample(found, len(found))
    assert merge.merge(shuffled) == merged
    assert merge.merge(merged) == merged
    assert len(merged) == acquisitions
    assert sorted(name for scene in merged for name in scene.item_ids) == sorted(s.item_ids[0] for s in found)


@given(listings())
def test_merge_keeps_the_best_revision_of_each_named_datastrip(given_listings: tuple[list[Scene], int]) -> None:
    found, _ = given_listings
    parts = {part.item_id for scene in merge.merge(found) for part in scene.parts}
    everything = [scene.parts[0] for scene in found]
    for strip in {part.datastrip[-17:] for part in everything if part.datastrip}:
        rivals = [part for part in everything if part.datastrip[-17:] == strip]
        best = max(rivals, key=lambda part: (part.baseline, part.generated))
        assert {part.item_id for part in rivals} & parts == {best.item_id}
    assert {part.item_id for part in everything if not part.datastrip} <= parts


def test_merge_of_nothing_is_nothing() -> None:
    assert merge.merge([]) == ()


def test_d5_late_parts_only_the_datastrip_that_was_not_used_before() -> None:
    (scene,) = merge.merge([listing("upper", strip_s=0), listing("lower", strip_s=20)])
    upper, lower = (part.datastrip for part in scene.parts)
    assert [part.item_id for part in merge.late_parts(scene, [upper])] == ["lower"]
    assert merge.late_parts(scene, [upper, lower]) == ()


def test_d4_late_parts_reprocessing_of_a_used_datastrip_is_not_late() -> None:
    (again,) = merge.merge([listing("new", strip_s=2, baseline="05.12", made_h=9)])
    assert merge.late_parts(again, [listing("old").parts[0].datastrip]) == ()


def test_late_parts_of_unnamed_datastrips_are_never_used_twice() -> None:
    (scene,) = merge.merge([listing("upper", strip_s=0), listing("lower", strip_s=20)])
    assert merge.late_parts(scene, []) == ()
    assert merge.late_parts(scene, [""]) == ()
    assert merge.late_parts(listing("x", strip_s=None), [scene.parts[0].datastrip]) == ()


def test_merge_of_many_scenes_compares_each_with_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of years, or of a hundred thousand items, takes time in proportion to its length."""
    compared = []
    agree = merge.same_acquisition
    monkeypatch.setattr(merge, "same_acquisition", lambda one, other: compared.append(1) or agree(one, other))
    days = [replace(listing(f"item{n}"), datatake=None, sensed=NOON + timedelta(days=n)) for n in range(400)]
    assert len(merge.merge(days)) == 400
    assert len(compared) <= 2 * 400


def test_merge_over_midnight_a_scene_without_datatake_joins_the_one_that_tells_it() -> None:
    start = NOON.replace(hour=23, minute=50)
    told = replace(listing("a"), datatake=start, sensed=start + timedelta(minutes=20))
    silent = replace(listing("b"), datatake=None, sensed=start + timedelta(minutes=20))
    assert len(merge.merge([silent, told])) == 1
