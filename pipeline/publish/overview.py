"""The overview map of a report: the latest clear pixels, the alerts, the AOI, and where we were blind.

In: a night's folder and shapes. Out: an embedded picture and SVG paths over it. Knows no page.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from rasterio.enums import Resampling
from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.publish import columns, pictures, rasters
from pipeline.publish.geopackage import Area
from pipeline.publish.qgis import Shown
from pipeline.schema import Alert

_SIDE_PX = 1200


@dataclass(frozen=True, slots=True)
class Overview:
    """A picture and what lies over it."""

    picture: str
    """JPEG as a data URI."""
    width: int
    height: int
    """Of the drawing, whose units the paths are in; the picture is stretched to it."""
    aoi: str
    """SVG path."""
    blind: tuple[tuple[str, str], ...]
    """Reason and SVG path."""
    alerts: tuple[dict[str, Any], ...]
    """number, id, kind, status, path, x, y."""


def draw(folder: Path, area: Area, shown: Shown, alerts: Sequence[tuple[int, Alert]]) -> Overview | None:
    """The map of the AOI's main zone; None where a night has no raster at all."""
    paths = rasters.paths_of(folder, "after")
    if not paths:
        return None
    with rasterio.open(paths[0]) as source:
        unit = _SIDE_PX / max(source.shape)
        scale = min(1.0, unit)  # small areas are not enlarged: the page does that
        height, width = max(1, round(source.height * scale)), max(1, round(source.width * scale))
        index = list(pictures.indices("true"))
        values = source.read(index, out_shape=(3, height, width), resampling=Resampling.average)
        epsg, left, top = source.crs.to_epsg(), source.bounds.left, source.bounds.top
        metre = unit / source.transform.a
        box = round(source.width * unit), round(source.height * unit)
    jpeg = pictures.jpeg(values.astype(np.float32) * np.float32(1e-4), shown.stretch["true"])

    def path(shape: BaseGeometry) -> str:
        return _path(grid.reproject(shape, 4326, epsg), left, top, metre)

    return Overview(
        picture="data:image/jpeg;base64," + base64.b64encode(jpeg).decode(),
        width=box[0],
        height=box[1],
        aoi=path(area.geometry),
        blind=tuple((place.reason, path(place.geometry)) for place in shown.blind),
        alerts=tuple(_alert(number, alert, path, (epsg, left, top, metre)) for number, alert in alerts),
    )


def _alert(number: int, alert: Alert, path: Any, frame: tuple[int, float, float, float]) -> dict[str, Any]:
    epsg, left, top, metre = frame
    x, y = shapely.get_coordinates(grid.reproject(columns.place_of(alert.detection.geometry), 4326, epsg))[0]
    return {
        "number": number,
        "id": alert.alert_id,
        "kind": alert.detection.kind.value,
        "status": alert.status.value,
        "path": path(alert.detection.geometry),
        "x": round(float(x - left) * metre, 1),
        "y": round(float(top - y) * metre, 1),
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
