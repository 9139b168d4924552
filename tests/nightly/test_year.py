"""A year of the simulated world, 73 looks, 70 % cloudy: every planted event is confirmed, and nothing else."""

import json
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline import demo
from pipeline.nightly import run
from pipeline.simulate import scenes

SEED = 11


pytestmark = [pytest.mark.slow, pytest.mark.timeout(5400)]


@dataclass(frozen=True)
class Year:
    """What a year of nights gave."""

    scores: tuple[demo.Score, ...]
    """Of each planted event."""
    others: tuple[dict[str, Any], ...]
    """Confirmed on nothing planted."""
    errors: tuple[str, ...]


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Year:
    """The nights of the whole year, once for all tests."""
    folder = tmp_path_factory.mktemp("year")
    built = scenes.build(folder / "world", seed=SEED, start=demo.FIRST_NIGHT, preset="year")
    listed = json.loads(built.items.read_text())["features"]
    cover = [item["properties"]["eo:cloud_cover"] for item in listed]
    assert len(built.nights) >= 60
    assert 62 < sum(cover) / len(cover) < 78
    place = demo.prepare(folder / "home")
    shutil.copy(built.aoi, place.aois / "planted-world.geojson")
    report = run.over(place, built.nights, run.Options(catalog=str(built.items), workers=0))
    found = [f for night in report.nights for f in confirmed(night.folder)]
    planted = json.loads(built.planted.read_text())["features"]
    scores, others = demo.compare(planted, found)
    return Year(scores, others, tuple(night.error for night in report.nights if night.error))


def test_a_cloudy_year_confirms_nothing_that_was_not_planted_and_nothing_before_it_began(
    year: Year, capsys: pytest.CaptureFixture[str]
) -> None:
    assert year.errors == ()
    assert year.others == ()
    assert [score for score in year.scores if score.found] != []
    with capsys.disabled():
        for score in (score for score in year.scores if score.found):
            first = min(date.fromisoformat(str(p["confirmed_on"])) for p in score.found)
            delay = (first - date.fromisoformat(score.start)).days
            print(f"\n{score.kind} of {score.size}, begun {score.start}: confirmed after {delay} days", end="")
            assert delay >= 0


def test_a_cloudy_year_confirms_all_planted_events(year: Year) -> None:
    assert [score.start for score in year.scores if not score.found] == []


def confirmed(folder: Path | None) -> list[dict[str, Any]]:
    """The confirmed alerts of a night."""
    assert folder is not None
    features = json.loads((folder / "alerts.geojson").read_text())["features"]
    return [f for f in features if f["properties"]["status"] == "confirmed"]
