"""Rows: a night's plain facts as the columns of the ledger's tables.

In: entries, records and counts. Out: dictionaries of columns. Knows no database.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

from pipeline.ledger.manifest import Done

Record = dict[str, Any]
T = TypeVar("T")
LOOK, NORMAL = "look", "normal"
"""What a scene was considered for."""
KEYS = {"scenes": "scene_id", "tiles": "tile", "alerts": "alert_id"}
"""Table to the column that tells one thing from another."""
_FEW = 500  # names in one statement; databases bound them


def changed(before: Mapping[str, Record], after: Mapping[str, Record], *, apart_from: str = "") -> dict[str, Record]:
    """What is new or different in `after`, not counting one key."""
    return {
        key: value
        for key, value in after.items()
        if key not in before or _without(before[key], apart_from) != _without(value, apart_from)
    }


def by_id(records: Sequence[Record]) -> dict[str, Record]:
    """Records of alerts by their id."""
    return {record["alert_id"]: record for record in records}


def few(names: Sequence[T]) -> Iterator[Sequence[T]]:
    """Names or numbers in portions that fit into a statement."""
    return (names[start : start + _FEW] for start in range(0, len(names), _FEW))


def night(aoi: str, as_of: date, done: Done) -> Record:
    """The row of a night."""
    seen = done.outlook
    return {
        "aoi": aoi,
        "as_of": as_of,
        "attempt": done.attempt,
        "granules": list(done.after.granules),
        "catalog": done.catalog,
        "failed": list(done.failed),
        "blind_pct": seen.blind_pct,
        "clear_on": seen.clear_on,
        "blind_days": seen.blind_days,
        "why_blind": seen.why_blind,
        "newest_scene": seen.newest_scene,
        "alarms": [alarm.text for alarm in seen.alarms],
        "standing": [alarm.key for alarm in seen.alarms],
        "catalog_problems": list(done.catalog_problems),
    }


def scenes(entries: Mapping[str, Record]) -> list[Record]:
    """Rows of scenes, by their ids."""
    return [_scene(scene_id, entry) for scene_id, entry in sorted(entries.items())]


def _scene(scene_id: str, entry: Record) -> Record:
    offsets = entry.get("offsets") or [[None, "", ""]]
    row_px, col_px, _ = entry.get("shift") or (None, None, "")
    return {
        "scene_id": scene_id,
        "purpose": entry.get("purpose", LOOK),
        "state": entry["state"],
        "why": entry.get("why", ""),
        "platform": entry.get("platform", ""),
        "mgrs": entry["mgrs"],
        "relative_orbit": entry.get("relative_orbit"),
        "sensed": datetime.fromisoformat(entry["sensed"]),
        "revision": entry["revision"],
        "offset_dn": offsets[0][0],
        "offset_evidence": "; ".join(f"{method}: {evidence}" for _, method, evidence in offsets if method),
        "shift_row_px": row_px,
        "shift_col_px": col_px,
        "cloud_pct": entry.get("cloud_pct"),
        "entry": entry,
    }


def tiles(kept: Mapping[str, Record]) -> list[Record]:
    """Rows of tiles."""
    return [{"tile": key, **values} for key, values in sorted(kept.items())]


def alerts(records: Mapping[str, Record]) -> list[Record]:
    """Rows of alerts, from their records."""
    return [_alert(alert_id, record) for alert_id, record in sorted(records.items())]


def _alert(alert_id: str, record: Record) -> Record:
    shape = record["detection"]
    return {
        "alert_id": alert_id,
        "kind": shape["kind"],
        "status": record["status"],
        "first_seen": date.fromisoformat(shape["first_seen"]),
        "last_seen": date.fromisoformat(shape["last_seen"]),
        "confirmed_on": date.fromisoformat(record["confirmed_on"]) if record["confirmed_on"] else None,
        "confidence": shape["confidence"],
        "area_ha": shape["area_m2"] / 1e4,
        "mgrs": shape["mgrs"],
        "record": record,
    }


def looks(aoi: str, as_of: date, seen: Sequence[tuple[str, str, dict[str, int]]]) -> list[Record]:
    """Rows of looks, from scene id, tile key and pixels by reason."""
    made = []
    for scene_id, tile, pixels in seen:
        total = sum(pixels.values())
        clear_pct = 100 * pixels.get("clear", 0) / total if total else 0.0
        key = {"aoi": aoi, "night": as_of, "scene_id": scene_id, "tile": tile}
        made.append({**key, "clear_pct": clear_pct, "pixels": pixels})
    return made


def _without(record: Record, key: str) -> Record:
    return {name: value for name, value in record.items() if name != key} if key else record
