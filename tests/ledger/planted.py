"""Plain nights for tests of the ledger: no pixels, only what a night hands over."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pipeline.ledger.manifest import Done, Manifest
from pipeline.ledger.nights import Books

FIRST = date(2026, 1, 1)
WINDOW = timedelta(days=31)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def entry(number: int, **changes: Any) -> dict[str, Any]:
    """A used scene that was sensed on a day."""
    sensed = datetime(2026, 1, 1, 5, tzinfo=UTC) + timedelta(days=number)
    facts = {
        "sensed": sensed.isoformat(),
        "mgrs": "44QKE",
        "platform": "sentinel-2a",
        "relative_orbit": 19,
        "items": [f"item{number}"],
        "listed": [["earth-search", f"item{number}"], ["planetary-computer", f"other{number}"]],
        "revision": "r1",
        "night": day(number).isoformat(),
        "cloud_pct": 12.5,
        "purpose": "look",
        "datastrips": [f"strip{number}"],
        "state": "used",
        "offsets": [[-1000, "pixels", "darkest 1012"]],
        "shift": [0.1, -0.2, "peak 0.9"],
        "corrected": False,
    }
    return facts | changes


def record(name: str, **changes: Any) -> dict[str, Any]:
    """An alert as a stage hands it over."""
    shape = {
        "kind": "camp",
        "first_seen": "2026-01-01",
        "last_seen": "2026-01-03",
        "confidence": 0.75,
        "area_m2": 1200.0,
        "mgrs": "44QKE",
    }
    facts = {"version": 1, "alert_id": name, "status": "possible", "confirmed_on": None, "as_of": "2026-01-01"}
    return facts | {"detection": shape} | changes


def a_night(before: Manifest, number: int, *, tiles: int = 3, **changes: Any) -> Done:
    """The night of a day: one new scene, new arrays, one alert that every night touches and one that changes."""
    as_of = day(number)
    keys = [f"t{index}" for index in range(tiles)]
    alerts = [
        record("VW-GROWS", as_of=as_of.isoformat(), note=f"night {number}"),
        record("VW-STEADY", as_of=as_of.isoformat()),
    ]
    after = Manifest(
        as_of=as_of,
        granules=("44QKE",),
        ledger=before.ledger | {f"scene{number}": entry(number)},
        alerts=tuple(alerts),
        tiles={key: f"{key}.{as_of}.1.arrays" for key in keys},
        clear_days={key: {as_of.isoformat(): 90, "": 10} for key in keys},
    )
    looks = tuple((f"scene{number}", key, {"clear": 90, "cloud": 10}) for key in keys)
    return replace(Done(after=after, catalog="earth-search", looks=looks), **changes)


def run_nights(books: Books, numbers: range) -> None:
    """Commit a night for each of some days."""
    for number in numbers:
        before = books.load(day(number), scenes_since=day(number) - WINDOW)
        books.commit(before, a_night(before, number))
