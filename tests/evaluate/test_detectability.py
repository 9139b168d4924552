import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluate import detectability
from pipeline.evaluate.detectability import SIZES, Quiet, Share, Trial


def trial(kind: str = "clearing", size: float = 0.3, **changes: Any) -> Trial:
    facts = {"contrast": 0.06, "ground": "woods", "found": (True,), "found_any": (True,)} | changes
    return Trial(kind, size, **facts)


def share(low: float, found: int, changes: int) -> Share:
    recall = found / changes if changes else math.nan
    return Share(low, 2 * low, changes, found, recall, *detectability.wilson(found, changes))


@pytest.mark.parametrize(
    ("found", "changes", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_known_counts_published_intervals(found: int, changes: int, low: float, high: float) -> None:
    assert detectability.wilson(found, changes) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(0, 200), st.integers(0, 200))
def test_wilson_any_counts_holds_the_share(one: int, other: int) -> None:
    found, changes = min(one, other), max(one, other)
    low, high = detectability.wilson(found, changes)
    assert 0 <= low <= high <= 1
    if changes:
        assert low - 1e-12 <= found / changes <= high + 1e-12


@pytest.mark.parametrize(("alerts", "low", "high"), [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904)])
def test_rate_known_counts_exact_intervals(alerts: int, low: float, high: float) -> None:
    found = detectability.rate(Quiet("camp", 1, alerts, 1000.0))
    assert (found.rate, found.rate_low, found.rate_high) == pytest.approx((alerts, low, high), abs=1e-3)


def test_rate_nothing_observed_is_not_known() -> None:
    assert math.isnan(detectability.rate(Quiet("camp", 1, 0, 0.0)).rate)


def test_groups_each_change_counted_once_per_partition() -> None:
    sizes = [low * 1.01 for low, _ in itertools.pairwise(SIZES["clearing"])]
    trials = [trial(size=size, contrast=contrast) for size in sizes for contrast in (0.01, 0.04, 0.5)]
    found = detectability.groups(trials, looks=[1])
    totals = {
        (group.name, group.any_kind): sum(item.changes for item in group.shares)
        for group in found
        if group.kind == "clearing"
    }
    assert totals[("all", False)] == totals[("all", True)] == totals[("woods", False)] == len(trials)
    assert totals[("open land", False)] == 0
    assert sum(totals[(name, False)] for name in detectability.CONTRASTS) == len(trials)


def test_groups_right_kind_and_any_kind_and_looks_told_apart() -> None:
    seen_late = trial("camp", 0.3, found=(False, True), found_any=(True, True))
    seen_once = trial("camp", 0.3, found=(True,), found_any=(True,))
    shares = {
        (group.looks, group.any_kind): next((item.found, item.changes) for item in group.shares if item.low == 0.2)
        for group in detectability.groups([seen_late, seen_once], looks=[1, 2])
        if (group.kind, group.name) == ("camp", "all")
    }
    assert shares == {(1, False): (1, 2), (1, True): (2, 2), (2, False): (1, 1), (2, True): (1, 1)}


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([share(0.1, 2, 20), share(0.2, 12, 20), share(0.5, 20, 20)], 0.2),
        ([share(0.1, 20, 20), share(0.2, 2, 20), share(0.5, 20, 20)], 0.1),
        ([share(0.1, 11, 20), share(0.2, 2, 20), share(0.5, 4, 20)], None),
        ([share(0.1, 0, 20)], None),
        ([share(0.1, 9, 9), share(0.2, 20, 20)], 0.2),
        ([], None),
    ],
)
def test_smallest_is_found_by_itself_and_with_all_larger_ones(shares: list[Share], expected: float | None) -> None:
    assert detectability.smallest(shares, 0.5) == expected
