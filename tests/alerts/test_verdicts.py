"""Verdicts: an analyst's word acts on the alert, however often it is read, and outlives the alert's id."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import Polygon, box

from pipeline import config, grid
from pipeline.alerts import link, verdicts
from pipeline.alerts.verdicts import Said
from pipeline.schema import Alert, Kind, Status

GRANULE = grid.granule("43RGM")
FIRST = date(2025, 11, 1)
DAY = date(2025, 11, 20)


def block(col: int, row: int, width: int, height: int) -> Polygon:
    west, north = GRANULE.left_m + 20_000 + col * 10, GRANULE.top_m - 20_000 - row * 10
    return box(west, north - height * 10, west + width * 10, north)


def run(found: list[Any], alerts: tuple[Alert, ...] = (), day: int = 1) -> tuple[Alert, ...]:
    tonight = link.Tonight("hills", FIRST + timedelta(days=day), "vanwatch-s@1")
    return link.link(found, alerts, tonight=tonight, rules=config.Evidence())


@pytest.fixture
def possible(planted: Any) -> Alert:
    (alert,) = run([planted.detection(block(0, 0, 10, 10), GRANULE)])
    return alert


def say(alert: Alert, word: str, on: date = DAY) -> Said:
    return Said(alert, word, "asha", on, "a quarry")


def test_apply_writes_who_said_what_when_and_why(possible: Alert) -> None:
    (alert,) = verdicts.apply([possible], [say(possible, "unsure")])
    assert (alert.verdict, alert.verdict_by, alert.verdict_on, alert.note) == ("unsure", "asha", DAY, "a quarry")
    assert alert.status == Status.POSSIBLE


@pytest.mark.parametrize(
    ("before", "word", "after"),
    [
        (Status.POSSIBLE, "dismissed", Status.DISMISSED),
        (Status.CONFIRMED, "dismissed", Status.DISMISSED),
        (Status.EXPIRED, "dismissed", Status.DISMISSED),
        (Status.CLOSED, "dismissed", Status.CLOSED),
        (Status.POSSIBLE, "confirmed", Status.CONFIRMED),
        (Status.EXPIRED, "confirmed", Status.CONFIRMED),
        (Status.DISMISSED, "confirmed", Status.CONFIRMED),
        (Status.CLOSED, "confirmed", Status.CLOSED),
        (Status.DISMISSED, "unsure", Status.POSSIBLE),
        (Status.CONFIRMED, "unsure", Status.CONFIRMED),
        (Status.EXPIRED, "unsure", Status.EXPIRED),
        (Status.CLOSED, "unsure", Status.CLOSED),
    ],
)
def test_apply_status_of_each_word(possible: Alert, before: Status, word: str, after: Status) -> None:
    alert = replace(possible, status=before)
    applied = verdicts.apply([alert], [say(alert, word)])
    assert [a.status for a in applied] == [after]
    assert verdicts.apply(applied, [say(alert, word)]) == applied


def test_apply_confirmed_on_is_a_day_of_a_scene(possible: Alert) -> None:
    (alert,) = verdicts.apply([possible], [say(possible, "confirmed")])
    assert alert.confirmed_on == possible.detection.last_seen
    earlier = replace(possible, confirmed_on=date(2025, 10, 1))
    assert verdicts.apply([earlier], [say(earlier, "confirmed")])[0].confirmed_on == date(2025, 10, 1)


def test_apply_ground_of_a_contradicted_alert_can_still_be_dismissed(possible: Alert) -> None:
    closed = replace(possible, status=Status.CLOSED, caution=("contradicted",))
    assert verdicts.apply([closed], [say(closed, "dismissed")])[0].status == Status.DISMISSED


def test_apply_unknown_id_counts_for_the_alert_of_its_kind_that_lies_there(planted: Any, possible: Alert) -> None:
    anew = replace(possible, alert_id="VW-ZZZZZZZZ")
    beside = replace(anew, alert_id="VW-YYYYYYYY")
    moved = planted.detection(block(30, 0, 10, 10), GRANULE)
    beside = replace(beside, detection=moved)
    applied = {a.alert_id: a.status for a in verdicts.apply([anew, beside], [say(possible, "dismissed")])}
    assert applied == {"VW-ZZZZZZZZ": Status.DISMISSED, "VW-YYYYYYYY": Status.POSSIBLE}


def test_apply_unknown_id_where_nothing_lies_comes_back_and_keeps_its_ground_quiet(
    planted: Any, possible: Alert
) -> None:
    back = verdicts.apply([], [say(possible, "dismissed")])
    assert [(a.alert_id, a.status) for a in back] == [(possible.alert_id, Status.DISMISSED)]
    again = run([planted.detection(block(1, 0, 10, 10), GRANULE, hits=3, seen=30)], back, day=31)
    assert [a.status for a in again] == [Status.DISMISSED]
    assert [a.status for a in verdicts.apply([], [say(possible, "confirmed")])] == [Status.CONFIRMED]
    assert verdicts.apply([], [say(possible, "unsure")]) == ()


def test_apply_alert_of_another_kind_there_is_left_alone(possible: Alert) -> None:
    camp = replace(possible, alert_id="VW-ZZZZZZZZ", detection=replace(possible.detection, kind=Kind.CAMP))
    applied = {a.alert_id: a.status for a in verdicts.apply([camp], [say(possible, "dismissed")])}
    assert applied == {"VW-ZZZZZZZZ": Status.POSSIBLE, possible.alert_id: Status.DISMISSED}


def test_apply_ones_own_word_goes_before_one_for_the_place(possible: Alert) -> None:
    anew = replace(possible, alert_id="VW-ZZZZZZZZ")
    said = [say(anew, "confirmed", date(2025, 11, 10)), say(possible, "dismissed")]
    applied = {a.alert_id: a.status for a in verdicts.apply([anew], said)}
    assert applied["VW-ZZZZZZZZ"] == Status.CONFIRMED


def test_dismissed_survives_a_new_model_and_a_confirmed_one_is_carried_on(planted: Any, possible: Alert) -> None:
    for word, status in (("dismissed", Status.DISMISSED), ("confirmed", Status.CONFIRMED)):
        alerts: tuple[Alert, ...] = (possible,)
        for day in (5, 10, 15):
            alerts = verdicts.apply(alerts, [say(possible, word)])
            item = replace(planted.detection(block(0, 0, 9, 10), GRANULE, hits=1, seen=day), confidence=0.6)
            alerts = run([item], alerts, day=day + 1)
            assert [(a.alert_id, a.status, a.verdict) for a in alerts] == [(possible.alert_id, status, word)]


words = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["confirmed", "dismissed", "unsure"])), max_size=5)


@given(words, st.randoms(use_true_random=False))
def test_apply_any_words_in_any_order_the_same_and_twice_the_same(planted: Any, words: Any, random: Any) -> None:
    alerts = list(run([planted.detection(block(20 * n, 0, 10, 10), GRANULE) for n in range(5)]))
    said = list({alerts[n].alert_id: say(alerts[n], word) for n, word in words}.values())
    kept = alerts[:3]
    applied = verdicts.apply(kept, said)
    random.shuffle(said)
    random.shuffle(kept)
    assert verdicts.apply(kept, said) == applied
    assert verdicts.apply(applied, said) == applied
