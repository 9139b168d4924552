"""Verdicts from commands and files: all or nothing into the ledger, and from there into the next night."""

import csv
import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas
import pytest
from shapely import Point
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from pipeline.errors import ConfigError
from pipeline.ledger import database
from pipeline.ledger.verdicts import Verdict
from pipeline.nightly import run, verdicts
from tests.nightly.planted import World

DEFAULTS = verdicts.Defaults("asha", date(2026, 5, 2))
ROWS: list[dict[str, Any]] = [
    {"alert_id": "VW-AAAAAAAA", "verdict": "dismissed", "note": "a quarry", "verdict_by": "", "verdict_on": None},
    {"alert_id": "VW-BBBBBBBB", "verdict": "", "note": "", "verdict_by": "", "verdict_on": None},
    {
        "alert_id": "VW-CCCCCCCC",
        "verdict": " Confirmed ",
        "note": "वन",
        "verdict_by": "ravi",
        "verdict_on": "2026-05-01",
    },
]
SAID = (
    Verdict("VW-AAAAAAAA", "dismissed", "a quarry", "asha", date(2026, 5, 2)),
    Verdict("VW-CCCCCCCC", "confirmed", "वन", "ravi", date(2026, 5, 1)),
)


def write(path: Path, rows: list[dict[str, Any]], layer: str = "alerts") -> Path:
    """Rows as QGIS would save them."""
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8-sig", newline="") as stream:
            table = csv.DictWriter(stream, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
        return path
    frame = geopandas.GeoDataFrame(rows, geometry=[Point(77, 28)] * len(rows), crs=4326)
    if path.suffix == ".gpkg":
        frame.to_file(path, layer=layer, driver="GPKG")
    else:
        frame.to_file(path, driver="GeoJSON")
    return path


@pytest.mark.parametrize("name", ["a.gpkg", "a.geojson", "a.csv"])
def test_read_gives_what_was_edited_and_passes_over_the_rest(tmp_path: Path, name: str) -> None:
    assert verdicts.read(write(tmp_path / name, ROWS), DEFAULTS) == SAID


@pytest.mark.parametrize("mark", [";", "\t"])
def test_read_of_what_spreadsheets_of_other_countries_write(tmp_path: Path, mark: str) -> None:
    path = write(tmp_path / "a.csv", ROWS)
    path.write_text(path.read_text(encoding="utf-8-sig").replace(",", mark), encoding="utf-8-sig")
    assert verdicts.read(path, DEFAULTS) == SAID


def test_read_takes_an_id_however_it_was_typed(tmp_path: Path) -> None:
    assert verdicts.read(write(tmp_path / "a.csv", [ROWS[0] | {"alert_id": " vw-aaaaaaaa "}]), DEFAULTS) == SAID[:1]


def test_read_of_a_real_date_column_and_of_reason_in_place_of_note(tmp_path: Path) -> None:
    more = {"reason": "seen", "verdict_on": datetime(2026, 4, 30, tzinfo=UTC)}
    path = write(tmp_path / "a.gpkg", [ROWS[0] | more])
    assert verdicts.read(path, DEFAULTS) == (replace(SAID[0], reason="seen", on=date(2026, 4, 30)),)


def test_read_takes_tracks_too(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", ROWS[:1])
    write(path, ROWS[2:], "tracks")
    assert verdicts.read(path, DEFAULTS) == SAID


def test_read_changes_nothing_in_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", ROWS)
    before = path.read_bytes()
    verdicts.read(path, DEFAULTS)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.gpkg"]


def test_read_geojson_whose_first_feature_leaves_empty_columns_out(tmp_path: Path) -> None:
    found = [{"alert_id": "VW-BBBBBBBB"}, {"alert_id": "VW-AAAAAAAA", "verdict": "dismissed", "note": "a quarry"}]
    features = [{"type": "Feature", "geometry": None, "properties": properties} for properties in found]
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    (said,) = verdicts.read(tmp_path / "a.geojson", DEFAULTS)
    assert (said.alert_id, said.verdict, said.reason) == ("VW-AAAAAAAA", "dismissed", "a quarry")


@pytest.mark.parametrize("change", [{"reason": "for\udcea"}, {"verdict_by": "\udcff"}])
def test_parsed_text_of_another_encoding_than_utf8_refused(change: dict[str, str]) -> None:
    row = {"alert_id": "VW-AAAAAAAA", "verdict": "dismissed"} | change
    with pytest.raises(ConfigError, match=r"^verdict: VW-AAAAAAAA: reason or name is no text in UTF-8; type it again"):
        verdicts.parsed(row, "verdict", DEFAULTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "maybe"}, "row 1: VW-AAAAAAAA: verdict 'maybe': not one of confirmed, dismissed, unsure"),
        ({"alert_id": ""}, "row 1: has a verdict and no alert_id"),
        ({"verdict_on": "2999-01-01"}, "row 1: VW-AAAAAAAA: verdict_on '2999-01-01': lies ahead; check the year"),
        ({"verdict_on": "lately"}, "row 1: VW-AAAAAAAA: verdict_on 'lately': not a date like 2026-05-01"),
    ],
)
def test_read_wrong_value_names_file_row_and_remedy(tmp_path: Path, change: dict[str, str], message: str) -> None:
    path = write(tmp_path / "a.csv", [ROWS[0] | change])
    with pytest.raises(ConfigError) as told:
        verdicts.read(path, DEFAULTS)
    assert f"{path}: {message}" in str(told.value)


def nested(path: Path) -> Path:
    path.write_text("[" * 100_000)
    return path


def damaged(path: Path) -> Path:
    path.write_bytes(b"SQLite format 3\0" + b"x" * 4096)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "gone.gpkg", "no such file"),
        (lambda folder: folder / "a.xlsx", "not a .gpkg, .geojson or .csv file"),
        (lambda folder: damaged(folder / "a.gpkg"), "not a readable GeoPackage"),
        (lambda folder: damaged(folder / "a.geojson"), "not readable as GeoJSON"),
        (lambda folder: nested(folder / "a.geojson"), "not readable as GeoJSON"),
        (lambda folder: damaged(folder / "a.csv"), "has no column alert_id"),
        (lambda folder: write(folder / "a.gpkg", ROWS, "other"), "has no layer 'alerts'"),
        (lambda folder: write(folder / "a.csv", [{"alert_id": "x"}]), "has no column verdict"),
    ],
)
def test_read_unusable_file_is_one_line(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(ConfigError) as told:
        list(verdicts.read(make(tmp_path), DEFAULTS))
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_read_of_a_locked_file_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", ROWS)
    editor = sqlite3.connect(path, isolation_level=None)
    editor.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ConfigError, match=r"a\.gpkg: not readable \(database is locked\); save the edits and close"):
        verdicts.read(path, DEFAULTS)
    editor.close()


def test_say_without_a_ledger_makes_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such ledger"):
        verdicts.say(database.default_url(tmp_path), SAID)
    assert list(tmp_path.iterdir()) == []


def test_say_damaged_ledger_is_wrong_input(tmp_path: Path) -> None:
    damaged(tmp_path / "vanwatch.db")
    with pytest.raises(ConfigError, match=r"vanwatch\.db"):
        verdicts.say(database.default_url(tmp_path), SAID)


def shown(place: run.Home, name: str = "alerts.geojson") -> dict[str, dict[str, Any]]:
    told = json.loads((place.out / "latest" / "planted-world" / name).read_text())
    return {feature["id"]: feature["properties"] for feature in told["features"]}


def footprints(place: run.Home) -> dict[str, BaseGeometry]:
    told = json.loads((place.out / "latest" / "planted-world" / "alerts.geojson").read_text())
    return {feature["id"]: shape(feature["geometry"]) for feature in told["features"]}


def not_outgrown(place: run.Home, ground: BaseGeometry) -> list[str]:
    """Clearings that are shown on dismissed ground and are not half as large again."""
    kinds = {name: p["kind"] for name, p in shown(place).items()}
    there = {name: found for name, found in footprints(place).items() if kinds[name] == "clearing"}
    return [name for name, found in there.items() if found.intersects(ground) and found.area < 1.5 * ground.area]


def clearing_of(place: run.Home) -> str:
    return max((p["area_ha"], name) for name, p in shown(place).items() if p["kind"] == "clearing")[1]


def test_say_unknown_alert_among_known_ones_changes_nothing(first_night: run.Home) -> None:
    known = Verdict(clearing_of(first_night), "dismissed", "", "asha", date(2022, 3, 2))
    wrong = replace(known, alert_id=known.alert_id[:-1] + "2")
    told = f"said.csv: nothing was recorded: {wrong.alert_id}: no such alert; did you mean {known.alert_id}"
    with pytest.raises(ConfigError, match=told):
        verdicts.say(first_night.ledger, (known, wrong), source="said.csv")
    assert verdicts.say(first_night.ledger, (known,)) == verdicts.Recorded(1, 0)
    assert verdicts.say(first_night.ledger, (known,)) == verdicts.Recorded(0, 1)


def test_dismissed_alert_is_gone_from_the_next_night_on_and_told_once(
    world: World, first_night: run.Home, local: run.Options
) -> None:
    place, name = first_night, clearing_of(first_night)
    ground = footprints(place)[name]
    verdicts.say(place.ledger, (Verdict(name, "dismissed", "a quarry", "asha", world.nights[0]),))
    run.over(place, world.nights[1:2], local)
    assert name not in shown(place)
    told = shown(place, "changes.geojson")[name]
    assert (told["status"], told["verdict"], told["note"]) == ("dismissed", "dismissed", "a quarry")
    first = {p.name: p.read_bytes() for p in (place.out / "latest" / "planted-world").resolve().glob("*.geojson")}
    run.nightly(place, world.nights[1], local)
    assert {p.name: p.read_bytes() for p in (place.out / "latest" / "planted-world").glob("*.geojson")} == first
    run.over(place, world.nights[2:3], local)
    assert name not in {**shown(place), **shown(place, "changes.geojson")}
    assert not_outgrown(place, ground) == []


def test_newest_word_counts_and_one_of_a_later_day_not_yet(
    world: World, first_night: run.Home, local: run.Options
) -> None:
    place, name = first_night, clearing_of(first_night)
    later = world.nights[1] + timedelta(days=1)
    said = [("confirmed", later), ("unsure", world.nights[1]), ("dismissed", world.nights[0])]
    for word, on in said:
        verdicts.say(place.ledger, (Verdict(name, word, word, "asha", on),))
    run.over(place, world.nights[1:2], local)
    assert shown(place)[name]["verdict"] == "unsure"
    run.over(place, world.nights[2:3], local)
    assert (shown(place)[name]["verdict"], shown(place)[name]["status"]) == ("confirmed", "confirmed")


def test_file_of_a_night_with_verdicts_filled_in_is_read_back(
    first_night: run.Home, world: World, local: run.Options, tmp_path: Path
) -> None:
    path = tmp_path / "edited.gpkg"
    source = first_night.out / "latest" / "planted-world" / "alerts.geojson"
    frame = geopandas.read_file(source).drop(columns=["id"], errors="ignore")
    frame["verdict"], frame["note"] = "dismissed", "practice"
    frame["verdict_on"] = world.nights[0].isoformat()
    frame.drop(columns=["lineage", "caution", "before_scenes", "after_scenes"]).to_file(path, layer="alerts")
    read = verdicts.read(path, DEFAULTS)
    assert verdicts.say(first_night.ledger, read).added == len(frame)
    run.over(first_night, world.nights[1:2], local)
    assert not set(frame["alert_id"]) & set(shown(first_night))


def test_verdict_outlives_the_making_anew_of_its_area(world: World, first_night: run.Home, local: run.Options) -> None:
    place, name = first_night, clearing_of(first_night)
    ground = footprints(place)[name]
    verdicts.say(place.ledger, (Verdict(name, "dismissed", "a quarry", "asha", world.nights[0]),))
    with sqlite3.connect(place.state / "vanwatch.db") as ledger:
        for table in ("looks", "tiles", "alerts", "listings", "scenes", "nights"):
            ledger.execute(f"DELETE FROM {table}")
    ledger.close()
    shutil.rmtree(place.state / "planted-world")
    run.over(place, world.nights[:2], local)
    assert not_outgrown(place, ground) == []
