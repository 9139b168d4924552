"""Linking: events keep their id over the nights, whatever the order, and a repeated night changes nothing."""

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon, box

from pipeline import config, grid
from pipeline.alerts import link
from pipeline.schema import Alert, Kind, Status

GRANULE = grid.granule("43RGM")
RULES = config.Evidence(confirm_looks=2, expire_days=60)
FIRST = date(2025, 11, 1)


def block(col: int, row: int, width: int, height: int) -> Polygon:
    west, north = GRANULE.left_m + 20_000 + col * 10, GRANULE.top_m - 20_000 - row * 10
    return box(west, north - height * 10, west + width * 10, north)


def tonight(day: int, **more: Any) -> link.Tonight:
    return link.Tonight("hills", FIRST + timedelta(days=day), "vanwatch-s@1", **more)


def run(found: list[Any], alerts: tuple[Alert, ...] = (), day: int = 1, **more: Any) -> tuple[Alert, ...]:
    return link.link(found, alerts, tonight=tonight(day, **more), rules=RULES)


def test_link_new_detection_possible_with_a_stable_id(planted: Any) -> None:
    item = planted.detection(block(0, 0, 10, 10), GRANULE)
    (alert,) = run([item])
    assert (alert.status, alert.aoi, alert.model) == (Status.POSSIBLE, "hills", "vanwatch-s@1")
    assert (alert.confirmed_on, alert.grown_ha, alert.lineage) == (None, 0, ())
    (again,) = run([item], day=3)
    assert again.alert_id == alert.alert_id
    elsewhere = planted.detection(block(50, 0, 10, 10), GRANULE)
    assert run([elsewhere])[0].alert_id != alert.alert_id


def test_d26_link_ids_do_not_look_like_dates(planted: Any) -> None:
    found = [planted.detection(block(20 * n, 0, 10, 10), GRANULE) for n in range(60)]
    ids = [alert.alert_id for alert in run(found)]
    assert len(set(ids)) == 60
    assert all(re.fullmatch(r"VW-[A-Z2-7]{8}", alert_id) for alert_id in ids)


def test_link_same_place_twice_in_one_night_two_ids(planted: Any) -> None:
    item = planted.detection(block(0, 0, 10, 10), GRANULE)
    assert len({alert.alert_id for alert in run([item, item])}) == 2


def test_link_grown_shape_same_alert(planted: Any) -> None:
    alerts = run([planted.detection(block(0, 0, 10, 10), GRANULE)])
    (grown,) = run([planted.detection(block(0, 0, 15, 10), GRANULE, seen=5)], alerts, day=6)
    assert grown.alert_id == alerts[0].alert_id
    assert grown.grown_ha == 0.5
    assert grown.detection.first_seen == FIRST
    assert grown.detection.last_seen == FIRST + timedelta(days=5)
    (quiet,) = run([planted.detection(block(0, 0, 15, 10), GRANULE, seen=5)], (grown,), day=7)
    assert quiet.grown_ha == 0


def test_link_second_look_on_another_day_confirms_for_good(planted: Any) -> None:
    alerts = run([planted.detection(block(0, 0, 10, 10), GRANULE)])
    alerts = run([planted.detection(block(0, 0, 10, 10), GRANULE, hits=2, seen=5)], alerts, day=6)
    assert alerts[0].status == Status.CONFIRMED
    assert alerts[0].confirmed_on == FIRST + timedelta(days=5)
    alerts = run([planted.detection(block(0, 0, 10, 10), GRANULE, hits=3, seen=10)], alerts, day=12)
    assert alerts[0].confirmed_on == FIRST + timedelta(days=5)
    assert run([], alerts, day=400)[0].status == Status.CONFIRMED


def test_link_two_looks_of_one_day_do_not_confirm(planted: Any) -> None:
    item = replace(planted.detection(block(0, 0, 10, 10), GRANULE), hits=2, looks=2)
    assert run([item])[0].status == Status.POSSIBLE


def test_link_two_looks_of_little_evidence_confirm_only_once_it_suffices(planted: Any) -> None:
    weak = replace(planted.detection(block(0, 0, 10, 10), GRANULE, hits=2, seen=5), log_odds=RULES.confirm - 0.01)
    alerts = run([weak], day=6)
    assert (alerts[0].status, alerts[0].confirmed_on) == (Status.POSSIBLE, None)
    firm = replace(planted.detection(block(0, 0, 10, 10), GRANULE, hits=3, seen=10), log_odds=RULES.confirm)
    (alert,) = run([firm], alerts, day=11)
    assert (alert.status, alert.confirmed_on) == (Status.CONFIRMED, FIRST + timedelta(days=10))


def test_link_unsupported_stays_open_until_it_expires_and_comes_back(planted: Any) -> None:
    item = planted.detection(block(0, 0, 10, 10), GRANULE)
    alerts = run([item])
    assert run([], alerts, day=59)[0].status == Status.POSSIBLE
    alerts = run([], alerts, day=60)
    assert alerts[0].status == Status.EXPIRED
    assert run([item], alerts, day=61)[0].status == Status.EXPIRED
    assert run([item], day=61) == ()
    back = planted.detection(block(0, 0, 10, 10), GRANULE, seen=62)
    (alert,) = run([back], alerts, day=63)
    assert (alert.status, alert.alert_id) == (Status.POSSIBLE, alerts[0].alert_id)


def test_link_merge_older_id_lives_on(planted: Any) -> None:
    older = run([planted.detection(block(0, 0, 10, 10), GRANULE)])
    both = run([planted.detection(block(s, 0, 10, 10), GRANULE, seen=s // 5) for s in (0, 20)], older, day=5)
    (old_id,) = [alert.alert_id for alert in older]
    (young_id,) = {alert.alert_id for alert in both} - {old_id}
    merged = {a.alert_id: a for a in run([planted.detection(block(0, 0, 30, 10), GRANULE, seen=9)], both, day=10)}
    assert merged[old_id].status == Status.POSSIBLE
    assert merged[old_id].lineage == (young_id,)
    assert merged[old_id].grown_ha == 1
    assert (merged[young_id].status, merged[young_id].lineage) == (Status.CLOSED, (old_id,))


def test_link_split_larger_part_keeps_the_id(planted: Any) -> None:
    (whole,) = run([planted.detection(block(0, 0, 30, 10), GRANULE)])
    parts = [planted.detection(block(0, 0, 8, 10), GRANULE), planted.detection(block(12, 0, 18, 10), GRANULE)]
    alerts = run(parts, (whole,), day=2)
    kept = next(alert for alert in alerts if alert.alert_id == whole.alert_id)
    young = next(alert for alert in alerts if alert.alert_id != whole.alert_id)
    assert kept.detection.area_m2 == 18_000
    assert young.lineage == (whole.alert_id,)


def test_link_possible_alert_of_another_kind_on_the_same_ground_is_corrected_under_its_id(planted: Any) -> None:
    (old,) = run([planted.detection(block(0, 0, 10, 10), GRANULE)])
    (alert,) = run([planted.detection(block(0, 0, 10, 10), GRANULE, kind=Kind.CAMP, seen=3)], (old,), day=4)
    assert (alert.alert_id, alert.detection.kind, alert.status) == (old.alert_id, Kind.CAMP, Status.POSSIBLE)
    assert alert.caution == ("kind was clearing",)
    assert alert.detection.first_seen == FIRST
    (later,) = run([planted.detection(block(0, 0, 10, 10), GRANULE, kind=Kind.CAMP, hits=2, seen=9)], (alert,), day=10)
    assert (later.status, later.caution) == (Status.CONFIRMED, ("kind was clearing",))


def test_link_possible_alert_inside_a_larger_one_of_another_kind_ends_in_it(planted: Any) -> None:
    old = run([planted.detection(block(0, 0, 4, 4), GRANULE, kind=Kind.CAMP)])
    alerts = run([planted.detection(block(0, 0, 20, 20), GRANULE, seen=3)], old, day=4)
    by_kind = {alert.detection.kind: alert for alert in alerts}
    assert by_kind[Kind.CAMP].status == Status.CLOSED
    assert by_kind[Kind.CLEARING].lineage == (old[0].alert_id,)


def test_link_shifted_by_a_pixel_same_alert_neighbour_further_off_new(planted: Any) -> None:
    old = run([planted.detection(block(0, 0, 2, 2), GRANULE)])
    near = run([planted.detection(block(3, 0, 2, 2), GRANULE, seen=3)], old, day=4)
    assert [alert.alert_id for alert in near] == [old[0].alert_id]
    far = run([planted.detection(block(4, 0, 2, 2), GRANULE, seen=3)], old, day=4)
    assert len(far) == 2


def test_link_dismissed_does_not_swallow_an_open_one(planted: Any) -> None:
    alerts = run([planted.detection(block(s, 0, 10, 10), GRANULE) for s in (0, 20)])
    old, young = sorted(alerts, key=lambda alert: alert.detection.footprint.bounds)
    alerts = (replace(old, status=Status.DISMISSED), young)
    carried = {a.alert_id: a for a in run([planted.detection(block(0, 0, 30, 10), GRANULE, seen=4)], alerts, day=5)}
    assert carried[old.alert_id].status == Status.DISMISSED
    assert carried[young.alert_id].detection.area_m2 == 30_000
    assert len(carried) == 2


def test_link_scenes_and_cautions_of_its_granule(planted: Any) -> None:
    item = planted.detection(block(0, 0, 10, 10), GRANULE, hits=2, seen=5)
    days = {"one": FIRST, "two": FIRST + timedelta(days=5), "late": FIRST + timedelta(days=9)}
    more = {"before_scenes": {"43RGM": ("n1", "n2")}, "after_scenes": {"43RGM": days, "43RFM": {"x": FIRST}}}
    (alert,) = run([item], day=9, cautions={"43RGM": ("season",)}, **more)
    assert (alert.before_scenes, alert.after_scenes, alert.caution) == (("n1", "n2"), ("one", "two"), ("season",))
    (later,) = run([planted.detection(block(0, 0, 10, 10), GRANULE, hits=3, seen=20)], (alert,), day=21)
    assert later.before_scenes == ("n1", "n2")
    assert later.after_scenes == ("one", "two")


def test_link_new_alert_names_the_scenes_of_earlier_nights_that_its_evidence_grew_from(planted: Any) -> None:
    item = planted.detection(block(0, 0, 10, 10), GRANULE, hits=2, seen=5)
    first, last = FIRST, FIRST + timedelta(days=5)
    earlier = {"43RGM": {"before": FIRST - timedelta(days=5), "one": first}, "43RFM": {"x": first}}
    (alert,) = run([item], day=6, after_scenes={"43RGM": {"two": last}}, earlier_scenes=earlier)
    assert alert.after_scenes == ("one", "two")
    again = {"43RGM": {"one": first, "cloudy": FIRST + timedelta(days=2), "two": last}}
    more = {"after_scenes": {"43RGM": {"three": FIRST + timedelta(days=10)}}, "earlier_scenes": again}
    (later,) = run([planted.detection(block(0, 0, 10, 10), GRANULE, hits=3, seen=10)], (alert,), day=11, **more)
    assert later.after_scenes == ("one", "three", "two")


blocks = st.tuples(
    st.integers(0, 5), st.integers(0, 3), st.integers(1, 4), st.integers(1, 4), st.sampled_from(list(Kind))
)
nights = st.lists(st.lists(blocks, max_size=5), min_size=1, max_size=4)


def planted_night(planted: Any, night: list[Any], day: int) -> list[Any]:
    """Detections of which none of a kind overlap, as `merge` leaves them."""
    found: list[Any] = []
    for col, row, width, height, kind in night:
        shape = block(5 * col, 5 * row, width, height)
        if not any(item.kind == kind and shape.intersects(old) for item, old in found):
            hits = 1 + (col + day) % 3
            found.append((planted.detection(shape, GRANULE, kind=kind, hits=hits, seen=day), shape))
    return [item for item, _ in found]


@settings(max_examples=60)
@given(nights, st.randoms(use_true_random=False), st.sampled_from([1, 7, 31]))
def test_link_any_nights_order_free_and_idempotent(planted: Any, nights: Any, random: Any, step: int) -> None:
    alerts: tuple[Alert, ...] = ()
    for number, night in enumerate(nights):
        day = step * number
        found = planted_night(planted, night, day)
        carried = run(found, alerts, day=day)
        assert run(found, carried, day=day) == carried
        mixed = list(alerts)
        random.shuffle(found)
        random.shuffle(mixed)
        assert run(found, tuple(mixed), day=day) == carried
        ids = [alert.alert_id for alert in carried]
        assert ids == sorted(set(ids))
        assert {alert.alert_id for alert in alerts} <= set(ids)
        shown = [a for a in carried if a.status in (Status.POSSIBLE, Status.CONFIRMED)]
        places = [alert.detection.footprint.wkb for alert in shown if alert.as_of is not None]
        assert all(places.count(item.footprint.wkb) >= 1 for item in found)
        _no_event_twice(shown)
        alerts = carried


def _no_event_twice(shown: list[Alert]) -> None:
    """No two open alerts that were found on the same last look lie on the same ground."""
    for number, one in enumerate(shown):
        for other in shown[number + 1 :]:
            shared = one.detection.footprint.intersection(other.detection.footprint).area
            same = shared > 0.9 * max(one.detection.footprint.area, other.detection.footprint.area)
            both_confirmed = {one.status, other.status} == {Status.CONFIRMED}
            kinds = {one.detection.kind, other.detection.kind}
            assert not (same and both_confirmed and kinds == {Kind.CAMP, Kind.CLEARING})


@pytest.mark.parametrize("status", list(Status))
def test_link_nothing_found_status_kept(planted: Any, status: Status) -> None:
    (alert,) = run([planted.detection(block(0, 0, 10, 10), GRANULE)])
    (kept,) = run([], (replace(alert, status=status),), day=2)
    assert kept.status == status


def test_link_closed_alert_handed_back_as_it_is(planted: Any) -> None:
    item = planted.detection(block(0, 0, 10, 10), GRANULE)
    closed = replace(run([item])[0], status=Status.CLOSED)
    alerts = run([item], (closed,), day=2)
    assert closed in alerts
    assert len(alerts) == 2


def test_link_alert_carries_a_caution_as_long_as_only_looks_beside_clouds_have_shown_it(planted: Any) -> None:
    item = planted.detection(block(0, 0, 10, 10), GRANULE)
    (alert,) = run([replace(item, beside_cloud=True)])
    assert alert.caution == (link.CLOUD_EDGE,)
    (unseen,) = run([], (alert,), day=2)
    assert unseen.caution == (link.CLOUD_EDGE,)
    (clear,) = run([item], (unseen,), day=3)
    assert clear.caution == ()


def test_link_alert_that_only_unplaced_scenes_have_shown_carries_a_caution(planted: Any) -> None:
    item = planted.detection(block(0, 0, 10, 10), GRANULE, seen=1)
    looks = {item.mgrs: {"one": item.first_seen}}
    (alert,) = run([item], after_scenes=looks, unplaced=frozenset({"one"}))
    assert alert.caution == (link.REGISTRATION,)
    (quiet,) = run([item], (alert,), day=2)
    assert quiet.caution == (link.REGISTRATION,)
    again = {item.mgrs: {"two": item.last_seen}}
    (unsure,) = run([item], (quiet,), day=3, after_scenes=again, unplaced=frozenset({"two"}))
    assert unsure.caution == (link.REGISTRATION,)
    (sure,) = run([item], (unsure,), day=4, after_scenes={item.mgrs: {"three": item.last_seen}})
    assert sure.caution == ()
    (still,) = run([item], (sure,), day=5, after_scenes=again, unplaced=frozenset({"two"}))
    assert still.caution == ()
    assert run([item], after_scenes=looks)[0].caution == ()
    more = {"after_scenes": {item.mgrs: {"two": item.last_seen}}, "earlier_scenes": looks}
    (placed,) = run([item], day=2, unplaced=frozenset({"two"}), **more)
    assert (placed.caution, placed.after_scenes) == ((), ("one", "two"))
    (neither,) = run([item], day=2, unplaced=frozenset({"one", "two"}), **more)
    assert neither.caution == (link.REGISTRATION,)
