"""Priority: each part of the score does what the table says."""

import math
from dataclasses import replace

import pytest
from shapely import box

from pipeline.publish import priority
from pipeline.publish.priority import Surroundings
from pipeline.schema import Kind, Status
from tests.publish.planted import TRACK, make_alert

PLACE = box(77.0, 29.0, 77.001, 29.001)
PLAIN = make_alert(PLACE, confidence=0.8, grown_ha=0.0, area_m2=1000.0)


def score(alert: object = PLAIN, around: Surroundings = Surroundings(), *, new: bool = False) -> float:
    return priority.of(alert, around, new=new).score  # type: ignore[arg-type]


def test_of_plain_clearing_is_the_sum_that_the_table_gives() -> None:
    assert score() == pytest.approx(30 * 0.8 + 15 * 0.6)


def test_of_parts_add_up_to_the_score() -> None:
    rank = priority.of(PLAIN, Surroundings(protected_m=0, border_m=500), new=True)
    assert sum(rank.parts.values()) == pytest.approx(rank.score)
    assert set(rank.parts) == set(priority.WEIGHTS)
    assert sum(priority.WEIGHTS.values()) == 100


@pytest.mark.parametrize(
    "more",
    [
        {"confidence": 0.9},
        {"kind": Kind.CAMP},
        {"grown_ha": 0.5},
        {"area_m2": 20_000.0},
    ],
)
def test_of_more_of_anything_ranks_higher(more: dict[str, object]) -> None:
    assert score(make_alert(PLACE, **{"confidence": 0.8, "grown_ha": 0.0, "area_m2": 1000.0} | more)) > score()  # type: ignore[arg-type]


def test_of_possible_new_protected_near_and_permitted() -> None:
    assert score(replace(PLAIN, status=Status.POSSIBLE)) == pytest.approx(30 * 0.8 * 0.6 + 9)
    assert score(new=True) == score() + 15
    assert score(around=Surroundings(protected_m=0)) == score() + 15
    assert score(around=Surroundings(protected_m=900)) == score() + 7.5
    assert score(around=Surroundings(protected_m=1100)) == score()
    assert score(around=Surroundings(border_m=0)) == score() + 15
    assert score(around=Surroundings(border_m=1000)) == score() + 7.5
    assert score(around=Surroundings(permitted=True)) == pytest.approx(0.3 * score(), abs=0.06)


def test_of_track_by_its_length() -> None:
    short, long = (make_alert(TRACK, kind=Kind.TRACK, length_m=length) for length in (200.0, 5000.0))
    assert score(long) == score(short) + 10


def test_of_extreme_values_stay_between_0_and_100() -> None:
    huge = make_alert(PLACE, kind=Kind.CAMP, confidence=1.0, grown_ha=9e9, area_m2=9e12)
    assert score(huge, Surroundings(0, 0), new=True) == 100
    nothing = make_alert(PLACE, confidence=0.0, grown_ha=-1.0, area_m2=0.0)
    assert score(nothing, Surroundings(math.inf, math.inf)) == 9
