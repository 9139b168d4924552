"""Kinds: one event on one ground, whatever the contests of different nights say; and no camp is lost."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon, box

from pipeline import config, grid
from pipeline.alerts import link
from pipeline.schema import KINDS, Alert, Detection, Kind, Status

GRANULE = grid.granule("43RGM")
RULES = config.Evidence(confirm_looks=2, expire_days=60)
FIRST = date(2025, 11, 1)
OPEN = (Status.POSSIBLE, Status.CONFIRMED)


def block(col: int, row: int, width: int, height: int) -> Polygon:
    west, north = GRANULE.left_m + 20_000 + col * 10, GRANULE.top_m - 20_000 - row * 10
    return box(west, north - height * 10, west + width * 10, north)


def run(found: list[Detection], alerts: tuple[Alert, ...] = (), day: int = 1) -> tuple[Alert, ...]:
    tonight = link.Tonight("hills", FIRST + timedelta(days=day), "vanwatch-s@1")
    carried = link.link(found, alerts, tonight=tonight, rules=RULES)
    assert link.link(found, carried, tonight=tonight, rules=RULES) == carried
    assert link.link(found[::-1], alerts[::-1], tonight=tonight, rules=RULES) == carried
    return carried


def event(planted: Any, shape: Polygon, kind: Kind, day: int, *, hits: int = 2, **p: float) -> Detection:
    """A detection that looks until `day` have shown, with probabilities by kind."""
    found: Detection = planted.detection(shape, GRANULE, kind=kind, hits=hits, seen=day)
    clearing, camp, track = (p.get(name, 0.95 if name == kind else 0.0) for name in KINDS)
    return replace(found, probabilities=(clearing, camp, track), confidence=(clearing, camp, track)[KINDS.index(kind)])


def test_confirmed_clearing_found_as_a_confirmed_camp_becomes_a_camp_under_its_id(planted: Any) -> None:
    ground = block(0, 0, 7, 5)
    (old,) = run([event(planted, ground, Kind.CLEARING, 5)], day=6)
    found = event(planted, ground, Kind.CAMP, 10, hits=3, clearing=0.94, camp=0.97)
    (alert,) = run([found], (old,), day=11)
    assert (alert.alert_id, alert.detection.kind, alert.status) == (old.alert_id, Kind.CAMP, Status.CONFIRMED)
    assert alert.caution == ("kind was clearing",)
    assert alert.detection.probabilities == (0.94, 0.97, 0.0)
    assert alert.confirmed_on == old.confirmed_on


def test_confirmed_camp_found_as_a_clearing_stays_a_camp_while_its_evidence_stands(planted: Any) -> None:
    (old,) = run([event(planted, block(0, 0, 7, 5), Kind.CAMP, 5)], day=6)
    wider = event(planted, block(0, 0, 8, 5), Kind.CLEARING, 10, hits=3, clearing=0.97, camp=0.78)
    (alert,) = run([wider], (old,), day=11)
    assert (alert.alert_id, alert.detection.kind, alert.status) == (old.alert_id, Kind.CAMP, Status.CONFIRMED)
    assert (alert.detection.confidence, alert.detection.area_m2) == (0.78, 4000)
    assert alert.caution == ("kind may be clearing",)
    assert alert.grown_ha == 0.05
    again = event(planted, block(0, 0, 8, 5), Kind.CAMP, 15, hits=4, clearing=0.9, camp=0.95)
    (alert,) = run([again], (alert,), day=16)
    assert (alert.alert_id, alert.caution, alert.grown_ha) == (old.alert_id, (), 0)


def test_confirmed_camp_whose_evidence_is_gone_becomes_a_clearing_and_says_so(planted: Any) -> None:
    (old,) = run([event(planted, block(0, 0, 7, 5), Kind.CAMP, 5)], day=6)
    (alert,) = run([event(planted, block(0, 0, 7, 5), Kind.CLEARING, 30, hits=6, camp=0.2)], (old,), day=31)
    assert (alert.alert_id, alert.detection.kind) == (old.alert_id, Kind.CLEARING)
    assert alert.caution == ("kind was camp",)


def test_single_look_of_another_kind_changes_no_confirmed_alert(planted: Any) -> None:
    ground = block(0, 0, 7, 5)
    (old,) = run([event(planted, ground, Kind.CLEARING, 5)], day=6)
    alerts = {a.detection.kind: a for a in run([event(planted, ground, Kind.CAMP, 10, hits=1)], (old,), day=11)}
    assert alerts[Kind.CLEARING].alert_id == old.alert_id
    assert (alerts[Kind.CLEARING].status, alerts[Kind.CAMP].status) == (Status.CONFIRMED, Status.POSSIBLE)
    later = run([event(planted, ground, Kind.CAMP, 15, hits=2)], tuple(alerts.values()), day=16)
    shown = [alert for alert in later if alert.status in OPEN]
    assert [(a.alert_id, a.detection.kind) for a in shown] == [(old.alert_id, Kind.CAMP)]
    assert shown[0].lineage == (alerts[Kind.CAMP].alert_id,)


@pytest.mark.parametrize("inside", [block(4, 4, 3, 3), block(20, 5, 3, 3)], ids=["inside", "beside"])
def test_confirmed_camp_in_or_beside_a_larger_clearing_stays_a_camp_and_the_clearing_goes_on(
    planted: Any, inside: Polygon
) -> None:
    old = run(
        [event(planted, inside, Kind.CAMP, 5), event(planted, block(0, 0, 20, 3), Kind.CLEARING, 5)],
        day=6,
    )
    assert len(old) == 2
    grown = event(planted, block(0, 0, 20, 20), Kind.CLEARING, 10, hits=3, camp=0.05)
    alerts = run([grown], old, day=11)
    assert {(a.alert_id, a.detection.kind, a.status) for a in alerts} == {
        (a.alert_id, a.detection.kind, Status.CONFIRMED) for a in old
    }
    camp = next(alert for alert in alerts if alert.detection.kind == Kind.CAMP)
    assert camp.detection.area_m2 == 900


def test_confirmed_clearing_within_a_larger_confirmed_camp_or_track_ends_in_it(planted: Any) -> None:
    (old,) = run([event(planted, block(2, 2, 4, 4), Kind.CLEARING, 5)], day=6)
    alerts = run([event(planted, block(0, 0, 12, 12), Kind.CAMP, 10)], (old,), day=11)
    by_kind = {alert.detection.kind: alert for alert in alerts}
    assert by_kind[Kind.CLEARING].status == Status.CLOSED
    assert by_kind[Kind.CAMP].lineage == (old.alert_id,)


def test_confirmed_track_in_a_clearing_stays(planted: Any) -> None:
    (old,) = run([event(planted, block(0, 8, 30, 1), Kind.TRACK, 5)], day=6)
    alerts = run([event(planted, block(0, 0, 30, 20), Kind.CLEARING, 10)], (old,), day=11)
    assert {alert.detection.kind for alert in alerts if alert.status == Status.CONFIRMED} == {
        Kind.TRACK,
        Kind.CLEARING,
    }


def test_both_kinds_published_before_become_one_event_of_the_oldest_id(planted: Any) -> None:
    ground = block(0, 0, 7, 5)
    (clearing,) = run([event(planted, ground, Kind.CLEARING, 5)], day=6)
    (camp,) = run([event(planted, ground, Kind.CAMP, 8)], day=9)
    both = (clearing, camp)
    found = event(planted, ground, Kind.CLEARING, 20, hits=5, clearing=0.99, camp=0.9)
    shown = [alert for alert in run([found], both, day=21) if alert.status in OPEN]
    assert [(a.alert_id, a.detection.kind) for a in shown] == [(clearing.alert_id, Kind.CAMP)]
    assert shown[0].lineage == (camp.alert_id,)
    assert shown[0].grown_ha == 0


def test_dismissed_camp_is_not_what_a_clearing_is_corrected_to(planted: Any) -> None:
    ground = block(0, 0, 7, 5)
    (camp,) = run([event(planted, ground, Kind.CAMP, 5)], day=6)
    (clearing,) = run([event(planted, ground, Kind.CLEARING, 8)], day=9)
    alerts = run([event(planted, ground, Kind.CAMP, 12)], (replace(camp, status=Status.DISMISSED), clearing), day=13)
    assert {alert.detection.kind: alert.status for alert in alerts} == {
        Kind.CAMP: Status.DISMISSED,
        Kind.CLEARING: Status.CONFIRMED,
    }


shapes = st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(3, 9), st.integers(3, 9))
steps = st.lists(
    st.tuples(shapes, st.sampled_from([Kind.CLEARING, Kind.CAMP]), st.floats(0, 1), st.integers(1, 4)),
    min_size=2,
    max_size=5,
)


@settings(max_examples=40)
@given(steps)
def test_one_event_seen_as_changing_kinds_is_never_two_confirmed_ones_on_the_same_ground(
    planted: Any, steps: Any
) -> None:
    alerts: tuple[Alert, ...] = ()
    for number, ((col, row, width, height), kind, other, hits) in enumerate(steps):
        p = {"clearing": other, "camp": other} | {kind.value: 0.95}
        item = event(planted, block(col, row, width, height), kind, 5 * number, hits=hits, **p)
        alerts = run([item], alerts, day=5 * number + 1)
        now = [a for a in alerts if a.detection.footprint == item.footprint and a.status in OPEN]
        assert now
        confirmed = [a.detection for a in now if a.status == Status.CONFIRMED]
        assert len(confirmed) <= 1
