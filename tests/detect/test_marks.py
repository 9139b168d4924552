from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import config
from pipeline.detect import evidence, marks
from pipeline.detect.evidence import Evidence
from pipeline.detect.weight import AWAY, BARER, IN_SEASON
from pipeline.schema import MARK, Change
from tests.detect.looks import OWNED, RULES, THRESHOLDS, TILE, added, change, looks, on


def marked(known: Evidence, rules: config.Evidence = RULES) -> np.ndarray:
    return marks.marks(known, TILE, OWNED, rules, THRESHOLDS)


def log_odds(*changes: Change, rules: config.Evidence = RULES) -> float:
    found = marked(added(*changes, rules=rules), rules.model_copy(update={"possible": -10.0}))
    return float(found["log_odds"][0]) if len(found) else rules.prior


def slowly(items: list[Change], kind: int, y: int, x: int) -> tuple[float, int, int, int, int, bool]:
    """One pixel and kind in plain lines: sum, hits, first and last day, looks, beside clouds."""
    by_day: dict[date, tuple[float, int]] = {}
    for item in items:
        value = float(item.probability[kind, y, x])
        if np.isnan(value):
            continue
        value = min(max(value, 1e-6), 1 - 1e-6)
        odds = max(-RULES.look_bound, round(float(np.log(value / (1 - value))) * 16) / 16)
        day, weight = item.sensed.date(), int(item.weight[y, x])
        other = by_day.get(day, (odds, weight))
        both = sum(mark for mark in (32, 64, 128) if weight & mark and other[1] & mark)
        by_day[day] = (min(odds, other[0]), min(weight % 32, other[1] % 32) + both)
    total, hits, shown, before, away = RULES.prior, 0, [], None, False
    days = sorted(by_day)[-evidence.SLOTS :]
    for day in days:
        odds, weight = by_day[day]
        faded = RULES.prior + (total - RULES.prior) * 0.5 ** ((day - before).days / 120 if before else 0)
        off_season, sixteenths = weight % 64 < 32, weight % 32
        if kind == 0 and weight % 128 < 64 and odds >= 0:  # as bare before
            sixteenths = 0
        lasted = bool(shown) and evidence.to_day(day) - shown[0] >= RULES.off_season_days
        ceiling = max(faded, RULES.prior + RULES.look_bound) if off_season and not lasted else RULES.bound
        total = min(max(faded + min(odds, RULES.look_bound) * sixteenths / 16, RULES.prior), ceiling)
        before = day
        if odds >= 0 and sixteenths >= 5:
            hits += 1
            shown.append(evidence.to_day(day))
            away = away or weight >= 128
        if total <= RULES.prior:
            hits, shown, away = 0, [], False
    return total, hits, min(shown, default=0), max(shown, default=0), len(days), not away


@given(looks())
def test_marks_any_looks_equal_slow_oracle(items: list[Change]) -> None:
    found = {(m["kind"], m["row"], m["col"]): m for m in marked(added(*items))}
    for kind in range(3):
        for y in range(2):
            for x in range(3):
                total, hits, first, last, number, beside = slowly(items, kind, y, x)
                if abs(total - RULES.possible) < 1e-4:
                    continue
                assert ((kind, y, x) in found) == (total > RULES.possible and hits > 0)
                if (kind, y, x) in found:
                    mark = found[kind, y, x]
                    assert mark["log_odds"] == pytest.approx(total, abs=1e-4)
                    facts = tuple(int(mark[name]) for name in ("hits", "first_day", "last_day", "looks"))
                    assert facts == (hits, first, last, number)
                    assert mark["beside_cloud"] == beside


@given(looks(), st.randoms())
def test_marks_of_looks_in_any_order_same_bytes(items: list[Change], chance: object) -> None:
    shuffled = list(items)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert marked(added(*shuffled)).tobytes() == marked(added(*items)).tobytes()


@given(looks(most=8))
def test_marks_cut_into_pieces_same_bytes(items: list[Change]) -> None:
    known = added(*items)
    whole = marked(known)
    parts = []
    for col in range(3):
        owned = np.zeros((2, 3), bool)
        owned[:, col] = True
        parts.append(marks.marks(known, TILE, owned, RULES, THRESHOLDS))
    joined = np.sort(np.concatenate(parts), order=["kind", "row", "col"])
    assert joined.tobytes() == whole.tobytes()


def test_marks_single_flash_is_never_more_than_one_hit() -> None:
    found = marked(added(*[change(on(0), 0.999, name=f"s{n}") for n in range(5)]))
    assert set(found["hits"].tolist()) == {1}


def test_marks_two_strong_looks_are_two_hits_with_their_days() -> None:
    found = marked(added(change(on(0), 0.99), change(on(5), 0.98)))
    assert len(found) == 18
    first = found[0]
    assert (first["hits"], first["looks"]) == (2, 2)
    assert (first["first_day"], first["last_day"]) == (evidence.to_day(on(0)), evidence.to_day(on(5)))
    assert first["z"] == 2.0


def test_marks_looks_at_cloud_edges_never_count_as_hits() -> None:
    assert len(marked(added(*[change(on(5 * n), 0.999, weight=4) for n in range(10)]))) == 0


def test_add_up_clear_looks_that_contradict_take_the_evidence_back() -> None:
    loud = [change(on(5 * n), 0.99) for n in range(3)]
    sums = [log_odds(*loud, *[change(on(20 + 5 * n), 0.02) for n in range(m)]) for m in range(4)]
    assert sums == sorted(sums, reverse=True)
    assert sums[0] == 8.0
    assert len(marked(added(*loud, *[change(on(20 + 5 * n), 0.01) for n in range(3)]))) == 0


def test_add_up_long_quiet_past_does_not_delay_an_alarm() -> None:
    quiet = [change(on(5 * n), 0.001) for n in range(8)]
    assert log_odds(*quiet, change(on(60), 0.99)) == log_odds(change(on(60), 0.99))


def test_add_up_half_of_the_evidence_fades_in_a_half_life() -> None:
    rules = config.Evidence(half_life_days=30, prior=0.0)
    before, after = (log_odds(change(on(0), 0.97), change(on(d), 0.5), rules=rules) for d in (1, 31))
    assert after == pytest.approx(before / 2, rel=1e-3)


def test_add_up_looks_of_a_normal_of_other_seasons_lift_no_further_than_one_whole_look() -> None:
    off = [change(on(4 * n), 0.99, facts=BARER) for n in range(10)]
    assert log_odds(*off) == RULES.prior + RULES.look_bound
    assert log_odds(*off, change(on(41), 0.99)) > RULES.confirm


def test_add_up_off_season_change_that_outlasts_the_season_rises_further() -> None:
    off = [change(on(10 * n), 0.99, facts=BARER) for n in range(7)]
    sums = [log_odds(*off[: n + 1]) for n in range(7)]
    assert max(sums[:5]) == RULES.prior + RULES.look_bound
    assert sums[5] > RULES.confirm


def test_add_up_off_season_look_leaves_higher_evidence_where_it_is() -> None:
    firm = [change(on(5 * n), 0.99) for n in range(3)]
    assert log_odds(*firm, change(on(15), 0.99, facts=BARER)) == pytest.approx(8, abs=0.4)


def test_marks_place_that_was_as_bare_before_is_no_clearing_but_may_be_another_kind() -> None:
    known = added(*[change(on(5 * n), 0.99, facts=IN_SEASON) for n in range(6)])
    assert set(marked(known)["kind"].tolist()) == {1, 2}


def test_add_up_quiet_look_on_a_place_as_bare_before_still_contradicts() -> None:
    firm = [change(on(5 * n), 0.99) for n in range(3)]
    assert log_odds(*firm, change(on(20), 0.02, facts=IN_SEASON)) < log_odds(*firm) - 3


def test_marks_tell_where_clouds_lay_beside_every_look_that_showed_it() -> None:
    beside = [change(on(5 * n), 0.99, weight=8, facts=IN_SEASON + BARER) for n in range(3)]
    assert marked(added(*beside))["beside_cloud"].all()
    off_season = change(on(15), 0.99, weight=8, facts=BARER + AWAY)
    for look in (change(on(15), 0.99), off_season):
        assert not marked(added(*beside, look))["beside_cloud"].any()
    faint = change(on(15), 0.99, weight=4)
    assert marked(added(*beside, faint))["beside_cloud"].all()


def test_add_up_less_trusted_look_says_less_in_both_directions() -> None:
    up = [log_odds(change(on(0), 0.9, weight=w)) for w in (16, 12, 8)]
    down = [log_odds(change(on(0), 0.999), change(on(1), 0.1, weight=w)) for w in (16, 12, 8)]
    assert up == sorted(up, reverse=True)
    assert down == sorted(down)
    assert len({*up}) == len({*down}) == 3


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("prior", -3.0),
        ("bound", 1.5),
        ("look_bound", 3.5),
        ("half_life_days", 10.0),
        ("possible", 3.0),
        ("off_season_days", 20),
    ],
)
def test_marks_every_rule_changes_something(rule: str, value: float) -> None:
    items = [change(on(0), 0.99), change(on(20), 0.8), change(on(25), 0.8, facts=BARER)]
    rules = RULES.model_copy(update={rule: value})
    assert marked(added(*items)).tobytes() != marked(added(*items, rules=rules), rules).tobytes()


def test_single_look_marks_are_the_pixels_at_their_threshold() -> None:
    probability = np.zeros((3, 2, 3), np.float32)
    probability[0, 0, 1], probability[2, 1, 2], probability[1, 0, 0] = 0.7, 0.95, np.nan
    found = marks.single_look_marks(probability, (0.7, 0.5, 0.9), day=12)
    assert found.dtype == MARK
    assert [(m["kind"], m["row"], m["col"]) for m in found] == [(0, 0, 1), (2, 1, 2)]
    assert set(found["hits"].tolist()) == {1}
    assert set(found["last_day"].tolist()) == {12}


def test_single_look_marks_say_nothing_of_clouds_whatever_their_memory_held_before() -> None:
    probability = np.full((3, 4, 4), 0.9, np.float32)
    for _ in range(4):
        held = np.full(48 * MARK.itemsize, 255, np.uint8)
        del held
        assert not marks.single_look_marks(probability, (0.5, 0.5, 0.5), day=12)["beside_cloud"].any()
