from datetime import UTC, date, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline import grid
from pipeline.config import NormalRules
from pipeline.normal import seasonal
from pipeline.schema import Scene

RULES = NormalRules()
ANCHOR = date(2024, 6, 1)
days = st.dates(min_value=date(2016, 1, 1), max_value=date(2030, 12, 31))


def scene(day: date, *, cloud_pct: float | None = 10.0, name: str = "") -> Scene:
    """A scene of central India; 05:30 UTC is before noon there, on the same day."""
    return Scene(
        scene_id=name or f"S2_{day:%Y%m%d}",
        platform="sentinel-2a",
        granule=grid.granule("44QLH"),
        sensed=datetime(day.year, day.month, day.day, 5, 30, tzinfo=UTC),
        published=None,
        relative_orbit=19,
        cloud_pct=cloud_pct,
        parts=(),
        item_ids=(),
    )


@given(days, st.integers(1, 90))
def test_anchor_any_night_lies_in_its_period(as_of: date, refresh_days: int) -> None:
    rules = NormalRules(refresh_days=refresh_days)
    first = seasonal.anchor(as_of, rules)
    assert timedelta(0) <= as_of - first < timedelta(days=refresh_days)
    assert (first - date(2015, 1, 1)).days % refresh_days == 0
    assert seasonal.anchor(first, rules) == first
    assert seasonal.anchor(first + timedelta(days=refresh_days), rules) == first + timedelta(days=refresh_days)


@given(days, days, st.integers(10, 183))
def test_in_season_either_order_and_any_year_same(day: date, other: date, season_days: int) -> None:
    rules = NormalRules(season_days=season_days)
    assert seasonal.in_season(day, other, rules) == seasonal.in_season(other, day, rules)
    nearest = min(abs((day.replace(year=year, day=min(day.day, 28)) - other).days) for year in range(2015, 2033))
    if nearest < season_days - 4:  # leap days and the clipped end of the month
        assert seasonal.in_season(day, other, rules)
    if nearest > season_days + 4:
        assert not seasonal.in_season(day, other, rules)


def test_in_season_across_new_year_true() -> None:
    rules = NormalRules(season_days=20)
    assert seasonal.in_season(date(2023, 12, 25), date(2024, 1, 5), rules)
    assert seasonal.in_season(date(2024, 12, 31), date(2025, 1, 1), rules)
    assert not seasonal.in_season(date(2023, 12, 1), date(2024, 1, 5), rules)


def test_rank_recent_and_future_scenes_left_out() -> None:
    found = [scene(ANCHOR + timedelta(days=d)) for d in (-31, -30, -1, 0, 1, 365)]
    assert seasonal.rank(found, ANCHOR, RULES) == (found[0],)


def test_rank_scenes_older_than_three_years_left_out() -> None:
    third_year = scene(date(2021, 6, 1))
    assert seasonal.rank([third_year, scene(date(2020, 6, 1))], ANCHOR, RULES) == (third_year,)


def test_rank_season_before_mostly_cloudy_before_year_before_clouds_before_age() -> None:
    mostly_cloudy = scene(date(2023, 6, 5), cloud_pct=80)
    clear_last_year = scene(date(2023, 6, 10), cloud_pct=3)
    clear_before_that = scene(date(2022, 6, 10), cloud_pct=1)
    clear_three_years_ago = scene(date(2021, 6, 10), cloud_pct=0)
    unknown = scene(date(2023, 5, 25), cloud_pct=None)
    winter = scene(date(2024, 1, 10), cloud_pct=0)
    found = [winter, mostly_cloudy, clear_before_that, clear_three_years_ago, unknown, clear_last_year]
    assert seasonal.rank(found, ANCHOR, RULES) == (
        clear_last_year,
        unknown,
        clear_before_that,
        clear_three_years_ago,
        mostly_cloudy,
        winter,
    )


def test_choose_earlier_years_fill_up_what_the_last_one_lacks() -> None:
    years = [season_of(5, year=year) for year in (2021, 2022, 2023)]
    ranked = seasonal.rank([item for year in years for item in year], ANCHOR, RULES)
    chosen = seasonal.choose(ranked, lambda s: np.ones(20, bool), anchor=ANCHOR, rules=RULES)
    assert [sum(item in year for item in chosen) for year in years] == [2, 5, 5]


def test_d23_rank_fully_cloudy_scene_is_last_but_kept() -> None:
    overcast, clear = scene(date(2023, 6, 1), cloud_pct=100), scene(date(2023, 6, 6), cloud_pct=0)
    assert seasonal.rank([overcast, clear], ANCHOR, RULES) == (clear, overcast)


@given(st.permutations([scene(date(2023, 5, 20) + timedelta(days=5 * i), name=f"s{i % 7}-{i}") for i in range(9)]))
def test_rank_any_input_order_same_result(shuffled: list[Scene]) -> None:
    assert seasonal.rank(shuffled, ANCHOR, RULES) == seasonal.rank(sorted(shuffled, key=str), ANCHOR, RULES)


def test_rank_longer_gap_leaves_more_out() -> None:
    found = [scene(ANCHOR - timedelta(days=d)) for d in (31, 61)]
    assert len(seasonal.rank(found, ANCHOR, NormalRules(gap_days=30))) == 2
    assert len(seasonal.rank(found, ANCHOR, NormalRules(gap_days=60))) == 1


def season_of(count: int, *, year: int = 2023) -> list[Scene]:
    return [scene(date(year, 5, 1) + timedelta(days=3 * i)) for i in range(count)]


def test_choose_clear_season_stops_at_max_looks_without_asking_more() -> None:
    ranked = seasonal.rank(season_of(20), ANCHOR, RULES)
    asked = []

    def seen(item: Scene) -> np.ndarray:
        asked.append(item)
        return np.ones(100, bool)

    chosen = seasonal.choose(ranked, seen, anchor=ANCHOR, rules=RULES)
    assert chosen == ranked[: RULES.max_looks]
    assert tuple(asked) == chosen


def test_choose_monsoon_falls_back_to_other_seasons() -> None:
    winter = [scene(date(2024, 1, 1) + timedelta(days=5 * i)) for i in range(10)]
    ranked = seasonal.rank([*season_of(20), *winter], ANCHOR, RULES)
    chosen = seasonal.choose(ranked, lambda s: np.full(50, s in winter), anchor=ANCHOR, rules=RULES)
    assert set(chosen) < set(winter)
    assert len(chosen) == RULES.min_looks


def test_choose_refused_scene_passed_over() -> None:
    ranked = seasonal.rank(season_of(3), ANCHOR, RULES)
    chosen = seasonal.choose(ranked, lambda s: None if s is ranked[0] else np.ones(4, bool), anchor=ANCHOR, rules=RULES)
    assert chosen == ranked[1:]


def test_choose_halves_of_the_granule_are_filled_from_different_scenes() -> None:
    west, east = np.arange(40) < 20, np.arange(40) >= 20
    ranked = seasonal.rank(season_of(20), ANCHOR, NormalRules(max_looks=5, min_looks=2))
    chosen = seasonal.choose(
        ranked,
        lambda s: west if ranked.index(s) % 2 else east,
        anchor=ANCHOR,
        rules=NormalRules(max_looks=5, min_looks=2),
    )
    assert len(chosen) == 5
    assert {ranked.index(s) % 2 for s in chosen} == {0, 1}
