"""Each rule does what its authors published, on series that a reader can check by hand."""

import numpy as np
import pytest

from pipeline import config
from pipeline.detect.weight import BARER, IN_SEASON, WHOLE
from pipeline.evaluate import rules
from pipeline.evaluate.rules import Rule, Series

NO = float("nan")


def told(rule: Rule, *probabilities: float, every: int = 5, code: int = BARER + IN_SEASON + WHOLE) -> list[str]:
    """One pixel: after each look `.` nothing, `p` possible, `c` confirmed."""
    values = np.array(probabilities)[:, None]
    days = tuple(range(20000, 20000 + every * len(values), every))
    series = Series(days, values, np.full(values.shape, code, np.uint8), 0.5, 0)
    return ["c" if s.confirmed[0] else "p" if s.possible[0] else "." for s in rule(series)]


OURS = rules.ours(config.Evidence())
ALL = [OURS, rules.page, rules.radd, rules.glad, rules.dist_s1, rules.single_look]


@pytest.mark.parametrize("rule", ALL[:-1])
def test_any_rule_with_memory_does_not_confirm_a_flash(rule: Rule) -> None:
    assert "c" not in told(rule, 0.01, 0.01, 0.99, 0.01, 0.01, 0.01)


@pytest.mark.parametrize("rule", ALL)
def test_any_rule_confirms_what_stays_and_keeps_still_where_nothing_is(rule: Rule) -> None:
    assert told(rule, 0.01, 0.02, 0.99, 0.99, 0.99, 0.99)[-1] == "c"
    assert set(told(rule, *[0.02] * 6)) == {"."}


@pytest.mark.parametrize("rule", ALL)
def test_any_rule_unseen_looks_change_nothing(rule: Rule) -> None:
    assert told(rule, 0.02, 0.99, NO, NO, 0.99, every=1)[3] == told(rule, 0.02, 0.99, every=1)[1]


def test_glad_two_of_four() -> None:
    assert told(rules.glad, 0.9, 0.1, 0.1, 0.9) == ["p", "p", "p", "c"]
    assert told(rules.glad, 0.9, 0.1, 0.1, 0.1, 0.9) == ["p", "p", "p", ".", "p"]


def test_glad_unconfirmed_is_dropped_after_180_days() -> None:
    assert told(rules.glad, 0.9, 0.1, 0.1, every=100) == ["p", "p", "."]


def test_radd_updates_with_the_look_before_and_is_confirmed_at_97_5_percent() -> None:
    # the look before said 0.2: 0.2 * 0.9 / (0.2 * 0.9 + 0.8 * 0.1) = 0.69, then 0.953, then 0.995
    assert told(rules.radd, 0.2, 0.99, 0.99, 0.99) == [".", ".", "p", "c"]


def test_radd_below_one_half_is_dropped() -> None:
    assert told(rules.radd, 0.5, 0.99, 0.1, 0.1, 0.99)[3] == "."


def test_radd_unconfirmed_is_dropped_after_90_days() -> None:
    assert told(rules.radd, 0.5, 0.9, 0.5, every=60)[1:] == ["p", "."]


def test_dist_s1_confirms_the_third_look_at_its_threshold_and_a_stronger_second() -> None:
    assert told(rules.dist_s1, 0.5, 0.5, 0.5) == ["p", "p", "c"]
    assert told(rules.dist_s1, 0.999, 0.999) == ["p", "c"]


def test_dist_s1_ends_after_two_quiet_looks_or_thirty_days() -> None:
    assert told(rules.dist_s1, 0.6, 0.6, 0.1, 0.1) == ["p", "p", "p", "."]
    assert told(rules.dist_s1, 0.6, 0.6, 0.1, every=31)[-1] == "."


def test_ours_equals_the_marks_of_a_night_and_hears_weight_season_and_bareness() -> None:
    loud = (0.99,) * 4
    assert told(OURS, *loud) == ["p", "c", "c", "c"]
    assert told(OURS, *loud, code=BARER + WHOLE) == ["p"] * 4
    assert told(OURS, *loud, code=IN_SEASON + WHOLE) == ["."] * 4
    assert told(OURS, *loud, code=BARER + IN_SEASON + 4) == ["."] * 4


def test_single_look_forgets_at_once() -> None:
    assert told(rules.single_look, 0.9, NO, 0.1) == ["c", "c", "."]
