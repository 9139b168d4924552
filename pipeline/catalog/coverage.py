"""What one catalogue has and another lacks, and how fresh it is: catalogues drop and delay scenes (D5, D6).

In: merged scenes. Out: gaps and newest scenes. Asks no catalogue and no clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from pipeline.catalog import merge, naming
from pipeline.grid import Granule
from pipeline.schema import Part, Scene


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """Something of one granule and day that a catalogue lacks."""

    granule: Granule
    day: date
    """Solar day."""
    scene_id: str
    """As the other catalogue has it."""
    datastrips: tuple[str, ...]
    """Which datastrips are lacking; empty if the whole acquisition is."""


def missing(primary: Iterable[Scene], secondary: Iterable[Scene]) -> tuple[Gap, ...]:
    """What the secondary catalogue has and the primary lacks, per granule and day.

    Args:
        primary: scenes found in the catalogue in use.
        secondary: scenes found in another one, for the same area and period.

    Returns:
        A gap for each acquisition that the primary does not list, and for each of which it lacks a datastrip.
        Where it does not name its datastrips, only their number is compared.
    """
    by_granule: dict[Granule, list[Scene]] = {}
    for scene in primary:
        by_granule.setdefault(scene.granule, []).append(scene)
    gaps = set()
    for scene in secondary:
        same = [other for other in by_granule.get(scene.granule, []) if merge.same_acquisition(scene, other)]
        known = [part for other in same for part in other.parts]
        lacking = _lacking(known, scene.parts)
        if not same or lacking:
            gaps.add(Gap(scene.granule, scene.solar_day, scene.scene_id, lacking if same else ()))
    return tuple(sorted(gaps))


def newest(scenes: Iterable[Scene]) -> dict[Granule, Scene]:
    """The latest acquisition of each granule: how fresh a catalogue is there."""
    latest: dict[Granule, Scene] = {}
    for scene in scenes:
        old = latest.get(scene.granule)
        if old is None or (scene.sensed, scene.scene_id) > (old.sensed, old.scene_id):
            latest[scene.granule] = scene
    return dict(sorted(latest.items()))


def _lacking(known: Iterable[Part], wanted: Iterable[Part]) -> tuple[str, ...]:
    """Datastrips among `wanted` that are not among `known`."""
    have, want = list(known), list(wanted)
    if not all(naming.strip_start(part.datastrip) for part in (*have, *want)):
        return tuple(part.datastrip or part.item_id for part in want[len(have) :])
    return tuple(
        sorted(part.datastrip for part in want if not any(merge.same_datastrip(part, other) for other in have))
    )
