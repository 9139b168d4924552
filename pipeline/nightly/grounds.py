"""Grounds: what tonight says of the places of confirmed alerts that no look has shown for long.

In: earlier alerts, the tiles' layers and marks. Out: a `Ground` each, from which `alerts.life` decides whether they
are closed. Alerts that could not be closed tonight cost nothing here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from rasterio import features
from shapely.geometry.base import BaseGeometry

from pipeline import config, grid
from pipeline.alerts import shapes
from pipeline.alerts.life import Ground
from pipeline.detect import evidence
from pipeline.grid import Granule, Tile, Window
from pipeline.schema import KINDS, Alert, Status

_STANDING_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """Where an alert is."""

    alert_id: str
    footprint: BaseGeometry
    """In the granule's CRS."""


def overdue(alerts: Iterable[Alert], as_of: date, rules: config.Evidence) -> tuple[Alert, ...]:
    """The confirmed alerts that no look has shown for as long as it takes to close them."""
    close_days = rules.close_days
    confirmed = [alert for alert in alerts if alert.status == Status.CONFIRMED]
    return tuple(alert for alert in confirmed if (as_of - alert.detection.last_seen).days >= close_days)


def places(alerts: Sequence[Alert], tiles: Iterable[Tile]) -> dict[str, tuple[Place, ...]]:
    """Tile key to the places that its task is asked about."""
    known: dict[Granule, list[Place]] = {}
    found: dict[str, tuple[Place, ...]] = {}
    for tile in tiles:
        if tile.granule not in known:
            known[tile.granule] = [place for alert in alerts if (place := _placed(alert, tile.granule)) is not None]
        mine = tuple(place for place in known[tile.granule] if tile.area.intersection(place.footprint).area > 0)
        if mine:
            found[tile.key] = mine
    return found


def _placed(alert: Alert, granule: Granule) -> Place | None:
    footprint = grid.reproject(alert.detection.footprint, 4326, granule.epsg)
    if not np.isfinite(footprint.bounds).all() or granule.window_over(footprint).empty:
        return None
    return Place(alert.alert_id, footprint)


def clear_days(asked: Sequence[Place], tile: Tile, after_day: NDArray[np.uint16]) -> dict[str, int]:
    """Alert id to the scene day of the last clear look on its place on a tile: half of it was seen then or later.

    Args:
        asked: the places.
        tile: gives the window.
        after_day: (y, x) scene day of the last clear look, 0 never.
    """
    if not asked:
        return {}
    owned, found = tile.owned(), {}
    for place in asked:
        days = after_day[_mask(place.footprint, tile.window, tile.granule) & owned]
        found[place.alert_id] = int(np.quantile(days, 0.5, method="lower")) if len(days) else 0
    return found


def judge(
    alerts: Sequence[Alert],
    asked: Mapping[str, tuple[Place, ...]],
    answered: Mapping[str, Mapping[str, int]],
    marks: Mapping[Granule, NDArray[np.void]],
) -> dict[str, Ground]:
    """What tonight says of each place.

    Args:
        alerts: from `overdue`.
        asked: from `places`.
        answered: tile key to what `clear_days` gave; a tile that failed is absent.
        marks: (n,) of `schema.MARK` of each granule.

    Returns:
        Alert id to its ground. Where a tile of it failed, nothing is known of its last clear look.
    """
    days: dict[str, list[int]] = {alert.alert_id: [] for alert in alerts}
    for key, mine in asked.items():
        for place in mine:
            days[place.alert_id].append(answered.get(key, {}).get(place.alert_id, 0))
    grounds = {}
    for alert in alerts:
        oldest = min(days[alert.alert_id], default=0)
        left = sum(_standing(alert, granule, mine) for granule, mine in marks.items())
        share = left * shapes.PIXEL_M2 / max(1.0, alert.detection.area_m2)
        clear_on = evidence.from_day(oldest) if oldest else None
        grounds[alert.alert_id] = Ground(share >= _STANDING_SHARE, clear_on)
    return grounds


def _standing(alert: Alert, granule: Granule, marks: NDArray[np.void]) -> int:
    """Marks of the alert's kind on its place."""
    place = _placed(alert, granule)
    if place is None:
        return 0
    window = granule.window_over(place.footprint)
    row, col = marks["row"] - window.row, marks["col"] - window.col
    near = (marks["kind"] == KINDS.index(alert.detection.kind)) & (row >= 0) & (row < window.height)
    near &= (col >= 0) & (col < window.width)
    return int(_mask(place.footprint, window, granule)[row[near], col[near]].sum())


def _mask(footprint: BaseGeometry, window: Window, granule: Granule) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = features.geometry_mask([footprint], window.shape, granule.transform(window), invert=True)
    return mask
