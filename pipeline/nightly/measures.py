"""NDVI and NBR of every alert's ground, look by look, beside what the normal says.

In: alerts, and each tile's latest clear pixels with its normal. Out: the alerts with what was measured tonight added.
The same whatever the size of the tiles: medians are taken over the whole ground.

Only the newest clear look of each pixel is at hand, so of several looks in one night the newest is measured. A new
alert also gets what the night before had kept of its ground: the last clear look before it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from rasterio import features
from shapely import box
from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.detect import evidence
from pipeline.grid import Tile
from pipeline.nightly.latest import Latest
from pipeline.schema import Alert, Measured, Normal
from pipeline.sensors import BANDS

PAIRS = (("B08", "B04"), ("B08", "B12"))
"""NDVI and NBR: normalised differences of near infrared to red, and to short-wave infrared."""
MOST = 36
"""So many days are kept, the newest."""
_LEAST_SEEN = 0.25
"""A day that shows less of the ground is not told."""
_DIGITS = 3


@dataclass(slots=True)
class Measures:
    """Grows tile by tile."""

    alerts: Sequence[Alert]
    _values: dict[tuple[str, int], list[NDArray[np.float32]]] = field(default_factory=dict)
    """(alert, day) to (6, n): for each index the look's, the normal's and its spread."""
    _pixels: dict[str, int] = field(default_factory=dict)
    _shapes: dict[int, list[BaseGeometry]] = field(default_factory=dict)

    def over(self, tile: Tile) -> tuple[Alert, ...]:
        """The alerts that lie on a tile at least in part."""
        here = box(*tile.granule.window_bounds(tile.window))
        shapes = self._on(tile.granule.epsg)
        return tuple(alert for alert, shape in zip(self.alerts, shapes, strict=True) if shape.intersects(here))

    def add(self, tile: Tile, newest: Latest, normal: Normal | None, among: Iterable[Alert], *, first: bool) -> None:
        """Measure what one tile shows of some alerts' ground.

        Args:
            tile: gives the place.
            newest: its latest clear pixels, of tonight or of the night before.
            normal: on the tile; None if it has none.
            among: from `over`.
            first: whether the tile's pixels are counted; once per tile.
        """
        shapes = dict(zip((alert.alert_id for alert in self.alerts), self._on(tile.granule.epsg), strict=True))
        for alert in among:
            part = tile.granule.window_over(shapes[alert.alert_id]).clipped(tile.window)
            if not part.empty:
                inside = features.geometry_mask(
                    [shapes[alert.alert_id]], part.shape, tile.granule.transform(part), invert=True
                )
                rows, cols = part.within(tile.window)
                inside &= tile.owned()[rows, cols]
                if first:
                    self._pixels[alert.alert_id] = self._pixels.get(alert.alert_id, 0) + int(inside.sum())
                self._take(alert.alert_id, newest, normal, (rows, cols), inside)

    def noted(self, alerts: Iterable[Alert]) -> tuple[Alert, ...]:
        """All alerts, those that were measured with what was found."""
        return tuple(self._noted(alert) if alert.alert_id in self._pixels else alert for alert in alerts)

    def _on(self, epsg: int) -> list[BaseGeometry]:
        if epsg not in self._shapes:
            self._shapes[epsg] = [grid.reproject(alert.detection.footprint, 4326, epsg) for alert in self.alerts]
        return self._shapes[epsg]

    def _take(
        self, name: str, newest: Latest, normal: Normal | None, place: tuple[slice, slice], inside: NDArray[np.bool_]
    ) -> None:
        after, days = newest.after[:, *place][:, inside].astype(np.float32), newest.after_day[place][inside]
        median = spread = np.full(after.shape, np.nan, np.float32)
        if normal is not None:
            median, spread = normal.median[:, *place][:, inside], normal.spread[:, *place][:, inside]
        rows = [row for pair in PAIRS for row in (_index(after, pair), *_normals(median, spread, pair))]
        values = np.stack(rows).astype(np.float32)
        for day in np.unique(days[days > 0]):
            self._values.setdefault((name, int(day)), []).append(values[:, days == day])

    def _noted(self, alert: Alert) -> Alert:
        days = {one.day: one for one in alert.measured}
        mine = {day: found for (name, day), found in self._values.items() if name == alert.alert_id}
        for day, found in sorted(mine.items()):
            one = _told(day, np.concatenate(found, axis=1), self._pixels[alert.alert_id])
            if one.seen >= _LEAST_SEEN and (one.day not in days or one.seen >= days[one.day].seen):
                days[one.day] = one
        return replace(alert, measured=tuple(days[day] for day in sorted(days)[-MOST:]))


def _index(values: NDArray[np.float32], pair: tuple[str, str]) -> NDArray[np.float32]:
    one, other = (values[BANDS.index(name)] for name in pair)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: NDArray[np.float32] = (one - other) / (one + other)
    return found


def _normals(
    median: NDArray[np.float32], spread: NDArray[np.float32], pair: tuple[str, str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The index of the normal, and its spread as if the two bands varied independently."""
    (one, other), (s_one, s_other) = ([values[BANDS.index(name)] for name in pair] for values in (median, spread))
    with np.errstate(divide="ignore", invalid="ignore"):
        wide = 2 * np.hypot(other * s_one, one * s_other) / (one + other) ** 2
    return _index(median, pair), wide.astype(np.float32)


def _told(day: int, values: NDArray[np.float32], pixels: int) -> Measured:
    """Medians over the ground."""
    known = [row[np.isfinite(row)] for row in values]
    told = [round(float(np.median(row)), _DIGITS) if len(row) else None for row in known]
    return Measured(evidence.from_day(day), round(values.shape[1] / max(1, pixels), _DIGITS), *told)
