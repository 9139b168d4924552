"""Life: what ends an alert, what brings it back, and what an analyst's word keeps quiet."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon, box

from pipeline import config, grid
from pipeline.alerts import life, link
from pipeline.alerts.life import Ground
from pipeline.schema import Alert, Kind, Status

GRANULE = grid.granule("43RGM")
RULES = config.Evidence(
    confirm_looks=2, expire_days=60, close_days=90, dismissed_growth_share=0.5, dismissed_growth_ha=0.1
)
FIRST = date(2025, 11, 1)


def block(col: int, row: int, width: int, height: int) -> Polygon:
    west, north = GRANULE.left_m + 20_000 + col * 10, GRANULE.top_m - 20_000 - row * 10
    return box(west, north - height * 10, west + width * 10, north)


def run(found: list[Any], alerts: tuple[Alert, ...] = (), day: int = 1, **more: Any) -> tuple[Alert, ...]:
    tonight = link.Tonight("hills", FIRST + timedelta(days=day), "vanwatch-s@1", **more)
    carried = link.link(found, alerts, tonight=tonight, rules=RULES)
    assert link.link(found, carried, tonight=tonight, rules=RULES) == carried
    assert link.link(found[::-1], alerts[::-1], tonight=tonight, rules=RULES) == carried
    return carried


def seen(day: int) -> date:
    return FIRST + timedelta(days=day)


@pytest.fixture
def confirmed(planted: Any) -> Alert:
    """A clearing of one hectare, confirmed on the first of November."""
    (alert,) = run([planted.detection(block(0, 0, 10, 10), GRANULE, hits=2)])
    return alert


@pytest.fixture
def dismissed(planted: Any) -> Alert:
    (alert,) = run([planted.detection(block(0, 0, 10, 10), GRANULE)])
    return replace(alert, status=Status.DISMISSED, verdict="dismissed", verdict_by="an")


def test_confirmed_with_evidence_gone_and_clear_looks_for_long_is_closed(confirmed: Alert) -> None:
    ground = {confirmed.alert_id: Ground(standing=False, clear_on=seen(90))}
    (alert,) = run([], (confirmed,), day=95, grounds=ground)
    assert (alert.status, alert.caution) == (Status.CLOSED, ("contradicted",))
    assert alert.confirmed_on == confirmed.confirmed_on


@pytest.mark.parametrize(
    "ground",
    [
        None,
        Ground(standing=False, clear_on=None),
        Ground(standing=False, clear_on=seen(89)),
        Ground(standing=True, clear_on=seen(300)),
    ],
    ids=["tile failed", "never clear since", "clear, not for long", "evidence stands"],
)
def test_confirmed_stays_as_long_as_nothing_speaks_against_it(confirmed: Alert, ground: Ground | None) -> None:
    grounds = {} if ground is None else {confirmed.alert_id: ground}
    assert run([], (confirmed,), day=400, grounds=grounds)[0].status == Status.CONFIRMED


def test_confirmed_found_tonight_is_not_closed_whatever_is_said_of_its_ground(planted: Any, confirmed: Alert) -> None:
    item = planted.detection(block(0, 0, 10, 10), GRANULE, hits=3, seen=200)
    ground = {confirmed.alert_id: Ground(standing=False, clear_on=seen(200))}
    assert run([item], (confirmed,), day=201, grounds=ground)[0].status == Status.CONFIRMED


def test_possible_is_not_closed_but_expires(planted: Any) -> None:
    (alert,) = run([planted.detection(block(0, 0, 10, 10), GRANULE)])
    ground = {alert.alert_id: Ground(standing=False, clear_on=seen(95))}
    assert run([], (alert,), day=95, grounds=ground)[0].status == Status.EXPIRED


def test_what_comes_back_where_an_alert_was_closed_is_a_new_one_that_names_it(planted: Any, confirmed: Alert) -> None:
    ground = {confirmed.alert_id: Ground(standing=False, clear_on=seen(90))}
    closed = run([], (confirmed,), day=95, grounds=ground)
    alerts = run([planted.detection(block(1, 1, 10, 10), GRANULE, seen=200)], closed, day=201)
    (back,) = [alert for alert in alerts if alert.alert_id != confirmed.alert_id]
    assert (back.status, back.lineage) == (Status.POSSIBLE, (confirmed.alert_id,))
    assert closed[0] in alerts


def test_dismissed_ground_stays_quiet_and_as_it_was_dismissed(planted: Any, dismissed: Alert) -> None:
    (alert,) = run([planted.detection(block(0, 0, 14, 10), GRANULE, hits=4, seen=20)], (dismissed,), day=21)
    assert (alert.status, alert.verdict_by) == (Status.DISMISSED, "an")
    assert alert.detection == dismissed.detection


def test_dismissed_ground_outgrown_gives_a_new_alert_that_names_it(planted: Any, dismissed: Alert) -> None:
    alerts = run([planted.detection(block(0, 0, 15, 10), GRANULE, hits=4, seen=20)], (dismissed,), day=21)
    (new,) = [alert for alert in alerts if alert.alert_id != dismissed.alert_id]
    assert (new.status, new.lineage) == (Status.CONFIRMED, (dismissed.alert_id,))
    assert len(alerts) == 2
    shrunk = run([planted.detection(block(0, 0, 11, 10), GRANULE, hits=5, seen=25)], alerts, day=26)
    assert {alert.alert_id: alert.status for alert in shrunk} == {a.alert_id: a.status for a in alerts}


def test_dismissed_in_small_steps_is_measured_from_what_was_dismissed(planted: Any, dismissed: Alert) -> None:
    alerts: tuple[Alert, ...] = (dismissed,)
    told = []
    for step in range(1, 8):
        item = planted.detection(block(0, 0, 10 + step, 10), GRANULE, hits=2, seen=5 * step)
        alerts = run([item], alerts, day=5 * step)
        told.append(len(alerts))
    assert told == [1, 1, 1, 1, 2, 2, 2]


def test_dismissed_camp_of_a_few_pixels_is_not_brought_back_by_registration(planted: Any) -> None:
    (camp,) = run([planted.detection(block(0, 0, 2, 2), GRANULE, kind=Kind.CAMP)])
    camp = replace(camp, status=Status.DISMISSED)
    moved = planted.detection(block(1, 1, 3, 2), GRANULE, kind=Kind.CAMP, hits=2, seen=5)
    assert run([moved], (camp,), day=6) == (replace(camp, as_of=seen(6)),)


def test_dismissed_ground_of_another_kind_gives_a_new_alert_that_names_it(planted: Any, dismissed: Alert) -> None:
    alerts = run([planted.detection(block(0, 0, 10, 10), GRANULE, kind=Kind.CAMP, seen=5)], (dismissed,), day=6)
    (new,) = [alert for alert in alerts if alert.alert_id != dismissed.alert_id]
    assert (new.detection.kind, new.status, new.lineage) == (Kind.CAMP, Status.POSSIBLE, (dismissed.alert_id,))


def test_dismissed_and_split_stays_quiet_in_both_parts(planted: Any) -> None:
    (whole,) = run([planted.detection(block(0, 0, 30, 10), GRANULE)])
    whole = replace(whole, status=Status.DISMISSED)
    parts = [planted.detection(block(0, 0, 12, 10), GRANULE, seen=4), planted.detection(block(15, 0, 15, 10), GRANULE)]
    assert [alert.status for alert in run(parts, (whole,), day=5)] == [Status.DISMISSED]


def test_dismissed_beside_a_large_new_one_does_not_hide_it(planted: Any, dismissed: Alert) -> None:
    beside = planted.detection(block(11, 0, 20, 10), GRANULE, seen=4)
    alerts = run([beside], (dismissed,), day=5)
    assert {alert.status for alert in alerts} == {Status.DISMISSED, Status.POSSIBLE}


def test_neighbour_that_runs_together_with_dismissed_ground_has_not_grown_by_it_and_names_it(
    planted: Any, dismissed: Alert
) -> None:
    beside = planted.detection(block(12, 0, 20, 10), GRANULE, hits=2, seen=5)
    alerts = run([beside], (dismissed,), day=6)
    both = planted.detection(block(0, 0, 32, 10), GRANULE, hits=3, seen=10)
    for _ in range(2):  # the second time, nothing is left to change
        alerts = run([both], alerts, day=11)
        (open_one,) = [alert for alert in alerts if alert.alert_id != dismissed.alert_id]
        assert (open_one.detection.area_m2, open_one.grown_ha) == (32_000, 0.2)  # the two columns between them
        assert (open_one.status, open_one.lineage) == (Status.CONFIRMED, (dismissed.alert_id,))
        assert next(alert for alert in alerts if alert != open_one).detection == dismissed.detection
    back = run([planted.detection(block(12, 0, 20, 10), GRANULE, hits=4, seen=15)], alerts, day=16)
    wider = run([planted.detection(block(0, 0, 40, 10), GRANULE, hits=4, seen=15)], alerts, day=16)
    assert [a.grown_ha for alerts in (back, wider) for a in alerts if a.status == Status.CONFIRMED] == [-1.2, 0.8]


def test_neighbour_that_takes_a_corner_of_dismissed_ground_does_not_name_it(planted: Any, dismissed: Alert) -> None:
    alerts = run([planted.detection(block(12, 0, 20, 10), GRANULE, hits=2, seen=5)], (dismissed,), day=6)
    alerts = run([planted.detection(block(6, 0, 26, 10), GRANULE, hits=3, seen=10)], alerts, day=11)
    (open_one,) = [alert for alert in alerts if alert.alert_id != dismissed.alert_id]
    assert (open_one.grown_ha, open_one.lineage) == (0.2, ())


def test_small_neighbour_does_not_bring_dismissed_ground_back_and_is_not_lost(planted: Any, dismissed: Alert) -> None:
    alerts = run([planted.detection(block(12, 0, 2, 2), GRANULE, hits=1, seen=5)], (dismissed,), day=6)
    (small,) = [alert for alert in alerts if alert.alert_id != dismissed.alert_id]
    both = planted.detection(block(0, 0, 14, 10), GRANULE, hits=5, seen=50)
    for day in (51, 51, 100):
        alerts = run([both], alerts, day=day)
        (still,) = [alert for alert in alerts if alert.alert_id != dismissed.alert_id]
        assert still.detection == replace(small.detection, last_seen=seen(50))
        assert (still.status, still.grown_ha, still.as_of) == (Status.POSSIBLE, 0, seen(day))
    alerts = run([planted.detection(block(0, 0, 16, 10), GRANULE, hits=6, seen=105)], alerts, day=106)
    (still,) = [alert for alert in alerts if alert.alert_id != dismissed.alert_id]
    assert (still.alert_id, still.status, still.detection.area_m2) == (small.alert_id, Status.CONFIRMED, 16_000)
    assert (still.grown_ha, still.lineage) == (0.56, (dismissed.alert_id,))


def test_two_small_camps_of_which_one_was_dismissed_run_together_and_the_other_goes_on(planted: Any) -> None:
    camps = [planted.detection(block(s, 0, 2, 3), GRANULE, kind=Kind.CAMP) for s in (0, 3)]
    one, other = sorted(run(camps), key=lambda alert: alert.detection.footprint.bounds)
    both = planted.detection(block(0, 0, 5, 3), GRANULE, kind=Kind.CAMP, hits=2, seen=5)
    alerts = {a.alert_id: a for a in run([both], (replace(one, status=Status.DISMISSED), other), day=6)}
    assert alerts[other.alert_id].status == Status.CONFIRMED
    assert alerts[other.alert_id].detection.area_m2 == 1500


def test_merged_alert_keeps_what_an_analyst_confirmed_of_the_younger(planted: Any) -> None:
    (old,) = run([planted.detection(block(0, 0, 10, 10), GRANULE)])
    both = run([planted.detection(block(s, 0, 10, 10), GRANULE, seen=s // 5) for s in (0, 20)], (old,), day=5)
    said = {"verdict": "confirmed", "verdict_by": "an", "verdict_on": seen(5), "note": "huts"}
    both = tuple(a if a == old or a.alert_id == old.alert_id else replace(a, **said) for a in both)
    merged = {a.alert_id: a for a in run([planted.detection(block(0, 0, 30, 10), GRANULE, seen=9)], both, day=10)}
    kept = merged[old.alert_id]
    assert (kept.status, kept.verdict, kept.note) == (Status.CONFIRMED, "confirmed", "huts")


sizes = st.integers(1, 30)


@settings(max_examples=80)
@given(sizes, sizes, sizes, sizes)
def test_outgrown_never_for_what_lies_within_and_always_for_what_is_far_larger(
    planted: Any, width: int, height: int, more: int, down: int
) -> None:
    (alert,) = run([planted.detection(block(0, 0, width, height), GRANULE)])
    within = planted.detection(block(0, 0, max(1, width - more), max(1, height - down)), GRANULE)
    assert not life.outgrown(within, [alert], RULES)
    wide = planted.detection(block(0, 0, 3 * width + 10, height + down), GRANULE)
    assert life.outgrown(wide, [alert], RULES)
