from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import config
from pipeline.detect import evidence
from pipeline.detect.weight import AWAY, BARER, IN_SEASON
from pipeline.schema import Change
from tests.detect.looks import RULES, added, change, looks, on, same


@given(looks(), st.randoms())
def test_add_in_any_order_same_bits(items: list[Change], chance: object) -> None:
    shuffled = list(items)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert same(added(*shuffled), added(*items))


@given(looks(), st.data())
def test_add_a_look_twice_counts_once(items: list[Change], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(items), max_size=5))
    assert same(added(*items, *again), added(*items))


@given(looks(), st.data())
def test_add_a_late_look_equals_one_on_time(items: list[Change], data: st.DataObject) -> None:
    on_time = sorted(items, key=lambda item: item.sensed)
    late = data.draw(st.sampled_from(on_time))
    assert same(added(*[item for item in on_time if item is not late], late), added(*on_time))


@given(looks(most=evidence.SLOTS))
def test_without_then_added_again_equals_never_removed(items: list[Change]) -> None:
    day = items[0].sensed.date()
    known = evidence.without(added(*items), day)
    assert not (known.day == evidence.to_day(day)).any()
    again = [item for item in items if item.sensed.date() == day]
    for item in again:
        known = evidence.add(known, item, RULES)
    assert same(known, added(*items))


@given(looks(most=evidence.SLOTS), st.integers(0, 40))
def test_without_equals_the_looks_of_the_other_days(items: list[Change], days: int) -> None:
    others = [item for item in items if item.sensed.date() != on(days)]
    expected = added(*others) if others else evidence.empty((2, 3))
    assert same(evidence.without(added(*items), on(days)), expected)


def test_without_a_replaced_revision_only_the_new_one_counts() -> None:
    first, worse, better = change(on(0), 0.2), change(on(5), 0.99), change(on(5), 0.01)
    known = evidence.add(evidence.without(added(first, worse), on(5)), better, RULES)
    assert same(known, added(first, better))


@given(looks())
def test_add_remembers_the_newest_days_that_saw_a_pixel(items: list[Change]) -> None:
    known = added(*items)
    for y in range(2):
        for x in range(3):
            saw = {evidence.to_day(i.sensed.date()) for i in items if np.isfinite(i.probability[0, y, x])}
            newest = sorted(saw)[-evidence.SLOTS :]
            assert known.day[:, y, x].tolist() == [0] * (evidence.SLOTS - len(newest)) + newest


def test_add_two_looks_of_a_day_keep_the_more_cautious_values() -> None:
    loud, quiet = change(on(0), 0.99, weight=9, z=8), change(on(0), 0.2, weight=12, z=3)
    known = added(loud, quiet)
    assert np.count_nonzero(known.day, axis=0).tolist() == [[1, 1, 1], [1, 1, 1]]
    assert (known.odds[-1] == added(quiet).odds[-1]).all()
    assert (known.weight[-1] == AWAY + BARER + IN_SEASON + 9).all()
    assert (known.z[-1] * evidence.Z_STEP == 3).all()


def test_add_two_looks_of_a_day_keep_the_smaller_weight_and_the_marks_of_both() -> None:
    """Beside clouds, whatever the other one says, and as little trusted as the worse."""
    doubtful, trusted = change(on(0), 0.9, weight=1, facts=AWAY), change(on(0), 0.9, weight=16, facts=IN_SEASON + BARER)
    for items in ((doubtful, trusted), (trusted, doubtful)):
        assert (added(*items).weight[-1] == 1).all()
    half = change(on(0), 0.9, weight=12, facts=AWAY + IN_SEASON)
    assert (added(half, trusted).weight[-1] == IN_SEASON + 12).all()


def test_add_unseen_pixels_keep_what_they_had() -> None:
    hole = np.full((3, 2, 3), 0.9, np.float32)
    hole[:, 1, 2] = np.nan
    known = added(change(on(0), 0.4), change(on(5), hole))
    assert known.day[-1, 1, 2] == evidence.to_day(on(0))
    assert known.day[-1, 0, 0] == evidence.to_day(on(5))


def test_add_leaves_the_old_evidence_alone() -> None:
    old = added(change(on(0), 0.4), change(on(9), 0.4))
    before = {name: getattr(old, name).copy() for name in ("day", "odds", "weight", "z")}
    evidence.add(old, change(on(5), 0.9), RULES)
    evidence.without(old, on(0))
    assert all((getattr(old, name) == values).all() for name, values in before.items())


def test_add_odds_are_exact_to_half_a_step_and_not_below_the_bound() -> None:
    values = np.linspace(0.001, 0.999, 6, dtype=np.float32).reshape(2, 3)
    known = added(change(on(0), values), rules=config.Evidence(look_bound=3.0))
    exact = np.log(values.astype(np.float64) / (1 - values))
    assert np.abs(known.odds[-1] * evidence.STEP - np.maximum(exact, -3)).max() <= evidence.STEP / 2


def test_latest_probability_is_that_of_the_newest_day_and_nan_where_never_seen() -> None:
    hole = np.full((3, 2, 3), 0.8, np.float32)
    hole[:, 0, 0] = np.nan
    found = evidence.latest_probability(added(change(on(9), hole), change(on(2), hole * 0.5)))
    assert np.isnan(found[:, 0, 0]).all()
    assert found[:, 1, 1] == pytest.approx(0.8, abs=0.01)


def test_day_round_trips() -> None:
    assert evidence.from_day(evidence.to_day(on(3))) == on(3)


def test_add_classical_score_unknown_where_the_look_shows_nothing() -> None:
    quiet, loud = added(change(on(0), 0.0, z=9)), added(change(on(0), 0.7, z=9))
    assert (quiet.z[-1] == evidence.UNKNOWN_Z).all()
    assert (loud.z[-1] * evidence.Z_STEP == 9).all()
    assert (added(replace(change(on(0), 0.7), z=np.full((2, 3), np.nan, np.float32))).z == evidence.UNKNOWN_Z).all()
