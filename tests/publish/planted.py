"""A night's folder made without a pipeline: rasters of a small place, and alerts of every kind and status on it."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from rasterio import features
from shapely import LineString, box
from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.context import Feature
from pipeline.publish import qgis, rasters, report, surroundings
from pipeline.publish.geopackage import Area
from pipeline.publish.series import Point
from pipeline.schema import Alert, Detection, Kind, Measured, Reason, Status

NIGHT = date(2025, 11, 7)
PLACE = box(77.0, 29.0, 77.03, 29.02)
AREA = Area("hills", "The hills", "forest", PLACE)
CLEARING, CAMP = box(77.010, 29.010, 77.014, 29.013), box(77.020, 29.005, 77.0204, 29.0054)
TRACK = LineString([(77.004, 29.003), (77.008, 29.006), (77.012, 29.005)])
BLIND_AFTER_DAYS = 12
LAND = (
    Feature("Tiger reserve", "protected", box(77.0, 29.0, 77.015, 29.02), "Reserves"),
    Feature("border", "border", LineString([(77.03, 28.9), (77.03, 29.1)]), "Border"),
    Feature("quarry 12", "permit", box(77.019, 29.004, 77.021, 29.006), "Licences"),
    Feature("village road", "road", LineString([(77.0, 29.001), (77.03, 29.001)]), "Roads"),
    Feature("Old village", "settlement", shapely.Point(77.026, 29.014), "Villages"),
    Feature("New village", "settlement", box(77.024, 29.001, 77.0255, 29.002), "Villages"),
)
MEASURED = tuple(
    Measured(day, 1.0, ndvi, 0.81, 0.04, nbr, 0.62, 0.05)
    for day, ndvi, nbr in (
        (date(2025, 10, 22), 0.79, 0.60),
        (date(2025, 11, 1), 0.21, 0.02),
        (date(2025, 11, 6), 0.18, -0.05),
    )
)
UNCOVERED = box(77.0285, 29.016, 77.03, 29.02)
"""No granule covers this corner."""


def make_alert(
    geometry: BaseGeometry, *, kind: Kind = Kind.CLEARING, alert_id: str = "VW-AAAAAAAA", **more: Any
) -> Alert:
    """A confirmed alert with a WGS84 shape; other fields of the alert or its detection by name."""
    found = Detection(
        kind=kind,
        geometry=geometry,
        footprint=geometry if shapely.get_dimensions(geometry) == 2 else geometry.buffer(1e-4),
        area_m2=12_300.0,
        length_m=615.0 if kind == Kind.TRACK else 0.0,
        width_m=20.0 if kind == Kind.TRACK else 0.0,
        probabilities={
            Kind.CLEARING: (0.91234, 0.05, 0.0),
            Kind.CAMP: (0.05, 0.91234, 0.0),
            Kind.TRACK: (0.05, 0.0, 0.91234),
        }[kind],
        confidence=0.91234,
        hits=2,
        looks=5,
        first_seen=date(2025, 11, 1),
        last_seen=date(2025, 11, 6),
        z=4.567,
        mgrs="43RGM",
    )
    names = set(Detection.__dataclass_fields__)
    found = replace(found, **{name: value for name, value in more.items() if name in names})
    alert = Alert(
        alert_id=alert_id,
        aoi="hills",
        status=Status.CONFIRMED,
        detection=found,
        confirmed_on=date(2025, 11, 6),
        grown_ha=0.25,
        lineage=("VW-BBBBBBBB",),
        caution=("season",),
        before_scenes=("S2A_43RGM_1", "S2B_43RGM_2"),
        after_scenes=("S2A_43RGM_9",),
        model="vanwatch-s@1",
    )
    return replace(alert, **{name: value for name, value in more.items() if name not in names})


def alerts() -> tuple[Alert, ...]:
    """A confirmed clearing, a possible camp, a confirmed track, and a dismissed clearing."""
    seen = {"first_seen": date(2025, 11, 1), "last_seen": date(2025, 11, 6)}
    return (
        make_alert(CLEARING, alert_id="VW-AAAAAAAA", verdict="unsure", note="stumps <1 y?", measured=MEASURED, **seen),
        make_alert(
            CAMP,
            kind=Kind.CAMP,
            alert_id="VW-CCCCCCCC",
            status=Status.POSSIBLE,
            confirmed_on=None,
            caution=(),
            hits=1,
            **seen,
        ),
        make_alert(TRACK, kind=Kind.TRACK, alert_id="VW-TTTTTTTT", probabilities=(0.0, 0.02, 0.97), **seen),
        make_alert(box(77.025, 29.015, 77.026, 29.016), alert_id="VW-DDDDDDDD", status=Status.DISMISSED, **seen),
    )


def write_rasters(folder: Path) -> None:
    """Forest with a bare clearing in it; a corner under cloud for 40 days, another never seen."""
    tiles = grid.tiles_over(PLACE, tile_px=512)
    with rasters.Mosaics(folder, rasters.LAYERS, tiles) as mosaics:
        for tile in tiles:
            for name, values in _layers(tile).items():
                mosaics.add(name, tile, values)


def _layers(tile: grid.Tile) -> dict[str, np.ndarray]:
    owned, shape = tile.owned(), tile.window.shape
    rng = np.random.default_rng(5)
    texture = rng.normal(0, 60, shape)
    forest = np.array([250, 450, 300, 2600, 1500, 700])[:, None, None] + texture
    bare = np.array([900, 1200, 1600, 2300, 3000, 2600])[:, None, None] + texture
    epsg, transform = tile.granule.epsg, tile.granule.transform(tile.window)
    hit = _inside(grid.reproject(CLEARING.segmentize(0.001), 4326, epsg), shape, transform)
    track = _inside(grid.reproject(TRACK, 4326, epsg).buffer(10), shape, transform)
    before = np.where(owned, forest, 0).astype(np.uint16)
    after = np.where(owned, np.where(hit, bare, forest), 0).astype(np.uint16)
    change = np.where(owned, np.stack([hit * 0.9, hit * 0.4, track * 0.9]), np.nan).astype(np.float32)
    cloudy = _inside(grid.reproject(box(77.0, 29.012, 77.006, 29.02), 4326, epsg), shape, transform)
    never = _inside(grid.reproject(box(77.026, 29.0, 77.03, 29.003), 4326, epsg), shape, transform)
    days = np.where(never, rasters.NEVER, np.where(cloudy, 40, 1))
    reason = np.where(never, Reason.NODATA, np.where(cloudy, Reason.CLOUD, Reason.CLEAR))
    seen = np.where(owned, np.stack([days, reason]), rasters.OUTSIDE).astype(np.uint16)
    return {"before": before, "after": after, "change": change, "seen": seen}


def _inside(shape: shapely.Geometry, size: tuple[int, int], transform: object) -> np.ndarray:
    return features.geometry_mask([shape], size, transform, invert=True)


def found(folder: Path, **more: Any) -> report.Found:
    """What the report is told of the planted night, whose files for QGIS are written here."""
    content = qgis.Content(
        alerts(),
        AREA,
        NIGHT,
        blind_after_days=BLIND_AFTER_DAYS,
        extras=surroundings.extras(surroundings.rate(alerts(), alerts()[:1], LAND)),
        land=LAND,
        uncovered=UNCOVERED,
    )
    shown = qgis.write(folder, content)
    days = [
        date(2025, 9, 12),
        date(2025, 9, 22),
        date(2025, 10, 7),
        date(2025, 10, 22),
        date(2025, 11, 1),
        date(2025, 11, 6),
    ]
    values = (0.02, 0.03, 0.01, 0.06, 0.88, 0.97)
    series = tuple(
        Point(day, p, 12 * p + 0.4 * (number % 3), 1.0 if number % 2 else 0.8)
        for number, (day, p) in enumerate(zip(days, values, strict=True))
    )
    told = report.Found(
        area=AREA,
        as_of=NIGHT,
        alerts=alerts(),
        before=alerts()[:1],
        shown=shown,
        points={"VW-AAAAAAAA": series, "VW-TTTTTTTT": series[-3:]},
        rated=surroundings.rate(alerts(), alerts()[:1], LAND),
        run=RUN,
        looks={"43RGM": [date(2025, 9, 17), date(2025, 9, 27), date(2025, 10, 12), date(2025, 10, 27), *days]},
    )
    return replace(told, **more)


RUN: dict[str, Any] = {
    "vanwatch": "0.1.0",
    "aoi": "hills",
    "name": "The hills",
    "as_of": "2025-11-07",
    "catalog": "local",
    "counts": {"confirmed": 2, "possible": 1, "scenes used": 1, "scenes refused": 1},
    "failed": ["tile 43RGM_r00512_c01024: block (3, 4) of B08 could not be read after 4 attempts"],
    "tiles": ["43RGM_r00000_c00512", "43RGM_r00512_c00512"],
    "blind_pct": 9.4,
    "uncovered_km2": 0.065,
    "normal": {"anchor": "2025-10-30", "scenes": ["S2A_1", "S2B_2", "S2A_3"], "caution": {"43RGM": ["season"]}},
    "seen": {"S2A_43RGM_20251106T052931_R105": {"clear": 90_600, "cloud": 8_000, "shadow": 1_400}},
    "scenes": {
        "S2A_43RGM_20251106T052931_R105": {"state": "used", "sensed": "2025-11-06T05:41:00+00:00", "mgrs": "43RGM"},
        "S2B_43RGM_20251101T052931_R105": {
            "state": "refused",
            "sensed": "2025-11-01T05:41:00+00:00",
            "mgrs": "43RGM",
            "why": "shifted by 2.1 px, more than refuse_above_px = 1.5",
        },
    },
}
