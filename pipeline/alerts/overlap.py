"""Overlap: which detections lie where which alerts were.

In: alerts and detections, both in a fixed order. Out: numbers of those that belong together. Changes neither.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline import grid
from pipeline.alerts import places
from pipeline.schema import Alert, Detection

NEAR_M = 15.0
"""Scenes lie off by up to a pixel and a half: what is so near may be the same place."""
_TRIFLE_M2 = 50.0
"""Half a pixel: less is rounding."""
_PARENT_SHARE = 0.2
_OTHER_KIND_SHARE = 0.5
_SAME_GROUND_SHARE = 0.5


@dataclass(frozen=True, slots=True, order=True)
class Meeting:
    """How an alert and a detection of one kind lie to each other; the greater, the closer."""

    same: bool
    """The detection is the alert's own, seen again."""
    shared_m2: float
    away_m: float
    """Distance, negative."""


def measure(alerts: Sequence[Alert], items: Sequence[Detection]) -> dict[tuple[int, int], Meeting]:
    """All pairs (alert, detection) of a kind that overlap or nearly touch."""
    footprints = [alert.detection.footprint for alert in alerts], [item.footprint for item in items]
    found = {}
    for number, index in places.near(*footprints, within_m=NEAR_M):
        if alerts[number].detection.kind != items[index].kind:
            continue
        meeting = _meeting(alerts[number].detection, items[index])
        if meeting.away_m >= -NEAR_M:
            found[number, index] = meeting
    return found


def _meeting(old: Detection, new: Detection) -> Meeting:
    epsg = places.plane(new)
    here, there = (grid.reproject(item.footprint, 4326, epsg) for item in (old, new))
    shared_m2 = here.intersection(there).area
    return Meeting(
        same=old.footprint == new.footprint,
        shared_m2=round(shared_m2, 3) if shared_m2 >= _TRIFLE_M2 else 0.0,
        away_m=-round(here.distance(there), 3),
    )


def heirs(pairs: Mapping[tuple[int, int], Meeting]) -> dict[int, int]:
    """As which detection each alert goes on, if any.

    Args:
        pairs: from `measure`, of alerts with the oldest first and detections in their fixed order.

    Returns:
        Alert's number to detection's. Overlap may give several alerts one detection; nearness gives only one, and
        only a detection that no alert overlaps.
    """
    best: dict[int, tuple[Meeting, int]] = {}
    for (number, index), meeting in pairs.items():
        if meeting.shared_m2 > 0:
            best[number] = max(best.get(number, (meeting, -index)), (meeting, -index))
    chosen = {number: -index for number, (_, index) in best.items()}
    covered = {index for (_, index), meeting in pairs.items() if meeting.shared_m2 > 0}
    beside = sorted(
        (-meeting.away_m, number, index)
        for (number, index), meeting in pairs.items()
        if number not in chosen and index not in covered
    )
    for _, number, index in beside:
        if number not in chosen and index not in covered:
            chosen[number] = index
            covered.add(index)
    return chosen


def parents(
    alerts: Sequence[Alert], items: Sequence[Detection], pairs: Mapping[tuple[int, int], Meeting]
) -> dict[int, tuple[str, ...]]:
    """Detection's number to the ids of the alerts that much of it was a part of."""
    found: dict[int, tuple[str, ...]] = {}
    for (number, index), meeting in sorted(pairs.items()):
        if meeting.shared_m2 >= max(_TRIFLE_M2, _PARENT_SHARE * items[index].area_m2):
            found[index] = (*found.get(index, ()), alerts[number].alert_id)
    return found


def elders(alerts: Sequence[Alert], items: Sequence[Detection]) -> dict[int, tuple[str, ...]]:
    """Detection's number to the ids of the alerts, of any kind, that much of it lies on."""
    found: dict[int, tuple[str, ...]] = {}
    for number, index, shared_m2 in _shared(alerts, items):
        if shared_m2 >= max(_TRIFLE_M2, _PARENT_SHARE * items[index].area_m2):
            found[index] = (*found.get(index, ()), alerts[number].alert_id)
    return found


def same_ground(alerts: Sequence[Alert], items: Sequence[Detection]) -> dict[int, int]:
    """Alert's number to that of the detection of another kind with which it shares half of both, if any."""
    best: dict[int, tuple[float, int]] = {}
    for number, index, shared_m2 in _shared(alerts, items):
        old, new = alerts[number].detection, items[index]
        if old.kind != new.kind and shared_m2 >= _SAME_GROUND_SHARE * max(old.area_m2, new.area_m2):
            best[number] = max(best.get(number, (0.0, -index)), (shared_m2, -index))
    return {number: -index for number, (_, index) in best.items()}


def superseded(alerts: Sequence[Alert], items: Sequence[Detection]) -> list[tuple[Alert, int]]:
    """Alerts most of whose place is covered by a detection of another kind, with that detection's number."""
    best: dict[int, tuple[float, int]] = {}
    for number, index, shared_m2 in _shared(alerts, items):
        old = alerts[number].detection
        if old.kind != items[index].kind and shared_m2 >= _OTHER_KIND_SHARE * old.area_m2:
            best[number] = max(best.get(number, (0.0, 0)), (shared_m2, -index))
    return [(alerts[number], -index) for number, (_, index) in sorted(best.items())]


def _shared(alerts: Sequence[Alert], items: Sequence[Detection]) -> Iterator[tuple[int, int, float]]:
    """Number, index and shared area of those that may overlap, whatever their kind."""
    footprints = [alert.detection.footprint for alert in alerts], [item.footprint for item in items]
    for number, index in places.near(*footprints, within_m=0.0):
        yield number, index, _meeting(alerts[number].detection, items[index]).shared_m2
