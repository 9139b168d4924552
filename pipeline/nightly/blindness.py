"""Blindness: how long an AOI has not been seen, why, and when that is worth an alarm.

In: what the ledger knows of an AOI after a night. Out: an `Outlook`. Looks at no pixel and no clock.

An AOI counts as seen on a day if half of its pixels have had a clear look on or since that day; what no granule covers
counts as never seen. Two things alarm: half
of the AOI without a clear look for longer than `blind_after_days`, and a granule of which no catalogue has listed a
scene for longer than `search.stale_days`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from pipeline import grid
from pipeline.aoi import Aoi
from pipeline.ledger import overpasses
from pipeline.ledger.manifest import BLIND, SILENT, Alarm, Outlook
from pipeline.ledger.nights import Books
from pipeline.ledger.overpasses import Seen
from pipeline.nightly import deliver
from pipeline.nightly.deliver import Night
from pipeline.schema import Reason

CLOUD, NO_SCENE, REFUSED, FAILED, WAITING = "cloud", "no scene", "refused scene", "failed read", "waiting scene"
NO_DATA, SNOW = "no data", "snow"
"""Why a place was not seen; `waiting`: too few earlier scenes to compare with; `no data`: it lay beside the swath."""
_WHY = {"refused": REFUSED, "failed": FAILED, "partly": FAILED, "waiting": WAITING}
_MISSED = {Reason.NODATA.name.lower(): NO_DATA, Reason.SNOW.name.lower(): SNOW}
"""What is not named here is cloud, its shadow, or what shines like one."""
_FORGOTTEN = "no scene for so long that it is not known which overpasses were due"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an AOI after a night."""

    aoi: Aoi
    as_of: date
    first_night: date
    granules: tuple[str, ...]
    ledger: Mapping[str, Mapping[str, Any]]
    """Scenes of the search window."""
    seen: tuple[Seen, ...]
    """Scenes of the last months, tonight's too."""
    clear_days: Mapping[str, Mapping[str, int]]
    """Tile to its pixels by scene day of their last clear look."""
    blind_pct: float
    uncovered_km2: float = 0.0
    """Part of the AOI that no granule covers."""
    older: tuple[Seen, ...] = ()
    """The newest scene of each granule of which `seen` has none."""

    @property
    def pixels(self) -> tuple[Mapping[str, int], ...]:
        """All pixels by scene day of their last clear look: of each tile, and of what is not covered."""
        return (*self.clear_days.values(), {"": grid.pixels(self.uncovered_km2)})


def outlook(facts: Facts) -> Outlook:
    """How well an AOI is seen."""
    clear_on = half_seen_since(facts.pixels)
    since = clear_on or facts.first_night
    days = (facts.as_of - since).days
    scenes = (*facts.seen, *facts.older)
    newest = {mgrs: max((s.day for s in scenes if s.mgrs == mgrs), default=None) for mgrs in facts.granules}
    known = [day for day in newest.values() if day is not None]
    found = Outlook(
        blind_pct=facts.blind_pct,
        clear_on=clear_on,
        blind_days=days,
        why_blind=_reasons(facts, clear_on) if days else {},
        newest_scene=max(known, default=None),
    )
    alarms = (*_blind_alarm(facts, found), *_silence(facts, newest))
    return replace(found, alarms=alarms)


def watched(night: Night, books: Books) -> Night:
    """A night with how well its AOI is seen, before it is published.

    Raises:
        StateError: the database does not answer.
    """
    tonight, as_of = night.plan, night.desk.as_of
    known = {scene.scene_id: scene for scene in books.seen(as_of)}
    known |= {scene.scene_id: scene for scene in as_seen(tonight.past | tonight.ledger)}
    seen = tuple(scene for _, scene in sorted(known.items()) if scene.mgrs in tonight.granules)
    facts = Facts(
        aoi=night.desk.aoi,
        as_of=as_of,
        first_night=min(books.first() or as_of, as_of),
        granules=tonight.granules,
        ledger=tonight.ledger,
        seen=seen,
        clear_days=clear_days(night),
        blind_pct=deliver.blind_pct(night),
        uncovered_km2=tonight.uncovered_km2,
        older=books.newest(as_of, set(tonight.granules) - {scene.mgrs for scene in seen}),
    )
    ahead = overpasses.expected(facts.seen, as_of + timedelta(days=1), as_of + timedelta(days=overpasses.REPEAT_DAYS))
    return replace(night, outlook=outlook(facts), overpasses=ahead)


def clear_days(night: Night) -> dict[str, dict[str, int]]:
    """Tile to its pixels by day of their last clear look; a tile that failed tonight stays as it was.

    Tiles that an outline drawn anew has left count no more; one that has failed since its first night was never seen.
    """
    known = night.before.clear_days | {answer.tile.key: answer.clear_days for answer in night.answers}
    return {
        tile.key: known[tile.key] if tile.key in known else {"": int(tile.owned().sum())} for tile in night.plan.tiles
    }


def half_seen_since(tiles: Iterable[Mapping[str, int]]) -> date | None:
    """The last day on or since which half of all pixels have had a clear look; None if there is none.

    Args:
        tiles: pixels by scene day of their last clear look; an empty text for never.
    """
    pixels: Counter[str] = Counter()
    for counted in tiles:
        pixels.update(counted)
    half, seen = sum(pixels.values()) / 2, 0
    for day in sorted(filter(None, pixels), reverse=True):
        seen += pixels[day]
        if seen >= half:
            return date.fromisoformat(day)
    return None


def blind_pct(tiles: Iterable[Mapping[str, int]], since: date) -> float:
    """Share of all pixels whose last clear look is older than a day."""
    pixels: Counter[str] = Counter()
    for counted in tiles:
        pixels.update(counted)
    blind = sum(count for day, count in pixels.items() if day < since.isoformat())
    return round(100 * blind / max(1, sum(pixels.values())), 1)


def describe(why: Mapping[str, int]) -> str:
    """Reasons for people, the most frequent first, like `3 cloud, 1 no scene`."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(why.items(), key=lambda pair: (-pair[1], pair[0])))


def as_seen(ledger: Mapping[str, Mapping[str, Any]]) -> tuple[Seen, ...]:
    """Entries of the ledger as scenes that were seen."""
    return tuple(
        Seen(
            scene_id,
            entry["mgrs"],
            entry.get("platform", ""),
            entry.get("relative_orbit"),
            datetime.fromisoformat(entry["sensed"]),
        )
        for scene_id, entry in ledger.items()
    )


def _reasons(facts: Facts, clear_on: date | None) -> dict[str, int]:
    """What became of the overpasses since the AOI was last seen, as far back as the search goes."""
    start = facts.as_of - timedelta(days=facts.aoi.profile.search.window_days)
    after = max(start, clear_on + timedelta(days=1)) if clear_on else start
    later = {scene.scene_id for scene in as_seen(facts.ledger) if scene.day >= after}
    why = Counter(_why(entry) for scene_id, entry in facts.ledger.items() if scene_id in later)
    del why[""]
    missed = len(overpasses.missing(facts.seen, after, facts.as_of - overpasses.LATE))
    if missed:
        why[NO_SCENE] = missed
    return dict(sorted(why.items()))


def _why(entry: Mapping[str, Any]) -> str:
    """Why a scene did not see the AOI; empty for one that missed nothing of its part of it."""
    if entry["state"] in _WHY:
        return _WHY[entry["state"]]
    if "missed" not in entry:  # a ledger of an earlier version does not tell
        return CLOUD
    pixels: Counter[str] = Counter()
    for reason, count in entry["missed"].items():
        pixels[_MISSED.get(reason, CLOUD)] += count
    return max(sorted(pixels), key=pixels.__getitem__, default="")


def _blind_alarm(facts: Facts, found: Outlook) -> tuple[Alarm, ...]:
    allowed = facts.aoi.profile.blind_after_days
    if not facts.granules or found.blind_days is None or found.blind_days <= allowed:
        return ()
    why = describe(found.why_blind) or ("no overpass was expected" if facts.seen else _FORGOTTEN)
    text = (
        f"{facts.aoi.id}: blind: half of it has had no clear look for {found.blind_days} days, {allowed} are allowed "
        f"({why})"
    )
    return (Alarm(BLIND, "", found.blind_days, allowed, text),)


def _silence(facts: Facts, newest: Mapping[str, date | None]) -> tuple[Alarm, ...]:
    allowed = facts.aoi.profile.search.stale_days
    if not facts.granules:
        text = f"{facts.aoi.id}: silent: no catalogue lists any scene of it"
        return (Alarm(SILENT, "", (facts.as_of - facts.first_night).days, allowed, text),)
    alarms = []
    for mgrs, day in sorted(newest.items()):
        silent = (facts.as_of - (day or facts.first_night)).days
        if silent > allowed:
            there = [scene for scene in facts.seen if scene.mgrs == mgrs]
            missed = len(overpasses.missing(there, day or facts.first_night, facts.as_of - overpasses.LATE))
            text = (
                f"{facts.aoi.id}: silent: no catalogue has listed a scene of {mgrs} for {silent} days, {allowed} are "
                f"allowed ({f'{missed} overpasses were expected' if there else _FORGOTTEN})"
            )
            alarms.append(Alarm(SILENT, mgrs, silent, allowed, text))
    return tuple(alarms)
