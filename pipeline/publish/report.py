"""The report: one page that shows a night of one AOI, with everything in it.

In: a night's alerts, pictures, time series and run facts. Out: `report.html`, which loads nothing from elsewhere.
Knows no pixels and no state.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import shapely

from pipeline import disk, grid
from pipeline.publish import columns, geojson, land, overview, series, styles, texts
from pipeline.publish.blind import REASONS
from pipeline.publish.geopackage import Area
from pipeline.publish.pictures import Chip
from pipeline.publish.qgis import Shown, chip_name
from pipeline.publish.series import Point
from pipeline.publish.surroundings import Rated
from pipeline.schema import KINDS, MAY_BE, Alert, Reason, Status

_OPEN = (Status.CONFIRMED, Status.POSSIBLE)
_BROWSER = "https://browser.dataspace.copernicus.eu/"
_WORDS = {"true": "true colour", "swir": "SWIR, NIR, red"}
_FRESH = ("new", Status.CONFIRMED.value)
"""First words of what has changed about an alert that was not confirmed before."""
_BLIND = 20
"""So many blind places are listed."""
CARDS = 300
"""So many alerts, the most urgent, have a card with pictures and time series (some 40 kB); the others have a line."""
_LOST = {Reason.RESIDUAL_CLOUD.name.lower(): REASONS[Reason.RESIDUAL_CLOUD]}
CAUTIONS = {
    "season": "The normal was built from other seasons: leaves that fall may look like a change.",
    "registration": "How well its scenes lie in their place could not be measured: edges may look like a change.",
    "cloud edge": "Clouds lay beside it in every look that showed it: what masks miss of them may look like a change.",
    "permit": "Inside an area for which there is a permit.",
    "contradicted": "Later clear looks no longer showed it.",
    **{f"{MAY_BE}{kind}": f"The evidence for a {kind} is as strong here, or nearly so." for kind in KINDS},
    **{f"kind was {kind}": f"It was called a {kind} before later looks." for kind in KINDS},
}


@dataclass(frozen=True, slots=True)
class Found:
    """What a night has found, as the report tells it."""

    area: Area
    as_of: date
    alerts: tuple[Alert, ...]
    """Open and ended ones."""
    before: tuple[Alert, ...]
    """All alerts of the night before."""
    shown: Shown
    points: Mapping[str, Sequence[Point]]
    """Time series by alert."""
    rated: Mapping[str, Rated]
    """Priority and surroundings by alert."""
    run: Mapping[str, Any]
    """What `run.json` tells."""
    looks: Mapping[str, Sequence[date]]
    """Days of scenes by MGRS tile, with and without clear pixels."""


def write(folder: Path, found: Found) -> None:
    """Write `report.html` into the folder of a night, beside its rasters.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    ranked, known = _ranked(found), {alert.alert_id for alert in found.before}
    lines = [_line(number, alert, found, new=alert.alert_id not in known) for number, alert in ranked]
    picture = overview.draw(folder, found.area, found.shown, ranked)
    text = texts.render(
        "report.html",
        found=found,
        cards=[_card(line, found) for line in lines[:CARDS]],
        lines=lines[CARDS:],
        map=picture,
        roles={role: title for role, title in land.TITLES.items() if any(one["role"] == role for one in picture.land)},
        health=_health(found.run),
        blind=[place for place in found.shown.blind if round(place.area_km2, 2)][:_BLIND],
        changes=_changes(found),
        colours=styles.COLOURS,
        composites=_WORDS,
        style=texts.source("report.css") + _land_css(),
        script=texts.source("report.js"),
    )
    with disk.whole(folder / "report.html") as handle:
        handle.write(text.encode())


def _land_css() -> str:
    """The colours of what is known of the land; one table for every map."""
    return "".join(f".land .{role}, .swatch.{role} {{ --mark: {colour}; }}\n" for role, colour in land.COLOURS.items())


def _ranked(found: Found) -> list[tuple[int, Alert]]:
    """Open alerts with their numbers, the most urgent first."""
    shown = [alert for alert in found.alerts if alert.alert_id in found.rated]
    ranked = sorted(shown, key=lambda alert: (-found.rated[alert.alert_id].priority.score, alert.alert_id))
    return list(enumerate(ranked, start=1))


def _line(number: int, alert: Alert, found: Found, *, new: bool) -> dict[str, Any]:
    """What a list tells of an alert."""
    rated = found.rated[alert.alert_id]
    values = columns.values(alert, geojson.neat(alert.detection.geometry), rated.extra)
    return {
        "number": number,
        "alert": alert,
        "new": new,
        "values": values,
        "priority": columns.whole(rated.priority.score),
        "confidence": columns.percent(values["confidence"]),
        "decimal": f"{values['lat']:.5f}, {values['lon']:.5f}",
        "pictures": {name: chip_name(alert.alert_id, name, "true") for name in ("before", "after")},
    }


def _card(line: dict[str, Any], found: Found) -> dict[str, Any]:
    """What a card tells beyond a line."""
    alert, values = line["alert"], line["values"]
    chip = found.shown.chips[alert.alert_id]
    points = found.points.get(alert.alert_id, ())
    measured = {one.day: one for one in alert.measured}
    return line | {
        "rank": found.rated[alert.alert_id].priority,
        "kinds": [(kind, columns.percent(values[f"p_{kind}"] or 0.0)) for kind in KINDS],
        "chips": {key: _data(data) for key, data in chip.pixels.items()},
        "whole": chip.whole,
        "side_m": round(chip.bounds[2] - chip.bounds[0]),
        "outline": _outline(alert, chip),
        "series": series.draw(points, _unseen(found, alert, points), alert.detection.first_seen, _told(alert, points)),
        "index": _index(alert, points, _unseen(found, alert, points)),
        "points": [(point, measured.get(point.day)) for point in points],
        "dms": f"{dms(values['lat'], 'NS')} {dms(values['lon'], 'EW')}",
        "links": {
            "first seen": browser_link(values["lat"], values["lon"], alert.detection.first_seen),
            "last seen": browser_link(values["lat"], values["lon"], alert.detection.last_seen),
        },
        "cautions": [(word, CAUTIONS.get(word, "")) for word in values["caution"]],
    }


def _index(alert: Alert, points: Sequence[Point], blind: Sequence[date]) -> str:
    """NDVI over the days that the series shows."""
    axis = [*(point.day for point in points), *blind]
    since = min(axis, default=date.min)
    shown = [one for one in alert.measured if one.day >= since]
    spoken = ". ".join(series.index_text(one) for one in shown)
    return series.draw_index(shown, axis, alert.detection.first_seen, f"NDVI of the place by clear look: {spoken}")


def _unseen(found: Found, alert: Alert, points: Sequence[Point]) -> list[date]:
    """Days of scenes since the first clear look that saw nothing of the place."""
    seen = {point.day for point in points}
    since = min(seen, default=alert.detection.first_seen)
    return [day for day in found.looks.get(alert.detection.mgrs, ()) if day not in seen and day >= since]


def _told(alert: Alert, points: Sequence[Point]) -> str:
    spoken = ", ".join(f"{point.day.isoformat()} {point.probability:.2f}" for point in points)
    return f"Probability of a {alert.detection.kind} by clear look: {spoken}"


def _outline(alert: Alert, chip: Chip) -> str:
    """The shape as an SVG path in a box of 1000 by 1000 over the chip."""
    west, _, east, north = chip.bounds
    scale = 1000 / (east - west)
    placed = grid.reproject(alert.detection.geometry, 4326, chip.epsg)
    parts = []
    for part in shapely.get_parts(placed):
        rings = shapely.get_rings(part) if part.geom_type == "Polygon" else [part]
        for ring in rings:
            places = [f"{(x - west) * scale:.0f} {(north - y) * scale:.0f}" for x, y in shapely.get_coordinates(ring)]
            parts.append("M" + "L".join(places) + ("Z" if part.geom_type == "Polygon" else ""))
    return "".join(parts)


def _data(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def dms(value: float, letters: str) -> str:
    """Degrees, minutes and seconds to a tenth of a second, about 3 m: `20°10'1.3"N`."""
    tenths = round(abs(value) * 36000)
    degrees, rest = divmod(tenths, 36000)
    minutes, seconds = divmod(rest, 600)
    return f"{degrees}°{minutes}'{seconds / 10:.1f}\"{letters[0] if value >= 0 else letters[1]}"


def browser_link(lat: float, lon: float, day: date) -> str:
    """Copernicus Browser at a place and day, Sentinel-2 L2A in true colour."""
    span = f"fromTime={day}T00%3A00%3A00.000Z&toTime={day}T23%3A59%3A59.999Z"
    return f"{_BROWSER}?zoom=15&lat={lat:.5f}&lng={lon:.5f}&datasetId=S2_L2A_CDAS&layerId=1_TRUE_COLOR&{span}"


def _changes(found: Found) -> dict[str, int]:
    changes = geojson.changed(found.alerts, found.before)
    told = [(changes[alert.alert_id], alert.status) for alert in found.alerts if alert.alert_id in changes]
    return {
        "new": sum("new" in words for words, _ in told),
        "confirmed tonight": sum(status == Status.CONFIRMED and words[0] in _FRESH for words, status in told),
        "grown": sum("grown" in words for words, _ in told),
        "ended": sum(status not in _OPEN for _, status in told),
    }


def _health(run: Mapping[str, Any]) -> dict[str, Any]:
    """Scenes with what became of them, worst first."""
    rank = {"failed": 0, "partly": 1, "refused": 2, "waiting": 3, "used": 4}
    rows = [_scene(key, entry, run["seen"].get(key, {})) for key, entry in run["scenes"].items()]
    return {
        "scenes": sorted(rows, key=lambda row: (rank.get(row["state"], 9), row["id"])),
        "failed": list(run["failed"]),
        "tiles": len(run["tiles"]),
        "normal": run["normal"],
        "blind_pct": run["blind_pct"],
        "uncovered_km2": run["uncovered_km2"],
        "catalog": run["catalog"],
        "version": run["vanwatch"],
    }


def _scene(key: str, entry: Mapping[str, Any], seen: Mapping[str, int]) -> dict[str, Any]:
    total = sum(seen.values())
    lost = {_LOST.get(name, name): count for name, count in seen.items() if name != "clear"}
    worst = ", ".join(
        f"{name} {100 * count / total:.0f} %" for name, count in sorted(lost.items(), key=lambda p: -p[1])
    )
    return {
        "id": key,
        "state": entry["state"],
        "sensed": datetime.fromisoformat(entry["sensed"]).strftime("%Y-%m-%d %H:%M") if entry.get("sensed") else "",
        "clear_pct": f"{100 * seen.get('clear', 0) / total:.0f} %" if total else "",
        "why": entry.get("why") or worst,
    }
