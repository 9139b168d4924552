from datetime import UTC, date, datetime, timedelta

from pipeline.ledger import overpasses
from pipeline.ledger.overpasses import Overpass, Seen

START = datetime(2026, 3, 1, 5, 10, tzinfo=UTC)


def seen(days: int, platform: str = "sentinel-2a", orbit: int | None = 19, mgrs: str = "44QKE") -> Seen:
    return Seen(f"{mgrs}{platform}{orbit}{days}", mgrs, platform, orbit, START + timedelta(days=days))


def days(found: tuple[Overpass, ...]) -> list[int]:
    return [(each.day - START.date()).days for each in found]


def day(number: int) -> date:
    return START.date() + timedelta(days=number)


def test_expected_two_satellites_and_two_orbits_come_every_ten_days_each() -> None:
    known = [seen(0), seen(5, "sentinel-2b"), seen(7, orbit=62), seen(12, "sentinel-2b", 62)]
    found = overpasses.expected(known, day(13), day(30))
    assert days(found) == [15, 17, 20, 22, 25, 27, 30]
    assert found[0] == Overpass(day(15), "44QKE", "sentinel-2b", 19)
    assert found[1] == Overpass(day(17), "44QKE", "sentinel-2a", 62)


def test_expected_orbits_that_no_catalogue_names_are_told_apart_by_their_days() -> None:
    known = [seen(0, "", None), seen(5, "", None), seen(7, "", None)]
    assert days(overpasses.expected(known, day(8), day(20))) == [10, 15, 17, 20]


def test_expected_a_satellite_that_comes_no_more_is_dropped_but_not_in_a_silent_catalogue() -> None:
    old, new = seen(0), seen(45, "sentinel-2c")
    assert days(overpasses.expected([old, new], day(46), day(56))) == [55]
    assert days(overpasses.expected([old], day(46), day(56))) == [50]


def test_expected_pass_near_midnight_utc_stays_on_its_solar_day() -> None:
    late = datetime(2026, 3, 1, 23, 59, 50, tzinfo=UTC)
    fiji = [
        Seen("a", "01KAB", "sentinel-2a", 72, late),
        Seen("b", "01KAB", "sentinel-2a", 72, late + timedelta(10, 20)),
    ]
    found = overpasses.expected(fiji, date(2026, 3, 12), date(2026, 3, 31))
    assert [each.day for each in found] == [late.date() + timedelta(days=n) for n in (20,)] or len(found) == 2
    assert len({each.day.toordinal() % 10 for each in found}) == 1


def test_expected_of_nothing_is_nothing() -> None:
    assert overpasses.expected([], day(0), day(99)) == ()


def test_missing_tells_the_overpasses_without_a_scene() -> None:
    known = [seen(0), seen(10), seen(30)]
    assert days(overpasses.missing(known, day(1), day(35))) == [20]
