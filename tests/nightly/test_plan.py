"""What of a listed scene is still to be looked at; the rest of planning is shown by whole nights in test_run.py."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pipeline import grid
from pipeline.nightly import plan
from pipeline.schema import Asset, Part, Scene

NOON = datetime(2026, 5, 1, 5, 0, tzinfo=UTC)


def part(name: str, strip_s: int, baseline: str = "05.11") -> Part:
    strip = f"S2B_DS_S{NOON + timedelta(seconds=strip_s):%Y%m%dT%H%M%S}_N"
    return Part(name, "c", "sentinel-2-l2a", strip, baseline, NOON, None, (("B02", Asset(f"/{name}.tif")),))


def scene(*parts: Part) -> Scene:
    granule = grid.granule("44QMH")
    return Scene("S2B_44QMH", "sentinel-2b", granule, NOON, NOON, 19, 1.0, parts, tuple(p.item_id for p in parts), NOON)


def test_unused_new_failed_and_waiting_scenes_are_looked_at() -> None:
    one = scene(part("a", 0))
    for entry in ({}, {"state": "failed"}, {"state": "waiting"}, {"state": "partly"}):
        assert plan.unused(one, entry) is one


def test_unused_used_scene_is_done_whatever_its_processing() -> None:
    entry = {"state": "used", "revision": "x", "datastrips": [part("a", 0).datastrip]}
    assert plan.unused(scene(part("a", 0, "05.12")), entry) is None
    assert plan.unused(scene(part("a", 0)), {"state": "used", "revision": "x"}) is None


def test_d5_unused_datastrip_listed_a_night_later_is_looked_at_alone() -> None:
    upper, lower = part("upper", 0), part("lower", 20)
    entry = {"state": "used", "revision": "x", "datastrips": [upper.datastrip]}
    assert plan.unused(scene(upper, lower), entry) == replace(scene(upper, lower), parts=(lower,))


def test_d4_unused_refused_scene_gets_another_chance_with_another_processing() -> None:
    one, again = scene(part("a", 0)), scene(part("a", 0, "05.12"))
    entry = {"state": "refused", "revision": one.revision}
    assert plan.unused(one, entry) is None
    assert plan.unused(again, entry) is again
