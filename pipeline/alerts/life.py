"""Life: what becomes of an alert, be it seen tonight or not.

In: one alert and what is known of its place. Out: its status. Knows no other alert and no pixels.

- `possible` becomes `confirmed` once enough looks on different days show it and the evidence reaches `confirm`.
- `possible` becomes `expired` when no look has shown it for long, and comes back when one does.
- `confirmed` becomes `closed` when its evidence is gone and clear looks have not shown it for long: it has grown over,
  was taken down, or has become normal. Its caution then says `contradicted`; what is found there later is a new alert
  whose lineage names it. Cloud closes nothing, nor does a place whose evidence still stands but for another kind's.
- `dismissed` is an analyst's word and stays. What is found on its ground stays quiet, unless it reaches far enough
  beyond: then it is a new alert whose lineage names the dismissed one.
- An open alert whose event runs together with dismissed ground goes on in the shape that was found, but that ground is
  no growth of it; its lineage names the dismissed alert once it covers half of that. Where most of what was found is
  dismissed ground, and would be quiet by itself, the open alert is seen again and stays as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import shapely
from shapely.geometry.base import BaseGeometry

from pipeline import config, grid
from pipeline.alerts import places
from pipeline.schema import Alert, Detection, Status

CONTRADICTED = "contradicted"
OPEN = (Status.POSSIBLE, Status.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Ground:
    """What tonight's evidence says of an alert's place."""

    standing: bool
    """Evidence of the alert's own kind still covers most of it, whatever was found there."""
    clear_on: date | None
    """Day of the last clear look on it; None never, or not known tonight."""


def confirmed_on(item: Detection, rules: config.Evidence) -> date | None:
    """The scene date that confirms a detection: enough evidence, from enough looks of different days."""
    days = (item.last_seen - item.first_seen).days + 1
    enough = item.hits >= rules.confirm_looks and days >= rules.confirm_looks and item.log_odds >= rules.confirm
    return item.last_seen if enough else None


def status(alert: Alert, as_of: date, rules: config.Evidence) -> Status:
    """The status of an alert that a detection carries on, or that has not come to its end."""
    if alert.status == Status.DISMISSED:
        return Status.DISMISSED
    if alert.confirmed_on or alert.status == Status.CONFIRMED:
        return Status.CONFIRMED
    unsupported = (as_of - alert.detection.last_seen).days >= rules.expire_days
    return Status.EXPIRED if unsupported else Status.POSSIBLE


def unseen(alert: Alert, as_of: date, rules: config.Evidence, ground: Ground | None) -> Alert:
    """An alert without a detection tonight stays as it was, until it expires or its evidence is long gone."""
    grown_ha = alert.grown_ha if alert.as_of == as_of else 0.0
    kept = replace(alert, grown_ha=grown_ha, as_of=as_of)
    if alert.status == Status.EXPIRED:
        return kept
    now = status(alert, as_of, rules)
    if now == Status.CONFIRMED and _contradicted(alert, rules, ground):
        return replace(kept, status=Status.CLOSED, caution=tuple(sorted({*alert.caution, CONTRADICTED})))
    return replace(kept, status=now)


def _contradicted(alert: Alert, rules: config.Evidence, ground: Ground | None) -> bool:
    """Evidence gone, and clear looks for long after the last one that showed it."""
    if ground is None or ground.standing or ground.clear_on is None:
        return False
    return (ground.clear_on - alert.detection.last_seen).days >= rules.close_days


def ended(alert: Alert, heir_id: str, as_of: date | None) -> Alert:
    """An alert that goes on as another one."""
    lineage = tuple(sorted({*alert.lineage, heir_id}))
    return replace(alert, status=Status.CLOSED, lineage=lineage, grown_ha=0.0, as_of=as_of)


def seen_again(alert: Alert, item: Detection, as_of: date, rules: config.Evidence) -> Alert:
    """An open alert of which a detection tells nothing but that it is still there."""
    last_seen = max(alert.detection.last_seen, item.last_seen)
    grown_ha = alert.grown_ha if alert.as_of == as_of else 0.0
    kept = replace(alert, detection=replace(alert.detection, last_seen=last_seen), grown_ha=grown_ha, as_of=as_of)
    return replace(kept, status=status(kept, as_of, rules))


def outgrown(item: Detection, dismissed: list[Alert], rules: config.Evidence) -> bool:
    """Does a detection reach so far beyond dismissed ground that somebody should look again?

    Args:
        item: overlaps or touches the ground.
        dismissed: alerts of its kind, as they were when they were dismissed.
        rules: how far.
    """
    shape, ground = _shape(item), _ground([alert.detection for alert in dismissed], item)
    beyond_m2 = shape.difference(ground).area
    share_m2 = rules.dismissed_growth_share * min(shape.area, ground.area)
    return bool(beyond_m2 >= max(1e4 * rules.dismissed_growth_ha, share_m2) - 1.0)


def mostly_on(item: Detection, others: Sequence[Detection]) -> bool:
    """Does more than half of a detection lie on the ground of others?"""
    shape = _shape(item)
    return bool(shape.intersection(_ground(others, item)).area > shape.area / 2)


def taken_m2(item: Detection, dismissed: Sequence[Alert], before: Sequence[Alert]) -> float:
    """Dismissed ground under a detection that was not part of the alerts which go on as it."""
    if not dismissed:
        return 0.0
    taken, known = (_ground([alert.detection for alert in alerts], item) for alerts in (dismissed, before))
    return float(_shape(item).intersection(taken).difference(known).area)


def _shape(item: Detection) -> BaseGeometry:
    return grid.reproject(item.footprint, 4326, places.plane(item))


def _ground(others: Sequence[Detection], item: Detection) -> BaseGeometry:
    """What some cover, in the plane in which a detection is measured."""
    epsg = places.plane(item)
    return shapely.union_all([grid.reproject(other.footprint, 4326, epsg) for other in others])
