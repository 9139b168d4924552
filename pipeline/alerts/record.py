"""Records: alerts as plain values for the state between nights, and back without loss.

In: an `Alert`, or what a store kept of one. Out: the other. Knows no store.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date
from typing import Any

import shapely

from pipeline.errors import StateError
from pipeline.schema import Alert, Detection, Kind, Measured, Status

VERSION = 2
"""Raised whenever a record written before can no longer be read as it stands."""


def to_record(alert: Alert) -> dict[str, Any]:
    """An alert as values that JSON can carry: dates as ISO text, shapes as WKB in hexadecimal digits."""
    record = {field.name: _plain(getattr(alert, field.name)) for field in fields(Alert) if field.name != "detection"}
    shape = {field.name: _plain(getattr(alert.detection, field.name)) for field in fields(Detection)}
    return {"version": VERSION, **record, "detection": shape}


def from_record(record: Mapping[str, Any]) -> Alert:
    """The alert that `to_record` was given.

    Raises:
        StateError: the record is damaged or of another version.
    """
    name = record.get("alert_id", "an alert without an id")
    if record.get("version") != VERSION:
        raise StateError(f"{name}: record has version {record.get('version')!r}, not {VERSION}; migrate the state")
    try:
        detection = Detection(**_values(Detection, record["detection"]))
        return Alert(**_values(Alert, record), detection=detection)
    except (KeyError, TypeError, ValueError, shapely.errors.ShapelyError) as err:
        raise StateError(f"{name}: damaged record ({err!r}); restore the state from a backup") from err


def dumps(alert: Alert) -> str:
    """The record as one line of JSON: the same alert gives the same text."""
    return json.dumps(to_record(alert), sort_keys=True, allow_nan=False, ensure_ascii=False)


def loads(text: str) -> Alert:
    """The alert that `dumps` was given.

    Raises:
        StateError: the text is no record of an alert.
    """
    try:
        record = json.loads(text)
    except ValueError as err:
        raise StateError(f"a record of an alert is no JSON ({err}); restore the state from a backup") from err
    if not isinstance(record, dict):
        raise StateError("a record of an alert is no JSON object; restore the state from a backup")
    return from_record(record)


def _plain(value: Any) -> Any:
    if isinstance(value, shapely.Geometry):
        return shapely.to_wkb(value, hex=True)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Measured):
        return [_plain(getattr(value, field.name)) for field in fields(Measured)]
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.value if isinstance(value, Kind | Status) else value


def _optional_date(value: str | None) -> date | None:
    return None if value is None else date.fromisoformat(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("geometry", "footprint"), shapely.from_wkb),
    **dict.fromkeys(("first_seen", "last_seen"), date.fromisoformat),
    **dict.fromkeys(("confirmed_on", "verdict_on", "as_of"), _optional_date),
    **dict.fromkeys(("lineage", "caution", "before_scenes", "after_scenes", "probabilities"), tuple),
    "measured": lambda rows: tuple(Measured(date.fromisoformat(day), *values) for day, *values in rows),
    "kind": Kind,
    "status": Status,
    "z": lambda value: math.nan if value is None else float(value),
}
_ADDED = ("measured", "beside_cloud")
"""What records written earlier do not have, and can do without."""


def _values(kind: type[Alert] | type[Detection], record: Mapping[str, Any]) -> dict[str, Any]:
    absent = {name for name in _ADDED if name not in record}
    wanted = [field.name for field in fields(kind) if field.name != "detection" and field.name not in absent]
    return {name: _READERS.get(name, lambda value: value)(record[name]) for name in wanted}
