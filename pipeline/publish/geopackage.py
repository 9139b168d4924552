"""GeoPackage: what an analyst opens and edits in QGIS.

In: alerts, blind places and the AOI. Out: one file, the same bytes for the same alerts; written aside and renamed.
Knows no styles but as text, and no folder of nights.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from pipeline.publish import columns, geojson, tables
from pipeline.publish.blind import Blind
from pipeline.publish.columns import COLUMNS, NOTHING, Extra
from pipeline.publish.tables import Table
from pipeline.publish.verdicts import PUBLISHED
from pipeline.schema import Alert

_FIRST = (
    "alert_id",
    "priority",
    "kind",
    "status",
    "verdict",
    "note",
    "confidence",
    "first_seen",
    "last_seen",
    "confirmed_on",
)
"""What an analyst reads first; the other columns follow in their order."""
ORDER = (*_FIRST, *(column.name for column in COLUMNS if column.name not in _FIRST))
_DTYPES: dict[str, Any] = {
    "text": "str",
    "real": "Float64",
    "int": "Int32",
    "date": "datetime64[ms, UTC]",
    "list": "str",
}


@dataclass(frozen=True, slots=True)
class Area:
    """The AOI, as its layer tells of it."""

    id: str
    name: str
    profile: str
    geometry: shapely.geometry.base.BaseGeometry
    """WGS84 polygons."""


def write(
    path: Path,
    alerts: Iterable[Alert],
    *,
    blind: Sequence[Blind],
    area: Area,
    as_of: date,
    extras: Mapping[str, Extra] | None = None,
    styles: Mapping[str, str] | None = None,
) -> None:
    """Write the layers `alerts`, `tracks`, `blind` and `aoi`.

    Args:
        path: of the file; one that is there is replaced, and whoever has it open keeps what he has.
        alerts: in any order, open and ended ones.
        blind: where nothing was seen.
        area: the AOI.
        as_of: the night; stands in the file as its date of change.
        extras: what is known of their surroundings, by alert.
        styles: QML by layer, embedded as the layers' own styles.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    shapes = [
        _Row(alert, geojson.neat(alert.detection.geometry), (extras or {}).get(alert.alert_id, NOTHING))
        for alert in sorted(alerts, key=lambda alert: alert.alert_id)
    ]
    tables.write(path, _tables(shapes, blind, area, as_of), as_of=as_of, styles=styles, finish=_complete)


@dataclass(frozen=True, slots=True)
class _Row:
    """One alert with its shape as it is published."""

    alert: Alert
    shape: shapely.geometry.base.BaseGeometry
    extra: Extra


def _tables(shapes: Sequence[_Row], blind: Sequence[Blind], area: Area, as_of: date) -> dict[str, Table]:
    lines = [row for row in shapes if shapely.get_dimensions(row.shape) == 1]
    areas = [row for row in shapes if shapely.get_dimensions(row.shape) == 2]
    places = gpd.GeoDataFrame(
        {
            "reason": pd.array([place.reason for place in blind], dtype="str"),
            "days": pd.array([place.days for place in blind], dtype="Int32"),
            "area_km2": pd.array([round(place.area_km2, 3) for place in blind], dtype="Float64"),
        },
        geometry=[place.geometry for place in blind],
        crs=4326,
    )
    whole = {
        "aoi": [area.id],
        "name": [area.name],
        "profile": [area.profile],
        "as_of": pd.to_datetime([as_of], utc=True),
    }
    return {
        "aoi": Table(gpd.GeoDataFrame(whole, geometry=[area.geometry], crs=4326), "MultiPolygon"),
        "blind": Table(places, "MultiPolygon"),
        "alerts": Table(_frame(areas), "MultiPolygon"),
        "tracks": Table(_frame(lines), "MultiLineString"),
    }


def _frame(shapes: Sequence[_Row]) -> gpd.GeoDataFrame:
    rows = [columns.values(row.alert, row.shape, row.extra) for row in shapes]
    types = {column.name: column.type for column in COLUMNS}
    data = {name: pd.array(_cells(rows, name, types[name]), dtype=_DTYPES[types[name]]) for name in ORDER}
    return gpd.GeoDataFrame(data, geometry=[row.shape for row in shapes], crs=4326)


def _cells(rows: Sequence[dict[str, Any]], name: str, kind: str) -> list[Any]:
    if kind == "date":
        return [None if row[name] is None else pd.Timestamp(row[name], tz="UTC") for row in rows]
    return [", ".join(row[name]) if kind == "list" else row[name] for row in rows]


def _complete(database: sqlite3.Connection) -> None:
    """Lasting numbers, what was published, and the time of an edit."""
    for layer in ("alerts", "tracks"):
        _number(database, layer)
    database.execute(f"CREATE TABLE {PUBLISHED} (alert_id TEXT PRIMARY KEY, verdict TEXT, note TEXT)")
    for layer in ("alerts", "tracks"):
        database.execute(f"INSERT INTO {PUBLISHED} SELECT alert_id, verdict, note FROM {layer}")
        database.execute(_TRIGGER.format(layer=layer))


def fid_of(alert_id: str) -> int:
    """The number of an alert's feature, the same every night.

    QGIS edits features by number: whoever still looks at last night's layer when the file changes under it must not
    write a verdict on another alert.
    """
    return (1 << 48) + int.from_bytes(hashlib.sha256(alert_id.encode()).digest()[:5])


def _number(database: sqlite3.Connection, layer: str) -> None:
    """Give features and index their lasting numbers; the triggers would call functions that only GDAL has."""
    where = "WHERE type = 'trigger' AND tbl_name = ?"
    triggers = database.execute(f"SELECT name, sql FROM sqlite_master {where}", (layer,)).fetchall()
    for name, _ in triggers:
        database.execute(f'DROP TRIGGER "{name}"')
    for old, alert_id in database.execute(f"SELECT fid, alert_id FROM {layer}").fetchall():
        database.execute(f"UPDATE {layer} SET fid = ? WHERE fid = ?", (fid_of(alert_id), old))
        database.execute(f"UPDATE rtree_{layer}_geom SET id = ? WHERE id = ?", (fid_of(alert_id), old))
    for _, text in triggers:
        database.execute(text)


_TRIGGER = """CREATE TRIGGER {layer}_verdict AFTER UPDATE OF verdict, note ON {layer}
WHEN coalesce(NEW.verdict, '') <> coalesce(OLD.verdict, '') OR coalesce(NEW.note, '') <> coalesce(OLD.note, '')
BEGIN
    UPDATE {layer} SET verdict_on = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE fid = NEW.fid;
END"""
