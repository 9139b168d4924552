"""Linking: one alert per real-world event, tracked over nights.

In: tonight's detections and the alerts so far. Out: the alerts as of tonight. Knows no pixels and no files.

The rules, none of which depends on the order of the input, and none of which does anything the second time:

- A detection continues the alert of its kind that it overlaps; where it overlaps none, the nearest within a pixel
  and a half. An alert goes on as the detection that it overlaps most. An alert without a detection of its own kind may
  go on as one of another kind (see `kinds`).
- Alerts that go on as the same detection are one: the oldest keeps its id, the others are closed, and its lineage
  names them.
- A detection without an alert is a new one; if it was part of an older one, its lineage names that. On ground that an
  analyst dismissed it is none, unless it reaches far enough beyond; nor does an open alert grow by such ground (see
  `life`).
- A possible alert that is no longer found, most of whose place is now of another kind, is closed in favour of that.
- What becomes of each alert, seen or not, is told in `life`.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date

import shapely

from pipeline import config
from pipeline.alerts import detections, kinds, life, overlap
from pipeline.alerts.kinds import Claim
from pipeline.alerts.life import Ground
from pipeline.schema import Alert, Detection, Status

REGISTRATION = "registration"
"""Caution of an alert that only scenes have shown whose place could not be measured."""
CLOUD_EDGE = "cloud edge"
"""Caution of an alert that only looks have shown beside whose clouds it lay."""


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
    earlier_scenes: Mapping[str, Mapping[str, date]] = field(default_factory=dict)
    """The same of earlier nights: a new alert names those that its evidence had grown from before it became one."""
    cautions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """MGRS tile to why confidence is lowered there."""
    unplaced: frozenset[str] = frozenset()
    """Scenes of which it could not be measured how well they lie in their place."""
    grounds: Mapping[str, Ground] = field(default_factory=dict)
    """Id of an earlier alert to what the evidence says of its place; one that is absent is never closed."""


def link(
    found: Iterable[Detection], known: Sequence[Alert], *, tonight: Tonight, rules: config.Evidence
) -> tuple[Alert, ...]:
    """Carry the alerts over one night.

    Args:
        found: tonight's detections, merged, so that those of a kind do not overlap.
        known: all alerts of the night before. Closed ones are handed back as they are.
        tonight: the night.
        rules: when alerts are confirmed, expire and are closed.

    Returns:
        All alerts given, carried on, and the new ones, ordered by id.
    """
    items = sorted(found, key=detections.order)
    alerts = sorted((alert for alert in known if alert.status != Status.CLOSED), key=_age)
    pairs = overlap.measure(alerts, items)
    heirs = {n: i for n, i in overlap.heirs(pairs).items() if alerts[n].status != Status.DISMISSED}
    own: dict[int, list[Claim]] = {}
    for number, index in sorted(heirs.items()):
        own.setdefault(index, []).append(Claim(alerts[number], keeps_kind=False))
    sure = {index for number, index in heirs.items() if alerts[number].status == Status.CONFIRMED}
    without = [alert for number, alert in enumerate(alerts) if number not in heirs]
    claims = kinds.claims(without, items, rules, sure=sure)
    parents = _parents(known, alerts, items, pairs)
    result = {alert.alert_id: alert for alert in known}
    owners: dict[int, str] = {}
    seen: set[str] = set()
    for index, item in enumerate(items):
        dismissed = [alerts[n] for n, at in sorted(pairs) if at == index and alerts[n].status == Status.DISMISSED]
        quiet = dismissed and not life.outgrown(item, dismissed, rules)
        if quiet and index in own and life.mostly_on(item, [alert.detection for alert in dismissed]):
            again = [life.seen_again(claim.alert, item, tonight.as_of, rules) for claim in own[index]]
            result |= {alert.alert_id: alert for alert in again}
            seen |= {alert.alert_id for alert in again}
            continue
        if index in own or (index in claims and not quiet):
            carried = _carried([*own.get(index, ()), *claims.get(index, ())], item, dismissed, tonight, rules)
        elif not quiet:
            lineage = parents.get(index, set()) | {alert.alert_id for alert in dismissed}
            carried = _new(item, lineage, set(result), tonight, rules)
        else:
            carried = []
        if carried:
            owners[index] = carried[0].alert_id
        result |= {alert.alert_id: alert for alert in carried}
        seen |= {alert.alert_id for alert in carried}
    unseen = [alert.alert_id for alert in alerts if alert.alert_id not in seen]
    for alert_id in unseen:
        result[alert_id] = life.unseen(result[alert_id], tonight.as_of, rules, tonight.grounds.get(alert_id))
    for alert, owner in kinds.swallowed([result[i] for i in unseen], items, {n: result[i] for n, i in owners.items()}):
        heir = result[owner.alert_id]
        result[alert.alert_id] = life.ended(alert, heir.alert_id, heir.as_of)
        result[heir.alert_id] = replace(heir, lineage=tuple(sorted({*heir.lineage, alert.alert_id})))
    return tuple(result[alert_id] for alert_id in sorted(result))


def _age(alert: Alert) -> tuple[date, str]:
    return alert.detection.first_seen, alert.alert_id


def _parents(
    known: Sequence[Alert],
    alerts: Sequence[Alert],
    items: Sequence[Detection],
    pairs: Mapping[tuple[int, int], overlap.Meeting],
) -> dict[int, set[str]]:
    """Detection's number to the ids that a new alert's lineage names.

    These are the alerts of its kind that it was a part of, and of any kind what was dismissed or had ended there.
    """
    elders = [a for a in known if a.status == Status.DISMISSED or life.CONTRADICTED in a.caution]
    found = {index: set(ids) for index, ids in overlap.parents(alerts, items, pairs).items()}
    for index, ids in overlap.elders(sorted(elders, key=_age), items).items():
        found.setdefault(index, set()).update(ids)
    return found


def _carried(
    claimed: list[Claim], item: Detection, dismissed: list[Alert], tonight: Tonight, rules: config.Evidence
) -> list[Alert]:
    """The alert that goes on as a detection, first, and those that end in it.

    Dismissed ground under it is no growth; what it covers most of, its lineage names.
    """
    event = kinds.as_kept(item, claimed)
    keeper, *others = sorted((claim.alert for claim in claimed), key=_age)
    both = (keeper, *others)
    known = [alert.confirmed_on for alert in both if alert.confirmed_on]
    shape = replace(
        event,
        first_seen=min(item.first_seen, *(alert.detection.first_seen for alert in both)),
        last_seen=max(item.last_seen, *(alert.detection.last_seen for alert in both)),
    )
    areas_m2 = [a.detection.area_m2 for a in both if a.detection.kind == item.kind]
    before_m2 = sum(areas_m2) or max(alert.detection.area_m2 for alert in both)
    grown_m2 = item.area_m2 - before_m2 - life.taken_m2(item, dismissed, both)
    earlier_ha = keeper.grown_ha if keeper.as_of == tonight.as_of else 0.0
    covered = {alert.alert_id for alert in dismissed if life.mostly_on(alert.detection, [item])}
    lineage = {*keeper.lineage, *(alert.alert_id for alert in others), *covered} - {keeper.alert_id}
    carried = replace(
        _with_verdict(keeper, others),
        confirmed_on=min(known) if known else life.confirmed_on(item, rules),
        grown_ha=round(earlier_ha + grown_m2 / 1e4, 4),
        lineage=tuple(sorted(lineage)),
    )
    merged = _described(carried, shape, tonight)
    caution = tuple(sorted({*merged.caution, *kinds.cautions(keeper, event, item)}))
    status = life.status(merged, tonight.as_of, rules)
    ended = [life.ended(alert, keeper.alert_id, tonight.as_of) for alert in others]
    return [replace(merged, status=status, caution=caution), *ended]


def _with_verdict(keeper: Alert, others: Sequence[Alert]) -> Alert:
    """What an analyst confirmed stays confirmed under the id that goes on."""
    said = [alert for alert in others if alert.verdict == Status.CONFIRMED.value]
    if keeper.verdict or not said:
        return keeper
    last = max(said, key=lambda alert: (alert.verdict_on or date.min, alert.alert_id))
    return replace(
        keeper,
        status=Status.CONFIRMED,
        verdict=last.verdict,
        verdict_by=last.verdict_by,
        verdict_on=last.verdict_on,
        note=last.note,
    )


def _new(item: Detection, parents: set[str], taken: set[str], tonight: Tonight, rules: config.Evidence) -> list[Alert]:
    """A new alert, or none where no look has supported it for so long that it would be born expired."""
    alert = Alert(
        alert_id=_alert_id(tonight.aoi, item, taken),
        aoi=tonight.aoi,
        status=Status.POSSIBLE,
        detection=item,
        confirmed_on=life.confirmed_on(item, rules),
        grown_ha=0.0,
        lineage=tuple(sorted(parents)),
        caution=(),
        before_scenes=(),
        after_scenes=(),
        model=tonight.model,
    )
    alert = _described(alert, item, tonight, _shown(tonight.earlier_scenes, item))
    status = life.status(alert, tonight.as_of, rules)
    return [] if status == Status.EXPIRED else [replace(alert, status=status)]


def _described(alert: Alert, shape: Detection, tonight: Tonight, earlier: Set[str] = frozenset()) -> Alert:
    """The alert with a shape and what tonight knows about it; `earlier` scenes it does not name yet, but may."""
    shown = _shown(tonight.after_scenes, shape) | earlier
    return replace(
        alert,
        detection=shape,
        before_scenes=tuple(tonight.before_scenes.get(shape.mgrs, alert.before_scenes)),
        after_scenes=tuple(sorted(shown | set(alert.after_scenes))),
        caution=(
            *tonight.cautions.get(shape.mgrs, ()),
            *_registration(alert, shown, tonight),
            *((CLOUD_EDGE,) if shape.beside_cloud else ()),
        ),
        model=tonight.model,
        as_of=tonight.as_of,
    )


def _shown(compared: Mapping[str, Mapping[str, date]], shape: Detection) -> set[str]:
    """The scenes of its granule that may have shown it."""
    days = compared.get(shape.mgrs, {})
    return {scene for scene, day in days.items() if shape.first_seen <= day <= shape.last_seen}


def _registration(alert: Alert, shown: set[str], tonight: Tonight) -> tuple[str, ...]:
    """A caution where no scene that may have shown the alert, tonight or before, is known to lie in its place."""
    before = alert.after_scenes
    unsure = not before or REGISTRATION in alert.caution
    return (REGISTRATION,) if unsure and shown <= tonight.unplaced and (before or shown) else ()


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
