from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from pipeline import aoi as areas
from pipeline.ledger.manifest import Outlook
from pipeline.nightly import blindness, run
from pipeline.nightly.blindness import Facts

NIGHT = date(2026, 4, 1)


def entry(days_ago: int, state: str, platform: str = "sentinel-2a") -> dict[str, Any]:
    sensed = datetime(2026, 4, 1, 5, tzinfo=UTC) - timedelta(days=days_ago)
    return {"sensed": sensed.isoformat(), "mgrs": "44QLH", "platform": platform, "relative_orbit": 19, "state": state}


@pytest.fixture
def facts(make_home: Callable[..., run.Home]) -> Facts:
    """An AOI whose profile allows 21 blind and 12 silent days; all of it was seen clearly two days ago."""
    place = make_home()
    ledger = {"new": entry(2, "used")}
    return Facts(
        aoi=areas.load(place.aois / "planted-world.geojson", place.configs),
        as_of=NIGHT,
        first_night=date(2026, 1, 1),
        granules=("44QLH",),
        ledger=ledger,
        seen=blindness.as_seen(ledger),
        clear_days={"t": {"2026-03-30": 100}},
        blind_pct=0.0,
    )


def later(facts: Facts, ledger: dict[str, dict[str, Any]], **changes: Any) -> Facts:
    return replace(facts, ledger=ledger, seen=blindness.as_seen(ledger), **changes)


def texts(seen: Outlook) -> tuple[str, ...]:
    return tuple(alarm.text for alarm in seen.alarms)


def test_outlook_of_an_aoi_that_is_seen_is_calm(facts: Facts) -> None:
    seen = blindness.outlook(facts)
    assert (seen.clear_on, seen.blind_days, seen.newest_scene, seen.alarms) == (
        date(2026, 3, 30),
        2,
        date(2026, 3, 30),
        (),
    )


@pytest.mark.parametrize(
    ("tiles", "expected"),
    [
        ([{"2026-03-01": 50, "2026-03-09": 50}], date(2026, 3, 9)),
        ([{"2026-03-01": 51, "2026-03-09": 49}], date(2026, 3, 1)),
        ([{"2026-03-09": 10}, {"": 30, "2026-02-01": 20}], date(2026, 2, 1)),
        ([{"": 51, "2026-03-09": 49}], None),
        ([], None),
    ],
)
def test_half_seen_since_is_the_day_on_which_half_had_been_seen(tiles: Any, expected: date | None) -> None:
    assert blindness.half_seen_since(tiles) == expected


def test_outlook_blind_for_longer_than_allowed_alarms_with_every_reason(facts: Facts) -> None:
    days = {2: "used", 7: "refused", 12: "failed", 17: "used", 22: "waiting"}
    ledger = {f"s{n}": entry(n, state, "sentinel-2a" if n % 10 == 2 else "sentinel-2b") for n, state in days.items()}
    clear = {"t": {"2026-03-09": 40, "2026-03-30": 30, "": 30}}
    seen = blindness.outlook(later(facts, ledger, clear_days=clear))
    assert (seen.clear_on, seen.blind_days) == (date(2026, 3, 9), 23)
    assert seen.why_blind == {"cloud": 2, "failed read": 1, "refused scene": 1, "waiting scene": 1}
    assert texts(seen) == (
        "planted-world: blind: half of it has had no clear look for 23 days, 21 are allowed "
        "(2 cloud, 1 failed read, 1 refused scene, 1 waiting scene)",
    )


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ({"cloud": 40, "nodata": 100, "shadow": 50}, {"no data": 1}),
        ({"cloud": 60, "nodata": 100, "residual_cloud": 50}, {"cloud": 1}),
        ({"snow": 3, "cloud": 2}, {"snow": 1}),
        ({}, {}),
    ],
)
def test_outlook_a_scene_counts_as_what_most_of_the_aoi_missed_of_it(
    facts: Facts, missed: dict[str, int], expected: dict[str, int]
) -> None:
    """It may have missed nothing of its part: another granule is the blind one."""
    ledger = {"s": entry(2, "used") | {"missed": missed}}
    seen = blindness.outlook(later(facts, ledger, clear_days={"t": {"2026-03-29": 100}}))
    assert seen.why_blind == expected


def test_outlook_one_day_less_does_not_alarm(facts: Facts) -> None:
    clear = {"t": {"2026-03-11": 100}}
    assert blindness.outlook(replace(facts, clear_days=clear)).alarms == ()
    assert len(blindness.outlook(replace(facts, clear_days=clear, as_of=date(2026, 4, 2))).alarms) == 1


def test_outlook_of_a_new_aoi_under_cloud_does_not_alarm_before_its_time(facts: Facts) -> None:
    never = replace(facts, clear_days={"t": {"": 100}}, first_night=date(2026, 3, 25))
    seen = blindness.outlook(never)
    assert (seen.clear_on, seen.blind_days, seen.alarms) == (None, 7, ())


def test_d6_outlook_silent_catalogue_alarms_and_counts_the_overpasses_that_are_missing(facts: Facts) -> None:
    ledger = {"old": entry(18, "used"), "older": entry(23, "used", "sentinel-2b")}
    seen = blindness.outlook(later(facts, ledger, clear_days={"t": {"2026-03-14": 100}}))
    assert seen.why_blind == {"no scene": 3}
    assert texts(seen) == (
        "planted-world: silent: no catalogue has listed a scene of 44QLH for 18 days, 12 are allowed "
        "(3 overpasses were expected)",
    )


def test_outlook_silent_granule_counts_the_overpasses_over_itself_alone(facts: Facts) -> None:
    ledger = {"old": entry(18, "used"), "beside": entry(18, "used") | {"mgrs": "44QMH"}}
    seen = blindness.outlook(later(facts, ledger, granules=("44QLH", "44QMH")))
    ends = tuple(text.rpartition("scene of ")[2] for text in texts(seen) if ": silent: " in text)
    allowed = "for 18 days, 12 are allowed (1 overpasses were expected)"
    assert ends == (f"44QLH {allowed}", f"44QMH {allowed}")


def test_outlook_silent_for_longer_than_overpasses_are_remembered_does_not_say_that_none_was_due(facts: Facts) -> None:
    gone = replace(facts, ledger={}, seen=(), older=blindness.as_seen({"old": entry(200, "used")}))
    seen = blindness.outlook(replace(gone, clear_days={"t": {"2025-09-13": 100}}))
    assert len(seen.alarms) == 2
    assert all(text.endswith("it is not known which overpasses were due)") for text in texts(seen))


def test_outlook_of_an_aoi_without_any_scene_alarms(facts: Facts) -> None:
    nothing = later(facts, {}, granules=(), clear_days={})
    assert texts(blindness.outlook(nothing)) == ("planted-world: silent: no catalogue lists any scene of it",)


def test_blind_pct_counts_pixels_that_were_never_seen() -> None:
    tiles = [{"2026-03-01": 10, "": 20}, {"2026-03-11": 70}]
    assert blindness.blind_pct(tiles, date(2026, 3, 11)) == 30.0


def test_outlook_what_no_granule_covers_was_never_seen(facts: Facts) -> None:
    half = replace(facts, clear_days={"t": {"2026-03-30": 1000}}, uncovered_km2=0.1)
    assert blindness.outlook(half).clear_on == date(2026, 3, 30)
    assert blindness.outlook(replace(half, uncovered_km2=0.11)).clear_on is None
    (alarm,) = blindness.outlook(replace(half, uncovered_km2=0.11)).alarms
    assert alarm.text.startswith("planted-world: blind: half of it has had no clear look for 90 days")
