"""Status from a ledger whose nights are given; one whole night is read back in test_run.py."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from shapely import box
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry
from typer.testing import CliRunner

from pipeline import cli, grid
from pipeline.ledger import database
from pipeline.ledger.manifest import Manifest
from pipeline.ledger.nights import Books
from pipeline.ledger.overpasses import Overpass
from pipeline.nightly import run, status
from tests.ledger.planted import a_night, day, run_nights

MakeHome = Callable[..., run.Home]
HERE = grid.granule("44QKE")
WEST, SOUTH, EAST, NORTH = HERE.bounds
COVERED = box(WEST + 20_000, SOUTH + 20_000, WEST + 20_110, SOUTH + 20_110)
"""Little more than the 100 pixels that the planted nights tell of."""


def lie_in(home: run.Home, place: BaseGeometry) -> None:
    """Put the AOI somewhere else, given in metres."""
    path = home.aois / "planted-world.geojson"
    feature = json.loads(path.read_text()) | {"geometry": mapping(grid.reproject(place, HERE.epsg, 4326))}
    path.write_text(json.dumps(feature))


@pytest.fixture
def place(make_home: MakeHome) -> run.Home:
    """A home after five nights, with a scene and a clear look each, of an AOI inside their granule."""
    home = make_home()
    lie_in(home, COVERED)
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


def test_read_many_months_later_still_knows_the_newest_scene(place: run.Home) -> None:
    (item,) = status.read(place, day(404), ()).aois
    assert (item.newest_scene, item.fresh_days) == (day(4), 400)
    assert [text for text in item.alarms if "no catalogue has listed a scene of 44QKE for 400 days" in text]


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


def test_exit_code_tells_a_night_that_gave_nothing_after_a_good_one(place: run.Home) -> None:
    with database.opened(place.ledger) as ledger:
        Books(ledger, "planted-world").failed(day(6), "no catalogue answered")
    found = status.read(place, day(6), ())
    assert (found.aois[0].failed, found.exit_code) == ((), 1)


def test_catalogue_problems_of_the_last_night_are_told_and_fail_nothing(place: run.Home) -> None:
    problems = tuple(f"catalogue first: no answer {number}" for number in range(7))
    with database.opened(place.ledger) as ledger:
        books = Books(ledger, "planted-world")
        before = books.load(day(5), scenes_since=day(0))
        books.commit(before, replace(a_night(before, 5), catalog_problems=problems))
    arguments = ["status", "--home", str(place.folder), "--as-of", day(5).isoformat()]
    shown = CliRunner().invoke(cli.app, arguments)
    assert shown.exit_code == 0
    assert "  catalogue      catalogue first: no answer 0\n" in shown.output
    assert shown.output.count("no answer") == 5
    assert "  catalogue      and 2 problems more\n" in shown.output
    told = json.loads(CliRunner().invoke(cli.app, [*arguments, "--json"]).stdout)
    assert told["aois"][0]["catalog_problems"] == list(problems)
    with database.opened(place.ledger) as ledger:
        run_nights(Books(ledger, "planted-world"), range(6, 7))
    assert status.read(place, day(6), ()).aois[0].catalog_problems == ()


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


def test_read_part_of_an_aoi_that_no_granule_covers_counts_as_blind_and_is_told(place: run.Home) -> None:
    lie_in(place, box(WEST - 40_000, SOUTH + 20_000, WEST + 100, SOUTH + 20_100))
    (item,) = status.read(place, day(4), ()).aois
    assert item.uncovered_km2 == pytest.approx(4.0, abs=0.1)
    assert item.blind_pct == pytest.approx(99.3, abs=0.2)
    assert item.clear_on is None
    shown = CliRunner().invoke(cli.app, ["status", "--home", str(place.folder), "--as-of", day(4).isoformat()])
    assert "not covered    4.0 km2: no catalogue lists a scene of this part of it" in shown.output
