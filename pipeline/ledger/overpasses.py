"""Overpasses: when satellites should come by, from the scenes that were seen.

In: scenes of one AOI. Out: expected overpasses. Knows no catalogue and no clock.

A Sentinel-2 satellite repeats its orbits every ten days to the minute, so that the days on which it saw a granule,
counted modulo ten, are its orbits there, whether or not a catalogue names them. Source: ESA Sentinel-2 mission, orbit
description (143 orbits in 10 days).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pipeline import grid

REPEAT_DAYS = 10
RETIRED = timedelta(days=40)
"""A satellite that has not been seen so long on an orbit, while scenes of the granule went on, comes no more."""
REMEMBERED = timedelta(days=120)
"""Older scenes say nothing about today's satellites."""
LATE = timedelta(days=2)
"""A scene is listed within so long of its overpass; before that it is not missed."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One scene that some night considered."""

    scene_id: str
    mgrs: str
    platform: str
    relative_orbit: int | None
    sensed: datetime
    """UTC."""

    @property
    def day(self) -> date:
        """Solar day, which is the same for all passes of an orbit."""
        zone = grid.granule(self.mgrs).epsg % 100
        return (self.sensed + timedelta(hours=(6 * zone - 183) / 15)).date()


@dataclass(frozen=True, slots=True, order=True)
class Overpass:
    """One expected overpass."""

    day: date
    mgrs: str
    platform: str
    relative_orbit: int | None


def expected(seen: Iterable[Seen], first: date, last: date) -> tuple[Overpass, ...]:
    """The overpasses that the orbits seen so far make us expect.

    Args:
        seen: scenes.
        first: first day.
        last: last day, included.

    Returns:
        Ordered by day; none where no scene was seen before.
    """
    newest: dict[tuple[str, str, int], Seen] = {}
    ends: dict[str, date] = {}
    for scene in sorted(seen, key=lambda scene: (scene.sensed, scene.scene_id)):
        newest[scene.mgrs, scene.platform, scene.day.toordinal() % REPEAT_DAYS] = scene
        ends[scene.mgrs] = scene.day
    found = []
    for (mgrs, platform, phase), scene in newest.items():
        if scene.day < ends[mgrs] - RETIRED:
            continue
        ahead = (phase - first.toordinal()) % REPEAT_DAYS
        for days in range(ahead, (last - first).days + 1, REPEAT_DAYS):
            found.append(Overpass(first + timedelta(days=days), mgrs, platform, scene.relative_orbit))
    return tuple(sorted(found, key=lambda each: (each.day, each.mgrs, each.platform)))


def missing(seen: Iterable[Seen], first: date, last: date) -> tuple[Overpass, ...]:
    """Expected overpasses of a period of which no scene is known."""
    known = list(seen)
    there = {(scene.mgrs, scene.day) for scene in known}
    return tuple(each for each in expected(known, first, last) if (each.mgrs, each.day) not in there)
