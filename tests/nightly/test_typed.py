"""Verdicts typed into a published GeoPackage count from the next night on."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from pipeline.ledger import database
from pipeline.ledger import verdicts as ledger_verdicts
from pipeline.ledger.verdicts import Verdict
from pipeline.nightly import run, typed, verdicts
from tests.nightly.planted import World

AOI = "planted-world"


def shown(place: run.Home) -> dict[str, dict[str, Any]]:
    told = json.loads((place.out / "latest" / AOI / "alerts.geojson").read_text())
    return {feature["id"]: feature["properties"] for feature in told["features"]}


def type_in(path: Path, alert_id: str, **values: str) -> None:
    """What QGIS does when an analyst saves the form."""
    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        opened.execute("PRAGMA journal_mode=WAL")
        for row in opened.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall():
            opened.execute(f'DROP TRIGGER "{row[0]}"')  # they call functions that only GDAL has
        told = ", ".join(f"{name} = ?" for name in values)
        done = opened.execute(f"UPDATE alerts SET {told} WHERE alert_id = ?", (*values.values(), alert_id))
        assert done.rowcount == 1


def test_verdict_typed_in_the_published_file_counts_the_next_night(
    world: World, first_night: run.Home, local: run.Options
) -> None:
    place = first_night
    name = max((p["area_ha"], name) for name, p in shown(place).items() if p["kind"] == "clearing")[1]
    file = place.out / "latest" / AOI / "alerts.gpkg"
    day = world.nights[0].isoformat()
    type_in(file, name, verdict="dismissed", note="a quarry", verdict_by="asha", verdict_on=f"{day}T09:00:00Z")
    report = run.over(place, world.nights[1:2], local)
    assert report.exit_code == 0
    assert name not in shown(place)
    with database.opened(place.ledger) as ledger:
        assert typed.gather(place.out, AOI, ledger, as_of=world.nights[1]) == ()


def test_word_said_by_command_counts_after_what_was_typed_earlier_on_that_day(
    world: World, first_night: run.Home, local: run.Options
) -> None:
    place, day = first_night, world.nights[0]
    name = max((p["area_ha"], name) for name, p in shown(place).items() if p["kind"] == "clearing")[1]
    file = place.out / "latest" / AOI / "alerts.gpkg"
    type_in(file, name, verdict="dismissed", note="a quarry", verdict_by="asha", verdict_on=f"{day}T09:00:00Z")
    said = Verdict(name, "confirmed", "no, seen on the ground", "ravi", day)
    assert verdicts.say(place.ledger, (said,), out=place.out) == verdicts.Recorded(1, 0)
    run.over(place, world.nights[1:2], local)
    assert shown(place)[name]["verdict"] == "confirmed"


def test_gather_file_that_cannot_be_read_is_told_and_the_others_count(first_night: run.Home, world: World) -> None:
    place = first_night
    name = next(name for name, p in shown(place).items() if p["kind"] == "clearing")
    file = place.out / "latest" / AOI / "alerts.gpkg"
    day = world.nights[0].isoformat()
    type_in(file, name, verdict="confirmed", verdict_by="asha", verdict_on=f"{day}T09:00:00Z")
    kept = place.out / "edited" / AOI
    kept.mkdir(parents=True)
    (kept / "0001.gpkg").write_bytes(b"SQLite format 3\0" + b"x" * 4096)
    with database.opened(place.ledger) as ledger:
        problems = typed.gather(place.out, AOI, ledger, as_of=world.nights[0])
    assert len(problems) == 1
    assert "0001.gpkg" in problems[0]
    assert "\n" not in problems[0]


def test_gather_verdict_of_a_day_ahead_is_told_and_does_not_count_yet(first_night: run.Home, world: World) -> None:
    place = first_night
    name = next(name for name, p in shown(place).items() if p["kind"] == "clearing")
    file = place.out / "latest" / AOI / "alerts.gpkg"
    type_in(file, name, verdict="dismissed", verdict_by="asha", verdict_on="2204-03-01T09:00:00Z")
    with database.opened(place.ledger) as ledger:
        (problem,) = typed.gather(place.out, AOI, ledger, as_of=world.nights[0])
        assert ledger_verdicts.verdicts_for(ledger, [name]) == {}
    assert problem == f"verdict typed in QGIS: {name}: 2204-03-01: lies ahead; check that machine's clock"


def test_gather_leaves_files_of_later_nights_alone(first_night: run.Home, world: World) -> None:
    place = first_night
    name = next(iter(shown(place)))
    day = world.nights[0].isoformat()
    type_in(
        place.out / day / AOI / "alerts.gpkg", name, verdict="maybe", verdict_by="asha", verdict_on=f"{day}T09:00:00Z"
    )
    with database.opened(place.ledger) as ledger:
        assert len(typed.gather(place.out, AOI, ledger, as_of=world.nights[0])) == 1
        earlier = world.nights[0].replace(year=world.nights[0].year - 1)
        assert typed.gather(place.out, AOI, ledger, as_of=earlier) == ()
