"""Verdicts of analysts: from a command or a file into the ledger, and from there into the next night.

In: words, or a file that was edited in QGIS. Out: rows of the ledger; what counts on a night. A file counts whole or
not at all.
"""

import csv
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.alerts import record
from pipeline.alerts.verdicts import Said
from pipeline.errors import ConfigError, StateError
from pipeline.ledger import database, verdicts
from pipeline.ledger.database import Database
from pipeline.ledger.verdicts import Verdict
from pipeline.nightly import typed

LAYERS = ("alerts", "tracks")
_BUSY_S = 2.0
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of some verdicts."""

    added: int
    known: int
    """Said before, word for word."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """Who and when, where a file does not tell."""

    by: str
    on: date


def standing(ledger: Database, aoi: str, as_of: date) -> tuple[Said, ...]:
    """What counts on a night.

    Raises:
        StateError: the database does not answer, or a record in it is damaged.
    """
    found = verdicts.standing(ledger, aoi, until=as_of)
    return tuple(
        Said(record.from_record(one.record), one.said.verdict, one.said.by, one.said.on, one.said.reason)
        for one in found
    )


def say(url: str, said: tuple[Verdict, ...], *, source: str = "", out: Path | None = None) -> Recorded:
    """Put verdicts into the ledger, all or none.

    Args:
        url: of the ledger.
        said: the verdicts.
        source: the file that they were read from, named where there is no such alert; empty where somebody says them
            now.
        out: folder of the results: what was typed into them before is put in first, so that these count after it.

    Raises:
        ConfigError: there is no ledger, it does not answer or is damaged, or there is no such alert or verdict; nothing
            was changed.
    """
    place = database.file_of(url)
    if place is not None and not place.exists():
        raise ConfigError(f"{place}: no such ledger, so there are no alerts yet; run a night first, or check --home")
    try:
        with database.opened(url) as ledger:
            if out is not None:
                for aoi_id in verdicts.areas(ledger, (one.alert_id for one in said)):
                    typed.gather(out, aoi_id, ledger, as_of=max(one.on for one in said))
            added = _recorded(ledger, said, source)
    except StateError as err:
        raise ConfigError(str(err)) from err
    return Recorded(added, len(said) - added)


def _recorded(ledger: Database, said: tuple[Verdict, ...], source: str) -> int:
    try:
        return verdicts.record_verdicts(ledger, said, again=not source)
    except ConfigError as err:
        raise ConfigError(f"{source}: nothing was recorded: {err}" if source else str(err)) from err


def read(path: Path, defaults: Defaults) -> tuple[Verdict, ...]:
    """The verdicts in a file.

    Args:
        path: GeoPackage with a layer `alerts` or `tracks`, GeoJSON, or CSV (commas, semicolons or tabs), with the
            columns `alert_id`, `verdict`, `reason` or `note`, and, where known, `verdict_by` and `verdict_on`. Rows
            without a verdict are passed over.
        defaults: where a row does not tell.

    Raises:
        ConfigError: the file is missing, damaged, locked or of another kind, lacks a column, or a value is wrong.
    """
    readers = {".gpkg": _geopackage, ".geojson": _geojson, ".json": _geojson, ".csv": _csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(f"{path}: not a .gpkg, .geojson or .csv file; save the layer as one of these")
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; name the GeoPackage, GeoJSON or CSV that holds the verdicts")
    return tuple(parsed(row, f"{path}: row {number}", defaults) for number, row in reader(path) if _word(row))


def _word(row: Mapping[str, Any]) -> str:
    return str(row.get("verdict") or "").strip().lower()


def parsed(row: Mapping[str, Any], source: str, defaults: Defaults) -> Verdict:
    """One row as a verdict.

    Args:
        row: see `read`.
        source: named in errors.
        defaults: where the row does not tell.

    Raises:
        ConfigError: a value is wrong.
    """
    alert_id = str(row.get("alert_id") or "").strip().upper()
    if not alert_id:
        raise ConfigError(f"{source}: has a verdict and no alert_id; fill it in, or clear the verdict")
    if _word(row) not in verdicts.VERDICTS:
        raise ConfigError(f"{source}: {alert_id}: verdict {_word(row)!r}: not one of {', '.join(verdicts.VERDICTS)}")
    told = str(row.get("verdict_on") or "").strip().replace("/", "-")[:10]
    try:
        said_on = date.fromisoformat(told) if told else defaults.on
    except ValueError as err:
        raise ConfigError(f"{source}: {alert_id}: verdict_on {told!r}: not a date like 2026-05-01") from err
    if said_on > datetime.now(UTC).date() + timedelta(days=1):  # it would count from that day on, and not before
        raise ConfigError(f"{source}: {alert_id}: verdict_on {told!r}: lies ahead; check the year")
    reason = str(row.get("reason") or row.get("note") or "").strip()
    by = str(row.get("verdict_by") or "").strip() or defaults.by
    try:
        f"{alert_id}{reason}{by}".encode()
    except UnicodeEncodeError as err:
        raise ConfigError(f"{source}: {alert_id}: reason or name is no text in UTF-8; type it again") from err
    return Verdict(alert_id, _word(row), reason, by, said_on)


def _geopackage(path: Path) -> Iterator[tuple[int, Row]]:
    """Rows of the layer; read without changing the file."""
    try:
        source = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)
        try:
            source.row_factory = sqlite3.Row
            there = {name for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            found = [source.execute(f'SELECT * FROM "{layer}"') for layer in LAYERS if layer in there]
            names = [{column[0] for column in part.description} for part in found]
            rows = [dict(row) for part in found for row in part]
        finally:
            source.close()
    except sqlite3.OperationalError as err:
        remedy = "save the edits and close the file in QGIS, then try again"
        raise ConfigError(f"{path}: not readable ({err}); {remedy}") from err
    except sqlite3.DatabaseError as err:
        raise ConfigError(f"{path}: not a readable GeoPackage ({err}); save the layer again") from err
    if not names:
        raise ConfigError(f"{path}: has no layer 'alerts' or 'tracks'; name the GeoPackage that a night has written")
    _check_columns(path, set.intersection(*names))
    yield from enumerate(rows, start=1)


def _geojson(path: Path) -> Iterator[tuple[int, Row]]:
    try:
        features = json.loads(path.read_text(encoding="utf-8-sig"))["features"]
        rows = [dict(feature["properties"]) for feature in features]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as err:
        raise ConfigError(f"{path}: not readable as GeoJSON ({err!r:.80}); save the layer again") from err
    if rows:
        _check_columns(path, set[str]().union(*rows))  # some programs leave out what is empty, feature by feature
    yield from enumerate(rows, start=1)


def _csv(path: Path) -> Iterator[tuple[int, Row]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            usual = max(",;\t", key=first.count)  # spreadsheets write what their country uses
            table = csv.DictReader(stream, delimiter=usual)
            names, rows = table.fieldnames or (), list(table)
    except (OSError, ValueError, csv.Error) as err:
        raise ConfigError(f"{path}: not readable as CSV in UTF-8 ({err}); save it again") from err
    _check_columns(path, names)
    yield from enumerate(rows, start=1)


def _check_columns(path: Path, names: Iterable[str]) -> None:
    missing = sorted({"alert_id", "verdict"} - set(names))
    if missing:
        needed = "alert_id, verdict and reason or note are needed"
        raise ConfigError(f"{path}: has no column {', '.join(missing)}; {needed}")
