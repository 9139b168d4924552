"""Linking: one alert per real-world event, tracked over nights.

In: tonight's detections and the alerts so far. Out: the alerts as of tonight. Knows no pixels and no files.

The rules, none of which depends on the order of the input, and none of which does anything the second time:

- A detection continues the alert of its kind that it overlaps; where it overlaps none, the nearest within a pixel
  and a half. An alert goes on as the detection that it overlaps most.
- Alerts that go on as the same detection are one: the oldest that nobody dismissed keeps its id, the others are
  closed, and its lineage names them.
- A detection without an alert is a new one; if it was part of an older one, its lineage names that.
- A possible alert that is no longer found, most of whose place is now of another kind, is closed in favour of that.
- `possible` becomes `confirmed` once enough looks on different days show it and the evidence reaches `confirm`, and
  stays so; `possible` becomes `expired` when no look has shown it for long, and comes back when one does. An analyst's
  `dismissed` stays, and keeps what it covers from coming back under another id.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import shapely

from pipeline import config
from pipeline.alerts import detections, overlap
from pipeline.schema import Alert, Detection, Status


@dataclass(frozen=True, slots=True)
class Tonight:
    """What a night says about all its alerts."""

    aoi: str
    as_of: date
    model: str
    before_scenes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """MGRS tile to the scenes that its normal was built from."""
    after_scenes: Mapping[str, Mapping[str, date]] = field(default_factory=dict)
    """MGRS tile to the scenes that were compared, with their dates."""
    cautions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """MGRS tile to why confidence is lowered there."""


def link(
    found: Iterable[Detection], open_alerts: Sequence[Alert], *, tonight: Tonight, rules: config.Evidence
) -> tuple[Alert, ...]:
    """Carry the alerts over one night.

    Args:
        found: tonight's detections, merged, so that those of a kind do not overlap.
        open_alerts: all alerts that are not closed: possible, confirmed, expired and dismissed. Closed ones are
            handed back as they are.
        tonight: the night.
        rules: when alerts are confirmed and when they expire.

    Returns:
        All alerts given, carried on, and the new ones, ordered by id.
    """
    items = sorted(found, key=detections.order)
    closed = [alert for alert in open_alerts if alert.status == Status.CLOSED]
    alerts = sorted((a for a in open_alerts if a.status != Status.CLOSED), key=_age)
    pairs = overlap.measure(alerts, items)
    heirs, parents = overlap.heirs(pairs), overlap.parents(alerts, items, pairs)
    taken = {alert.alert_id for alert in open_alerts}
    result = {alert.alert_id: alert for alert in closed}
    owners: dict[int, str] = {}
    claimants: dict[int, list[Alert]] = {}
    for number, index in sorted(heirs.items()):
        claimants.setdefault(index, []).append(alerts[number])
    for index, item in enumerate(items):
        if index in claimants:
            carried = _carried(claimants[index], item, tonight, rules)
        else:
            new = _new(item, parents.get(index, ()), taken, tonight, rules)
            carried = [new] if new else []
        if carried:
            owners[index] = carried[0].alert_id
            taken |= {alert.alert_id for alert in carried}
            result.update((alert.alert_id, alert) for alert in carried)
    unseen = [alert for number, alert in enumerate(alerts) if number not in heirs]
    result |= {alert.alert_id: _unseen(alert, tonight, rules) for alert in unseen}
    _supersede(result, unseen, items, owners)
    return tuple(result[alert_id] for alert_id in sorted(result))


def _age(alert: Alert) -> tuple[date, str]:
    return alert.detection.first_seen, alert.alert_id


def _carried(claimants: list[Alert], item: Detection, tonight: Tonight, rules: config.Evidence) -> list[Alert]:
    """The alert that goes on as a detection, first, and those that end in it."""
    keeper, *rest = sorted(claimants, key=lambda alert: (alert.status == Status.DISMISSED, *_age(alert)))
    others = [alert for alert in rest if alert.status != Status.DISMISSED]
    dismissed = [_unseen(alert, tonight, rules) for alert in rest if alert.status == Status.DISMISSED]
    lineage = {*keeper.lineage, *(alert.alert_id for alert in others)} - {keeper.alert_id}
    known = [alert.confirmed_on for alert in (keeper, *others) if alert.confirmed_on]
    shape = replace(
        item,
        first_seen=min(item.first_seen, *(alert.detection.first_seen for alert in (keeper, *others))),
        last_seen=max(item.last_seen, *(alert.detection.last_seen for alert in (keeper, *others))),
    )
    before_m2 = sum(alert.detection.area_m2 for alert in (keeper, *others))
    earlier_ha = keeper.grown_ha if keeper.as_of == tonight.as_of else 0.0
    carried = replace(
        keeper,
        confirmed_on=min(known) if known else _confirmed_on(item, rules),
        grown_ha=round(earlier_ha + (item.area_m2 - before_m2) / 1e4, 4),
        lineage=tuple(sorted(lineage)),
    )
    merged = _described(carried, shape, tonight)
    ended = [_ended(alert, keeper.alert_id, tonight.as_of) for alert in others]
    return [replace(merged, status=_status(merged, tonight, rules)), *ended, *dismissed]


def _ended(alert: Alert, heir_id: str, as_of: date | None) -> Alert:
    lineage = tuple(sorted({*alert.lineage, heir_id}))
    return replace(alert, status=Status.CLOSED, lineage=lineage, grown_ha=0.0, as_of=as_of)


def _new(
    item: Detection, parents: tuple[str, ...], taken: set[str], tonight: Tonight, rules: config.Evidence
) -> Alert | None:
    """A new alert, or None where no look has supported it for so long that it would be born expired."""
    alert = Alert(
        alert_id=_alert_id(tonight.aoi, item, taken),
        aoi=tonight.aoi,
        status=Status.POSSIBLE,
        detection=item,
        confirmed_on=_confirmed_on(item, rules),
        grown_ha=0.0,
        lineage=tuple(sorted(parents)),
        caution=(),
        before_scenes=(),
        after_scenes=(),
        model=tonight.model,
    )
    alert = _described(alert, item, tonight)
    status = _status(alert, tonight, rules)
    return None if status == Status.EXPIRED else replace(alert, status=status)


def _described(alert: Alert, shape: Detection, tonight: Tonight) -> Alert:
    """The alert with a shape and what tonight knows about it."""
    compared = tonight.after_scenes.get(shape.mgrs, {})
    shown = {scene for scene, day in compared.items() if shape.first_seen <= day <= shape.last_seen}
    return replace(
        alert,
        detection=shape,
        before_scenes=tuple(tonight.before_scenes.get(shape.mgrs, alert.before_scenes)),
        after_scenes=tuple(sorted(shown | set(alert.after_scenes))),
        caution=tuple(tonight.cautions.get(shape.mgrs, ())),
        model=tonight.model,
        as_of=tonight.as_of,
    )


def _confirmed_on(item: Detection, rules: config.Evidence) -> date | None:
    """The scene date that confirms a detection: enough evidence, from enough looks of different days."""
    days = (item.last_seen - item.first_seen).days + 1
    enough = item.hits >= rules.confirm_looks and days >= rules.confirm_looks and item.log_odds >= rules.confirm
    return item.last_seen if enough else None


def _status(alert: Alert, tonight: Tonight, rules: config.Evidence) -> Status:
    if alert.status == Status.DISMISSED:
        return Status.DISMISSED
    if alert.confirmed_on or alert.status == Status.CONFIRMED:
        return Status.CONFIRMED
    unsupported = (tonight.as_of - alert.detection.last_seen).days >= rules.expire_days
    return Status.EXPIRED if unsupported else Status.POSSIBLE


def _unseen(alert: Alert, tonight: Tonight, rules: config.Evidence) -> Alert:
    """An alert without a detection tonight stays as it was, until it expires."""
    status = alert.status if alert.status == Status.EXPIRED else _status(alert, tonight, rules)
    grown_ha = alert.grown_ha if alert.as_of == tonight.as_of else 0.0
    return replace(alert, status=status, grown_ha=grown_ha, as_of=tonight.as_of)


def _supersede(result: dict[str, Alert], unseen: list[Alert], items: list[Detection], owners: dict[int, str]) -> None:
    """Close possible alerts whose place has turned out to be of another kind."""
    open_ones = [alert for alert in unseen if result[alert.alert_id].status == Status.POSSIBLE]
    for alert, index in overlap.superseded(open_ones, items):
        heir = result.get(owners.get(index, ""))
        if heir is None or heir.status == Status.DISMISSED:
            continue
        result[alert.alert_id] = _ended(result[alert.alert_id], heir.alert_id, heir.as_of)
        result[heir.alert_id] = replace(heir, lineage=tuple(sorted({*heir.lineage, alert.alert_id})))


def _alert_id(aoi: str, item: Detection, taken: set[str]) -> str:
    """`VW-` and eight letters or digits 2 to 7, from what the event is; another draw where that id is taken."""
    middle = shapely.centroid(item.footprint)
    place = f"{aoi}|{item.kind.value}|{item.first_seen.isoformat()}|{middle.x:.4f}|{middle.y:.4f}"
    draw = 0
    while True:
        digest = hashlib.sha256(f"{place}|{draw}".encode()).digest()
        alert_id = "VW-" + base64.b32encode(digest[:5]).decode()
        if alert_id not in taken:
            return alert_id
        draw += 1
