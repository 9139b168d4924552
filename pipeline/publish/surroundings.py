"""Surroundings: what an alert lies in and near, and how urgent that makes it.

In: alerts and what is known of the land. Out: an `Extra` and a `Priority` per alert. Knows no files.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline import context, grid
from pipeline.context import Feature, Near, Placed
from pipeline.publish import priority
from pipeline.publish.columns import ROLES, Extra
from pipeline.publish.priority import Priority
from pipeline.schema import Alert, Status

_OPEN = (Status.POSSIBLE, Status.CONFIRMED)
_NEAR = 4
"""So many things near an alert are told."""


@dataclass(frozen=True, slots=True)
class Rated:
    """What is told of an alert beyond itself."""

    extra: Extra
    priority: Priority


def rate(alerts: Sequence[Alert], before: Sequence[Alert], features: Sequence[Feature]) -> dict[str, Rated]:
    """Surroundings and priority of every open alert.

    Args:
        alerts: open and ended ones.
        before: all alerts of the night before.
        features: what is known of the land.
    """
    known = {alert.alert_id for alert in before}
    shown = [(alert, grid.granule(alert.detection.mgrs).epsg) for alert in alerts if alert.status in _OPEN]
    land = {epsg: context.place(features, epsg) for epsg in {epsg for _, epsg in shown}}
    return {alert.alert_id: _rated(alert, land[epsg], new=alert.alert_id not in known) for alert, epsg in shown}


def extras(rated: Mapping[str, Rated]) -> dict[str, Extra]:
    """What is told of each alert in columns."""
    return {alert_id: one.extra for alert_id, one in rated.items()}


def _rated(alert: Alert, land: Placed, *, new: bool) -> Rated:
    found = alert.detection
    near = context.around(found.geometry, land)
    distances = {role: _nearest(near, role) for role in (*ROLES, "permit")}
    permitted = distances["permit"] == 0
    rank = priority.of(
        alert,
        priority.Surroundings(
            protected_m=distances["protected"],
            border_m=min(distances["border"], distances["known"]),
            permitted=permitted,
        ),
        new=new,
    )
    extra = Extra(
        priority=rank.score,
        inside=tuple(one.name for one in near if one.inside),
        near=tuple(one.words for one in near if not one.inside)[:_NEAR],
        distances_m=tuple(round(distances[role], 0) if math.isfinite(distances[role]) else None for role in ROLES),
        caution=("permit",) if permitted else (),
    )
    return Rated(extra, rank)


def _nearest(near: Sequence[Near], role: str) -> float:
    return min((one.distance_m for one in near if one.role == role), default=math.inf)
