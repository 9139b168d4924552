"""Replays of real series: real pixels in which nothing of our kinds happened."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.nightly import run
from tests.nightly.planted import left


def home_over(place: run.Home, items: Path) -> run.Home:
    """A home that watches the whole of a series."""
    boxes = [item["bbox"] for item in json.loads(items.read_text())["features"]]
    west, south = (min(box[i] for box in boxes) for i in (0, 1))
    east, north = (max(box[i] for box in boxes) for i in (2, 3))
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    feature: dict[str, Any] = {
        "type": "Feature",
        "properties": {
            "id": "series",
            "name": "Series",
            "profile": "demo",
            "overrides": {"search": {"history_days": 800}},  # boadella has few dates a year
        },
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    (place.aois / "planted-world.geojson").unlink()
    (place.aois / "series.geojson").write_text(json.dumps(feature))
    return place


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "first", "nights", "km2"),
    [("worldcereal-a", date(2018, 6, 1), 20, 0.41), ("boadella", date(2021, 6, 25), 27, 13.0)],
)
def test_replay_of_a_real_series_runs_to_the_end_with_few_possible_alerts(
    shared_data: Path, make_home: Callable[..., run.Home], name: str, first: date, nights: int, km2: float
) -> None:
    items = shared_data / "series" / name / "items.json"
    place = home_over(make_home(), items)
    report = run.replay(place, first, first + timedelta(days=nights - 1), run.Options(catalog=str(items), workers=0))
    assert report.exit_code == 0
    assert len(report.nights) == nights
    told = json.loads((place.out / "latest" / "series" / "run.json").read_text())
    assert sum(entry["state"] == "used" for entry in left(place, "series").ledger.values()) >= 2
    assert told["uncovered_km2"] == pytest.approx(0, abs=0.02 * km2)


@pytest.mark.slow
@pytest.mark.timeout(5400)
@pytest.mark.parametrize(("name", "first"), [("worldcereal-a", date(2018, 1, 1)), ("boadella", date(2020, 6, 1))])
def test_no_alert_is_ever_confirmed_on_a_real_series_in_which_nothing_happened(
    shared_data: Path, make_home: Callable[..., run.Home], name: str, first: date
) -> None:
    items = shared_data / "series" / name / "items.json"
    listed = (item["properties"]["datetime"][:10] for item in json.loads(items.read_text())["features"])
    nights = sorted({day for day in map(date.fromisoformat, listed) if day >= first})
    place = home_over(make_home(), items)
    report = run.over(place, nights, run.Options(catalog=str(items), workers=0))
    assert not [night.error for night in report.nights if night.error]
    kept = left(place, "series")
    assert sum(entry["state"] == "used" for entry in kept.ledger.values()) >= 7
    assert [alert["alert_id"] for alert in kept.alerts if alert["confirmed_on"]] == []
