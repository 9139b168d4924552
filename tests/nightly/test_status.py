"""Status from a ledger whose nights are given; one whole night is read back in test_run.py."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from typer.testing import CliRunner

from pipeline import cli
from pipeline.ledger import database
from pipeline.ledger.manifest import Manifest
from pipeline.ledger.nights import Books
from pipeline.ledger.overpasses import Overpass
from pipeline.nightly import run, status
from tests.ledger.planted import a_night, day, run_nights

MakeHome = Callable[..., run.Home]


@pytest.fixture
def place(make_home: MakeHome) -> run.Home:
    """A home after five nights, with a scene and a clear look each."""
    home = make_home()
    home.state.mkdir()
    with database.opened(home.ledger) as ledger:
        run_nights(Books(ledger, "planted-world"), range(5))
    return home


def test_read_after_a_good_night_is_calm(place: run.Home) -> None:
    found = status.read(place, day(4), ())
    (item,) = found.aois
    assert (item.last_night, item.catalog, item.fresh_days, item.blind_days) == (day(4), "earth-search", 0, 0)
    assert item.alerts == {"possible": 2}
    assert item.next_overpasses[0] == Overpass(day(10), "44QKE", "sentinel-2a", 19)
    assert (item.alarms, item.blind_tiles, found.exit_code) == ((), (), 0)


def test_read_weeks_later_alarms_without_any_night(place: run.Home) -> None:
    found = status.read(place, day(40), ())
    (item,) = found.aois
    assert (item.fresh_days, item.blind_days, item.blind_pct) == (36, 36, 100.0)
    assert {tile.days for tile in item.blind_tiles} == {36}
    assert [line.split(": ")[1] for line in item.alarms] == ["blind", "silent"]
    assert found.exit_code == run.ALARM


def test_read_tells_parts_that_failed_and_nights_that_gave_nothing(place: run.Home) -> None:
    with database.opened(place.ledger) as ledger:
        books = Books(ledger, "planted-world")
        before = books.load(day(5), scenes_since=day(0))
        books.commit(before, replace(a_night(before, 5), failed=("tile t0: gone",)))
        books.failed(day(6), "no catalogue answered")
    found = status.read(place, day(6), ())
    assert found.aois[0].failed == ("tile t0: gone",)
    assert [(night.as_of, night.error) for night in found.aois[0].failed_nights] == [(day(6), "no catalogue answered")]
    assert found.exit_code == 1


def test_read_before_the_first_night_says_so_and_makes_nothing(make_home: MakeHome) -> None:
    home = make_home()
    found = status.read(home, date(2026, 1, 1), ())
    assert [item.last_night for item in found.aois] == [None]
    assert not home.state.exists()


def test_read_in_the_night_of_the_last_one_shows_what_it_left(place: run.Home) -> None:
    assert status.read(place, day(0), ()) == replace(status.read(place, day(4), ()), as_of=day(0))


def test_command_prints_lines_for_people_and_json_for_programs(place: run.Home) -> None:
    arguments = ["status", "--home", str(place.folder), "--as-of", day(40).isoformat()]
    shown = CliRunner().invoke(cli.app, arguments)
    assert shown.exit_code == run.ALARM
    for words in ("planted-world", "last night     2026-01-05 (earth-search)", "36 days ago", "ALARM", "next overpass"):
        assert words in shown.output
    told = json.loads(CliRunner().invoke(cli.app, [*arguments, "--json"]).stdout)
    assert told["aois"][0]["blind_days"] == 36
    assert told["aois"][0]["next_overpasses"][0]["mgrs"] == "44QKE"


def test_ledger_of_manifest_is_untouched_by_status(place: run.Home) -> None:
    with database.opened(place.ledger) as ledger:
        books = Books(ledger, "planted-world")
        first: Manifest = books.load(day(9), scenes_since=day(0))
        status.read(place, day(20), ())
        assert books.load(day(9), scenes_since=day(0)) == first
