"""What a catalogue listed by a date: a replayed night must not know what was listed later.

In: listings as parsed, before those of one acquisition are merged, and a date. Out: those that a night of that date
could have found. No clock.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from pipeline.catalog import merge
from pipeline.grid import Granule
from pipeline.schema import Scene

BACKFILL = timedelta(days=30)
"""Nothing is first listed so long after its acquisition: a listing that is so late is a reprocessing or a backfill."""


def known_by(scenes: Iterable[Scene], as_of: date) -> tuple[Scene, ...]:
    """Listings that could be found on a date, in the order given.

    Of an acquisition that was listed in time, later listings are left out. One of which only later listings are left
    was listed before, nobody knows when: its acquisition decides.

    Args:
        scenes: one per listed item.
        as_of: the date; what was listed in the course of it counts.
    """
    past = [scene for scene in scenes if max(scene.solar_day, scene.sensed.date()) <= as_of]
    in_time = [scene.published is None or scene.published.date() <= as_of for scene in past]
    found: dict[Granule, list[Scene]] = {}
    for scene, known in zip(past, in_time, strict=True):
        if known:
            found.setdefault(scene.granule, []).append(scene)
    return tuple(
        scene
        for scene, known in zip(past, in_time, strict=True)
        if known or (_backfilled(scene) and not _among(scene, found.get(scene.granule, ())))
    )


def _backfilled(scene: Scene) -> bool:
    return scene.published is not None and scene.published - scene.sensed > BACKFILL


def _among(scene: Scene, others: Iterable[Scene]) -> bool:
    near = (other for other in others if abs(other.sensed - scene.sensed) < timedelta(days=1))
    return any(merge.same_acquisition(scene, other) for other in near)
