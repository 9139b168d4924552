"""What of a listed scene is still to be looked at; the rest of planning is shown by whole nights in test_run.py."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline import grid
from pipeline.nightly import entries, plan
from pipeline.schema import Asset, Part, Scene

NOON = datetime(2026, 5, 1, 5, 0, tzinfo=UTC)
DAY = timedelta(days=1)


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


@pytest.mark.parametrize(
    ("baseline", "generated", "expected"),
    [("05.11", NOON, False), ("05.10", NOON + DAY, False), ("05.12", None, True), ("05.11", NOON + DAY, True)],
)
def test_better_is_a_higher_baseline_or_a_later_processing(
    baseline: str, generated: datetime | None, expected: bool
) -> None:
    used = part("a", 0)
    entry = {"state": "used", "datastrips": [used.datastrip], "processed": entries.processed(scene(used))}
    listed = scene(replace(part("b", 0, baseline), generated=generated))
    assert plan.better(listed, entry) == expected
    assert not plan.better(listed, entry | {"state": "refused"})


def test_d5_better_never_for_a_datastrip_that_is_late() -> None:
    upper, lower = part("upper", 0), part("lower", 20, "05.12")
    entry = {"state": "used", "datastrips": [upper.datastrip], "processed": entries.processed(scene(upper))}
    assert not plan.better(scene(upper, lower), entry)


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
