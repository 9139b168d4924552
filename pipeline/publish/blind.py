"""Blind places: where nothing was seen clearly for longer than the profile allows, as shapes.

In: `seen.tif`. Out: WGS84 polygons with the reason. Knows no alerts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio import features
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.aoi import area_km2
from pipeline.publish.rasters import NEVER, OUTSIDE
from pipeline.schema import Reason

_SIDE_PX = 1024
"""Larger rasters are read coarser: a map of where we were blind needs no single pixels."""
REASONS = {
    Reason.CLEAR: "no newer scene",
    Reason.NODATA: "no scene",
    Reason.CLOUD: "cloud",
    Reason.SHADOW: "cloud shadow",
    Reason.SNOW: "snow",
    Reason.SATURATED: "saturated",
    Reason.FAILED: "failed read",
    Reason.RESIDUAL_CLOUD: "thin cloud",
}
"""Why the latest look saw nothing, for people."""
UNCOVERED = "not covered"
"""No catalogue lists a scene of any granule that covers the place."""


@dataclass(frozen=True, slots=True)
class Blind:
    """One connected place that was not seen clearly for too long."""

    geometry: BaseGeometry
    """WGS84 polygon, or several where the antimeridian cuts it."""
    reason: str
    """Why the latest look did not see it."""
    days: int | None
    """It was not seen for at least so many days; None if it never was."""
    area_km2: float


def find(paths: Iterable[Path], *, after_days: int, uncovered: BaseGeometry | None = None) -> tuple[Blind, ...]:
    """The blind places of a night.

    Args:
        paths: `seen.tif` of every UTM zone.
        after_days: a place not seen for longer counts as blind.
        uncovered: WGS84 part of the AOI that no granule covers.

    Returns:
        Largest first.
    """
    found = [place for path in paths for place in _of_zone(path, after_days)]
    if uncovered is not None:
        found += [Blind(part, UNCOVERED, None, area_km2(part)) for part in shapely.get_parts(uncovered) if part.area]
    return tuple(sorted(found, key=lambda place: (-place.area_km2, place.geometry.wkb)))


def _of_zone(path: Path, after_days: int) -> list[Blind]:
    with rasterio.open(path) as source:
        step = max(1, -(-max(source.shape) // _SIDE_PX))
        height, width = -(-source.height // step), -(-source.width // step)
        days, reason = source.read(out_shape=(2, height, width))
        west, south, east, north = source.bounds
        transform = Affine((east - west) / width, 0, west, 0, (south - north) / height, north)
        epsg = source.crs.to_epsg()
    classes = _classes(days, reason, after_days)
    places = []
    for geometry, code in features.shapes(classes, mask=classes > 0, transform=transform):
        outline = grid.split_at_antimeridian(grid.reproject(shapely.make_valid(shape(geometry)), epsg, 4326))
        times, why = divmod(int(code) - 1, len(Reason))
        lasting = {0: after_days + 1, 1: 2 * after_days + 1, 2: None}[times]
        places.append(Blind(outline, REASONS[Reason(why)], lasting, area_km2(outline)))
    return places


def _classes(days: NDArray[np.uint16], reason: NDArray[np.uint16], after_days: int) -> NDArray[np.int16]:
    """(y, x) int16: 0 not blind, else 1 + reason + 8 x (0 over the limit, 1 over twice the limit, 2 never)."""
    lasting = np.where(days == NEVER, 2, np.where(days > 2 * after_days, 1, 0))
    blind = (days != OUTSIDE) & (days > after_days)
    return np.where(blind, 1 + np.minimum(reason, len(Reason) - 1) + len(Reason) * lasting, 0).astype(np.int16)
