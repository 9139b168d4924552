"""The overview map of a report: the latest clear pixels, what is known of the land, the alerts, and blind places.

In: a night's folder and shapes. Out: an embedded picture and SVG paths over it. Knows no page.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rasterio
import shapely
from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.context import Feature
from pipeline.grid import RESOLUTION_M
from pipeline.publish import columns, land, pictures, rasters
from pipeline.publish.geopackage import Area
from pipeline.publish.pictures import Frame
from pipeline.publish.qgis import Shown
from pipeline.schema import Alert

_SIDE_PX = 1200


@dataclass(frozen=True, slots=True)
class Overview:
    """A picture and what lies over it."""

    picture: str
    """JPEG as a data URI; empty where nothing was ever seen."""
    width: int
    height: int
    """Of the drawing, whose units the paths are in; the picture is stretched to it."""
    aoi: str
    """SVG path."""
    blind: tuple[tuple[str, str], ...]
    """Reason and SVG path."""
    land: tuple[dict[str, Any], ...]
    """What is known of the land: name, role, title, form, path, points."""
    alerts: tuple[dict[str, Any], ...]
    """number, id, kind, status, path, x, y."""


def draw(folder: Path, area: Area, shown: Shown, alerts: Sequence[tuple[int, Alert]]) -> Overview:
    """The map of the whole AOI, in its main UTM zone."""
    paths = rasters.paths_of(folder, "after")
    epsg, bounds = _frame(paths, area)
    unit = _SIDE_PX / max(bounds[2] - bounds[0], bounds[3] - bounds[1])
    width, height = (max(1, round((bounds[n + 2] - bounds[n]) * unit)) for n in (0, 1))
    coarse = min(1.0, 1 / (unit * RESOLUTION_M))  # small areas are not enlarged: the page does that
    frame = Frame(epsg, bounds, (max(1, round(height * coarse)), max(1, round(width * coarse))))
    here = _Place(epsg, bounds[0], bounds[3], unit)
    box = grid.split_at_antimeridian(grid.reproject(shapely.segmentize(shapely.box(*bounds), 1000), epsg, 4326))
    return Overview(
        picture=_picture(paths, frame, shown) if paths else "",
        width=width,
        height=height,
        aoi=here.path(area.geometry),
        blind=tuple((place.reason, here.path(place.geometry)) for place in shown.blind),
        land=tuple(_land(feature, box, here) for feature in _ordered(shown.land) if feature.geometry.intersects(box)),
        alerts=tuple(_alert(number, alert, here) for number, alert in alerts),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the drawing lies."""

    epsg: int
    left: float
    top: float
    unit: float
    """Units of the drawing in a metre."""

    def path(self, shape: BaseGeometry) -> str:
        """A WGS84 shape as an SVG path."""
        return _path(grid.reproject(shape, 4326, self.epsg), self.left, self.top, self.unit)


def _frame(paths: Sequence[Path], area: Area) -> tuple[int, tuple[float, float, float, float]]:
    """UTM zone, and what the AOI covers in it in metres; the zone of the main raster, else of most of the AOI."""
    if paths:
        with rasterio.open(paths[0]) as source:
            epsg = source.crs.to_epsg()
    else:
        homes = grid.home_squares(area.geometry)
        epsg = max(homes, key=lambda granule: homes[granule].area).epsg
    west, south, east, north = grid.reproject(shapely.segmentize(area.geometry, 0.01), 4326, epsg).bounds
    step = RESOLUTION_M
    return epsg, (west // step * step, south // step * step, -(-east // step) * step, -(-north // step) * step)


def _picture(paths: Sequence[Path], frame: Frame, shown: Shown) -> str:
    colours = [index - 1 for index in pictures.indices("true")]
    jpeg = pictures.jpeg(pictures.cut(paths, frame)[colours], shown.stretch["true"])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _ordered(features: Sequence[Feature]) -> list[Feature]:
    """Areas below lines below points, as in QGIS."""
    roles = list(land.TITLES)
    return sorted(features, key=lambda f: (-int(shapely.get_dimensions(f.geometry)), -roles.index(f.role)))


def _land(feature: Feature, box: BaseGeometry, here: _Place) -> dict[str, Any]:
    parts = land.parts_within(feature.geometry, box)
    points = [part for part in parts if shapely.get_dimensions(part) == 0]
    others = [part for part in parts if shapely.get_dimensions(part) > 0]
    area = any(shapely.get_dimensions(part) == 2 for part in others)
    return {
        "name": feature.name,
        "role": feature.role,
        "title": land.TITLES[feature.role],
        "form": "area" if area else "line",
        "path": "".join(here.path(part) for part in others),
        "points": [_spot(point, here) for point in points],
    }


def _spot(point: BaseGeometry, here: _Place) -> tuple[float, float]:
    x, y = shapely.get_coordinates(grid.reproject(point, 4326, here.epsg))[0]
    return round(float(x - here.left) * here.unit, 1), round(float(here.top - y) * here.unit, 1)


def _alert(number: int, alert: Alert, here: _Place) -> dict[str, Any]:
    x, y = _spot(columns.place_of(alert.detection.geometry), here)
    return {
        "number": number,
        "id": alert.alert_id,
        "kind": alert.detection.kind.value,
        "status": alert.status.value,
        "path": here.path(alert.detection.geometry),
        "x": x,
        "y": y,
    }


def _path(shape: BaseGeometry, left: float, top: float, metre: float) -> str:
    parts = []
    for part in shapely.get_parts(shape):
        rings = shapely.get_rings(part) if part.geom_type == "Polygon" else [part]
        for ring in rings:
            simple = shapely.get_coordinates(shapely.simplify(ring, 0.5 / metre))
            places = [f"{(x - left) * metre:.1f} {(top - y) * metre:.1f}" for x, y in simple]
            parts.append("M" + "L".join(places) + ("Z" if part.geom_type == "Polygon" else ""))
    return "".join(parts)
