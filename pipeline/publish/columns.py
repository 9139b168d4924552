"""Columns: what is told of an alert, in one table for every format that has columns.

In: an alert and its shape. Out: plain values by name. Knows no format.
"""

import math
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import shapely
from shapely.geometry.base import BaseGeometry

from pipeline.schema import KINDS, MAY_BE, Alert, Detection, Kind

VERDICTS = {"confirmed": "Confirmed", "dismissed": "Dismissed", "unsure": "Unsure"}
"""What an analyst may say, and how it is shown."""
_NEARLY = 0.05
"""A kind that is less probable by no more than this may be the true one."""
_UNKNOWN = date(1970, 1, 1)
"""Day 0: what a lone pair of rasters without dates is given."""


@dataclass(frozen=True, slots=True)
class Column:
    """One property of an alert."""

    name: str
    type: Literal["text", "real", "int", "date", "list"]
    title: str
    """For people: with the unit."""


COLUMNS = (
    Column("alert_id", "text", "Alert"),
    Column("aoi", "text", "AOI"),
    Column("kind", "text", "Kind"),
    Column("status", "text", "Status"),
    Column("confidence", "real", "Confidence (0 to 1)"),
    Column("p_clearing", "real", "Probability of a clearing"),
    Column("p_camp", "real", "Probability of a camp"),
    Column("p_track", "real", "Probability of a track"),
    Column("first_seen", "date", "First seen"),
    Column("last_seen", "date", "Last seen"),
    Column("confirmed_on", "date", "Confirmed on"),
    Column("looks", "int", "Clear looks"),
    Column("hits", "int", "Looks that show it"),
    Column("area_ha", "real", "Area (ha)"),
    Column("length_m", "real", "Length (m)"),
    Column("width_m", "real", "Width (m)"),
    Column("grown_ha", "real", "Grown since the night before (ha)"),
    Column("lineage", "list", "Merged or split from"),
    Column("classical_z", "real", "Classical z-score"),
    Column("caution", "list", "Caution"),
    Column("mgrs", "text", "MGRS tile"),
    Column("lon", "real", "Longitude (degrees)"),
    Column("lat", "real", "Latitude (degrees)"),
    Column("before_scenes", "list", "Scenes of the normal"),
    Column("after_scenes", "list", "Scenes that may show it"),
    Column("model", "text", "Model"),
    Column("verdict", "text", "Verdict"),
    Column("verdict_by", "text", "Verdict by"),
    Column("verdict_on", "date", "Verdict on"),
    Column("note", "text", "Reason or note"),
    Column("priority", "real", "Priority (0 to 100)"),
    Column("inside", "list", "Inside"),
    Column("near", "list", "Near"),
    Column("protected_m", "real", "To a protected area (m)"),
    Column("border_m", "real", "To a border (m)"),
    Column("road_m", "real", "To a road (m)"),
    Column("settlement_m", "real", "To a settlement (m)"),
    Column("known_m", "real", "To a known track or site (m)"),
)
"""The columns that INTERFACE promises, in its order."""
ROLES = ("protected", "border", "road", "settlement", "known")
"""Roles of context layers to which a distance is told."""


@dataclass(frozen=True, slots=True)
class Extra:
    """What is told of an alert beyond itself: it depends on the profile's context, not on the looks."""

    priority: float | None = None
    """0 to 100: see `pipeline.publish.priority`."""
    inside: tuple[str, ...] = ()
    """Names of what it lies in."""
    near: tuple[str, ...] = ()
    """What lies near it, with distance and bearing, in words."""
    distances_m: tuple[float | None, ...] = (None,) * len(ROLES)
    """By role; None where none is known."""
    caution: tuple[str, ...] = ()
    """Added to the alert's own."""


NOTHING = Extra()


def values(alert: Alert, shape: BaseGeometry, extra: Extra = NOTHING) -> dict[str, Any]:
    """The properties of an alert by name, in the order of `COLUMNS`.

    Args:
        alert: what to tell of.
        shape: its WGS84 geometry as it is published; gives `lon` and `lat`.
        extra: what is known of its surroundings.

    Returns:
        Text, numbers, dates and lists of text; None for what is not known.
    """
    found = alert.detection
    track = found.kind == Kind.TRACK
    place = place_of(shape)
    return {
        "alert_id": alert.alert_id,
        "aoi": alert.aoi,
        "kind": found.kind.value,
        "status": alert.status.value,
        "confidence": _number(found.confidence, 3),
        **{f"p_{kind}": _number(p, 3) for kind, p in zip(KINDS, found.probabilities, strict=True)},
        "first_seen": _known(found.first_seen),
        "last_seen": _known(found.last_seen),
        "confirmed_on": _known(alert.confirmed_on),
        "looks": found.looks,
        "hits": found.hits,
        "area_ha": _number(found.area_m2 / 1e4, 4),
        "length_m": _number(found.length_m, 1) if track else None,
        "width_m": _number(found.width_m, 1) if track else None,
        "grown_ha": _number(alert.grown_ha, 4),
        "lineage": list(alert.lineage),
        "classical_z": _number(found.z, 2),
        "caution": [*sorted({*alert.caution, *_other_kinds(found)}), *extra.caution],
        "mgrs": found.mgrs,
        "lon": _number(place.x, 6),
        "lat": _number(place.y, 6),
        "before_scenes": list(alert.before_scenes),
        "after_scenes": list(alert.after_scenes),
        "model": alert.model,
        "verdict": alert.verdict,
        "verdict_by": alert.verdict_by,
        "verdict_on": _known(alert.verdict_on),
        "note": alert.note,
        "priority": extra.priority,
        "inside": list(extra.inside),
        "near": list(extra.near),
        **{f"{role}_m": value for role, value in zip(ROLES, extra.distances_m, strict=True)},
    }


def _other_kinds(found: Detection) -> list[str]:
    """Cautions for the kinds that are as probable as the one that it is called, or nearly so."""
    near = found.confidence - _NEARLY
    return [
        MAY_BE + kind for kind, p in zip(KINDS, found.probabilities, strict=True) if kind != found.kind and p >= near
    ]


def place_of(shape: BaseGeometry) -> shapely.Point:
    """A point on the shape: inside an area, half way along the longest line of a track."""
    if shapely.get_dimensions(shape) == 2:
        return shapely.point_on_surface(shape)
    longest = max(shapely.get_parts(shape), key=shapely.length)
    middle: shapely.Point = longest.interpolate(0.5, normalized=True)
    return middle


def whole(value: float) -> int:
    """A number as people are told it: halves go up, as in QGIS, so that no two outputs differ by one."""
    return math.floor(value + 0.5)


def percent(confidence: float) -> int:
    """A confidence as people are told it; never 100."""
    return min(99, whole(100 * confidence))


def _known(value: date | None) -> date | None:
    return None if value == _UNKNOWN else value


def _number(value: float, decimals: int) -> float | None:
    """Rounded, without a negative zero; None for what is not known."""
    return round(float(value), decimals) + 0.0 if math.isfinite(value) else None
