"""GeoJSON: alerts as RFC 7946 feature collections.

In: alerts with WGS84 shapes. Out: text, the same bytes for the same alerts. Knows no files but the one it writes.

Shapes come in degrees; here they are cut at the antimeridian, put on the grid of seven decimals (about a centimetre)
in a way that keeps them valid, and their rings turned. Source: RFC 7946, sections 3.1.6, 3.1.9, 4, 5 and 11.2.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from pipeline import disk, grid
from pipeline.publish import columns
from pipeline.publish.columns import Extra
from pipeline.schema import Alert, Status

DECIMALS = 7
_OPEN = (Status.POSSIBLE, Status.CONFIRMED)
_GROWN_HA = 0.01
"""One pixel."""


def write(
    path: Path,
    alerts: Iterable[Alert],
    extras: Mapping[str, Extra] | None = None,
    changes: Mapping[str, tuple[str, ...]] | None = None,
) -> None:
    """Write alerts as a feature collection, one feature a line; arguments as for `render`.

    Raises:
        WriteError: the disk is full, or the folder cannot be written to.
    """
    with disk.whole(path) as handle:
        handle.write(render(alerts, extras, changes).encode())


def render(
    alerts: Iterable[Alert],
    extras: Mapping[str, Extra] | None = None,
    changes: Mapping[str, tuple[str, ...]] | None = None,
) -> str:
    """Alerts as the text of a feature collection.

    Args:
        alerts: in any order.
        extras: what is known of their surroundings, by alert.
        changes: what has changed about each, see `change`; told in a property `change`.

    Returns:
        Features ordered by `alert_id`; `bbox` unless there are none.
    """
    chosen = sorted(alerts, key=lambda alert: alert.alert_id)
    shapes = [neat(alert.detection.geometry) for alert in chosen]
    bbox = f'"bbox": {_dump(bounds(shapes))}, ' if chosen else ""
    known = extras or {}
    features = []
    for alert, shape in zip(chosen, shapes, strict=True):
        feature = _feature(alert, shape, known.get(alert.alert_id, columns.NOTHING))
        if changes is not None:
            feature["properties"]["change"] = list(changes[alert.alert_id])
        features.append(_dump(feature))
    joined = ",\n".join(features)
    return f'{{"type": "FeatureCollection", {bbox}"features": [\n{joined}\n]}}\n'


def changed(alerts: Iterable[Alert], before: Iterable[Alert]) -> dict[str, tuple[str, ...]]:
    """What an analyst should look at first.

    Args:
        alerts: all alerts of tonight.
        before: all alerts of the night before.

    Returns:
        `alert_id` to what has changed, of those about which something has: `new`; the status, where it is another one
        than before; `kind`, where it was corrected; `grown`.
    """
    known = {alert.alert_id: alert for alert in before}
    found = {alert.alert_id: _changes(alert, known.get(alert.alert_id)) for alert in alerts}
    return {alert_id: words for alert_id, words in found.items() if words}


def _changes(alert: Alert, before: Alert | None) -> tuple[str, ...]:
    opened = alert.status in _OPEN
    if before is None:
        return ("new",) if opened else ()
    words = {
        alert.status.value: alert.status != before.status,
        "kind": opened and alert.detection.kind != before.detection.kind,
        "grown": opened and alert.grown_ha >= _GROWN_HA,
    }
    return tuple(word for word, true in words.items() if true)


def neat(geometry: BaseGeometry) -> BaseGeometry:
    """A WGS84 shape as RFC 7946 wants it: cut at the antimeridian, seven decimals, valid, outer rings anticlockwise."""
    placed = grid.split_at_antimeridian(geometry)
    if shapely.get_dimensions(placed) < 2:
        return shapely.remove_repeated_points(shapely.set_precision(placed, 10.0**-DECIMALS, mode="pointwise"))
    return shapely.orient_polygons(shapely.set_precision(placed, 10.0**-DECIMALS))


def bounds(shapes: Iterable[BaseGeometry]) -> list[float]:
    """The bounding box (west, south, east, north) of shapes; west > east where it crosses the antimeridian."""
    boxes = [part.bounds for shape in shapes for part in shapely.get_parts(shape)]
    spans = sorted((box[0], box[2]) for box in boxes)
    west, east = spans[0][0], max(end for _, end in spans)
    widest, reached = 360 - (east - west), spans[0][1]
    for start, end in spans[1:]:
        if start - reached > widest:
            widest, west, east = start - reached, start, reached
        reached = max(reached, end)
    values = west, min(box[1] for box in boxes), east, max(box[3] for box in boxes)
    return [round(value, DECIMALS) for value in values]


def _feature(alert: Alert, shape: BaseGeometry, extra: Extra) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": alert.alert_id,
        "geometry": written(shape),
        "properties": _plain(columns.values(alert, shape, extra)),
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}


def written(shape: BaseGeometry) -> dict[str, Any]:
    """A neat shape as a GeoJSON geometry."""
    geometry: dict[str, Any] = _rounded(json.loads(shapely.to_geojson(shape)))
    return geometry


def _rounded(value: Any) -> Any:
    """Coordinates with no more digits than they are worth."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, DECIMALS) + 0.0 if isinstance(value, float) else value


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
