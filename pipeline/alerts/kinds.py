"""Kinds: what an event is, where earlier nights called its ground something else.

In: alerts without a detection of their own kind tonight, and tonight's detections. Out: which of them go on as which
detection, and as what kind. Changes neither.

A contest gives every pixel of a night to one kind, but it may end otherwise on the next night: without rules the same
ground would be published as a camp and as a clearing. Two shapes lie on the same ground where each covers at least half
of the other; a camp inside a larger clearing does not, and stays a camp beside a clearing that goes on. On the same
ground there is one event, under the id it had first:

- A possible alert follows tonight's contest: its kind is corrected.
- A confirmed one is corrected once the other kind is confirmed too. A clearing always gives way: camps and tracks
  are cleared ground too. A camp or a track gives way only when evidence of its own no longer stands on the ground (its
  probability is below one half); until then a confirmed camp goes on as a camp in the clearing's shape.
- What the other kinds have for themselves stays in `p_clearing`, `p_camp` and `p_track`, and `caution` says
  `kind was ...` of a corrected alert, and `kind may be ...` where tonight's contest ended otherwise.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline import config
from pipeline.alerts import life, overlap
from pipeline.schema import KINDS, MAY_BE, Alert, Detection, Kind, Status

_WAS = "kind was "
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Claim:
    """An alert that goes on as a detection of another kind."""

    alert: Alert
    keeps_kind: bool
    """The event stays what the alert says."""


def claims(
    alerts: Sequence[Alert], items: Sequence[Detection], rules: config.Evidence, *, sure: Collection[int]
) -> dict[int, list[Claim]]:
    """Which alerts go on as detections of another kind.

    Args:
        alerts: those without a detection of their own kind tonight, oldest first.
        items: tonight's detections in their fixed order.
        rules: when a detection is confirmed by itself.
        sure: numbers of detections that carry on a confirmed alert of their own kind.

    Returns:
        Detection's number to its claims. Each alert claims at most one: of those on its ground, what it shares most of.
    """
    opened = [alert for alert in alerts if alert.status in life.OPEN]
    found: dict[int, list[Claim]] = {}
    for number, index in sorted(overlap.same_ground(opened, items).items()):
        confirmed = index in sure or life.confirmed_on(items[index], rules) is not None
        claim = _claim(opened[number], items[index], confirmed=confirmed)
        if claim is not None:
            found.setdefault(index, []).append(claim)
    return found


def _claim(alert: Alert, item: Detection, *, confirmed: bool) -> Claim | None:
    if alert.status == Status.POSSIBLE:
        return Claim(alert, keeps_kind=False)
    kind = alert.detection.kind
    stands = item.probabilities[KINDS.index(kind)] >= _HALF
    if kind == Kind.CAMP and item.kind == Kind.CLEARING and stands:
        return Claim(alert, keeps_kind=True)
    if confirmed and (kind == Kind.CLEARING or not stands):
        return Claim(alert, keeps_kind=False)
    return None


def as_kept(item: Detection, claimed: Sequence[Claim]) -> Detection:
    """The detection as the event that it is: a camp, where an alert says so that keeps its kind."""
    kept = {claim.alert.detection.kind for claim in claimed if claim.keeps_kind}
    return as_event(item, *kept) if kept else item


def as_event(item: Detection, kind: Kind) -> Detection:
    """A detection as an event of another kind than the contest said: the same ground, and what speaks for that kind."""
    return replace(item, kind=kind, confidence=item.probabilities[KINDS.index(kind)])


def cautions(alert: Alert, event: Detection, item: Detection) -> tuple[str, ...]:
    """What an alert's caution says of its kind.

    Args:
        alert: as it was.
        event: as it goes on.
        item: what tonight's contest said of the same ground.
    """
    was = {word for word in alert.caution if word.startswith(_WAS)} - {_WAS + event.kind}
    if alert.detection.kind != event.kind:
        was.add(_WAS + alert.detection.kind)
    if item.kind != event.kind:
        was.add(MAY_BE + item.kind)
    return tuple(sorted(was))


def contested(alert: Alert) -> Kind:
    """What the contest said of the ground on which an alert was found last: its kind, unless its caution says other."""
    other = [word.removeprefix(MAY_BE) for word in alert.caution if word.startswith(MAY_BE)]
    return Kind(other[0]) if other else alert.detection.kind


def swallowed(
    alerts: Sequence[Alert], items: Sequence[Detection], owners: Mapping[int, Alert]
) -> list[tuple[Alert, Alert]]:
    """Alerts most of whose ground lies in a larger event of another kind, with that event's alert.

    A possible alert ends in it, whatever it is. A confirmed clearing ends in a confirmed camp or track; a confirmed
    camp or track ends in nothing larger.
    """
    found = []
    for alert, index in overlap.superseded([alert for alert in alerts if alert.status in life.OPEN], items):
        owner = owners.get(index)
        if owner is None or owner.status not in life.OPEN or owner.alert_id == alert.alert_id:
            continue
        whole = alert.detection.kind == Kind.CLEARING and owner.status == Status.CONFIRMED
        if alert.status == Status.POSSIBLE or (whole and owner.detection.kind != Kind.CLEARING):
            found.append((alert, owner))
    return found
