"""Time series of alerts, out of what the tiles remember of their looks.

In: alerts, and each tile's evidence once. Out: points per alert. The same whatever the size of the tiles: counts are
added, and only then divided.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rasterio import features
from shapely import box
from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.detect import evidence
from pipeline.detect.evidence import Evidence
from pipeline.grid import Tile
from pipeline.publish.series import Point
from pipeline.schema import KINDS, Alert


@dataclass(slots=True)
class _Sums:
    """What one day's looks add up to over one alert."""

    odds: int = 0
    seen: int = 0
    z: int = 0
    z_seen: int = 0


@dataclass(slots=True)
class Gathered:
    """Grows tile by tile."""

    alerts: tuple[Alert, ...]
    _days: dict[str, dict[int, _Sums]] = field(default_factory=dict)
    _pixels: dict[str, int] = field(default_factory=dict)
    _shapes: dict[int, list[BaseGeometry]] = field(default_factory=dict)

    def add(self, tile: Tile, known: Evidence) -> None:
        """Take what one tile remembers of the alerts' ground."""
        epsg = tile.granule.epsg
        if epsg not in self._shapes:
            self._shapes[epsg] = [grid.reproject(alert.detection.footprint, 4326, epsg) for alert in self.alerts]
        here = box(*tile.granule.window_bounds(tile.window))
        for alert, shape in zip(self.alerts, self._shapes[epsg], strict=True):
            if shape.intersects(here):
                self._add(alert, shape, tile, known)

    def points(self) -> dict[str, tuple[Point, ...]]:
        """The series of each alert, oldest first; empty where nothing is remembered."""
        return {alert.alert_id: tuple(self._points(alert.alert_id)) for alert in self.alerts}

    def _add(self, alert: Alert, shape: BaseGeometry, tile: Tile, known: Evidence) -> None:
        part = tile.granule.window_over(shape).clipped(tile.window)
        if part.empty:
            return
        inside = features.geometry_mask([shape], part.shape, tile.granule.transform(part), invert=True)
        rows, cols = part.within(tile.window)
        inside &= tile.owned()[rows, cols]
        name, kind = alert.alert_id, KINDS.index(alert.detection.kind)
        self._pixels[name] = self._pixels.get(name, 0) + int(inside.sum())
        days, odds, z = (
            known.day[:, rows, cols][:, inside],
            known.odds[:, kind, rows, cols][:, inside],
            known.z[:, rows, cols][:, inside],
        )
        for day in np.unique(days[days > 0]):
            self._sum(self._days.setdefault(name, {}).setdefault(int(day), _Sums()), days == day, odds, z)

    @staticmethod
    def _sum(sums: _Sums, hit: NDArray[np.bool_], odds: NDArray[np.int8], z: NDArray[np.int8]) -> None:
        known = hit & (z != evidence.UNKNOWN_Z)
        sums.odds += int(odds[hit].sum(dtype=np.int64))
        sums.seen += int(hit.sum())
        sums.z += int(z[known].sum(dtype=np.int64))
        sums.z_seen += int(known.sum())

    def _points(self, name: str) -> Iterable[Point]:
        for day, sums in sorted(self._days.get(name, {}).items()):
            odds = sums.odds / sums.seen * evidence.STEP
            yield Point(
                day=evidence.from_day(day),
                probability=float(1 / (1 + np.exp(-odds))),
                z=sums.z / sums.z_seen * evidence.Z_STEP if sums.z_seen else None,
                seen=sums.seen / max(1, self._pixels[name]),
            )
