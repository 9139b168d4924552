"""Status: how each AOI stands, from the ledger alone: last night, freshness, blindness, failures, next overpasses.

In: a home and a date. Out: a `Status`. Asks no catalogue, reads no pixel and changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from pipeline import grid
from pipeline.aoi import Aoi, area_km2
from pipeline.ledger import database, health, overpasses
from pipeline.ledger.database import Database
from pipeline.ledger.health import Failure
from pipeline.ledger.nights import Books
from pipeline.ledger.overpasses import Overpass
from pipeline.nightly import blindness, run, watched
from pipeline.nightly.run import Home


@dataclass(frozen=True, slots=True)
class BlindTile:
    """A tile half of which has had no clear look for longer than the profile allows."""

    tile: str
    clear_on: date | None
    days: int
    """Since then, or since the first night."""


@dataclass(frozen=True, slots=True)
class AoiStatus:
    """How one AOI stands."""

    aoi: str
    last_night: date | None
    catalog: str = ""
    """That answered in the last night."""
    catalog_problems: tuple[str, ...] = ()
    """What went wrong with the catalogues in the last night, though one answered; no part failed of it."""
    alerts: dict[str, int] | None = None
    """Status to number of alerts."""
    newest_scene: date | None = None
    fresh_days: int | None = None
    """Days since the newest scene."""
    clear_on: date | None = None
    """The last day on or since which half of the AOI has had a clear look."""
    blind_days: int | None = None
    """Days since then, or since the first night."""
    blind_pct: float | None = None
    """Share of the AOI without a clear look for longer than its profile allows, what is not covered included."""
    uncovered_km2: float | None = None
    """Part of the AOI that no granule covers of which a catalogue lists a scene."""
    why_blind: dict[str, int] | None = None
    """What became of the overpasses since the AOI was last seen."""
    blind_tiles: tuple[BlindTile, ...] = ()
    """The longest blind first."""
    next_overpasses: tuple[Overpass, ...] = ()
    failed: tuple[str, ...] = ()
    """Parts of the last night."""
    failed_nights: tuple[Failure, ...] = ()
    """Since the last whole night."""
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """How a deployment stands."""

    as_of: date
    aois: tuple[AoiStatus, ...]

    @property
    def exit_code(self) -> int:
        """As of a night: 1 some part failed, else 3 an alarm stands, else 0."""
        if any(item.failed or item.failed_nights for item in self.aois):
            return 1
        return run.ALARM if any(item.alarms for item in self.aois) else 0


def read(place: Home, as_of: date, aois: Sequence[str]) -> Status:
    """How AOIs stand on a day.

    Args:
        place: the home.
        as_of: the day; of an AOI whose last night is later, that night.
        aois: ids or files; empty for all that are enabled.

    Raises:
        ConfigError: an AOI, its profile, a name or the database's URL is wrong, or the database knows no night of what
            lies in the state.
        StateError: the database, or the object store of the state, cannot be read.
    """
    chosen = watched.aois(place.aois, place.configs, aois)
    if not database.begun(place.ledger):
        _refuse_lost_ledger(place, chosen, place.ledger)
        return Status(as_of, tuple(AoiStatus(item.id, None) for item in chosen))
    with database.opened(place.ledger) as ledger:
        _refuse_lost_ledger(place, [item for item in chosen if Books(ledger, item.id).last() is None], ledger.shown)
        return Status(as_of, tuple(_of(item, as_of, ledger) for item in chosen))


def _refuse_lost_ledger(place: Home, nightless: Sequence[Aoi], ledger: str) -> None:
    """Look into the state of AOIs of which the ledger knows no night; into a bucket only where it can be reached.

    Whoever only asks how things stand before the first night needs no keys of the store.
    """
    if nightless and place.state_bucket and not place.state_bucket.answers():
        return
    for item in nightless:
        place.store(item.id).refuse_lost_ledger(ledger)


def _of(item: Aoi, as_of: date, ledger: Database) -> AoiStatus:
    books = Books(ledger, item.id)
    last, first = health.last_night(books), books.first()
    failed_nights = health.failures_since(books, last.as_of if last else date.min)
    if last is None or first is None:
        return AoiStatus(item.id, None, failed_nights=failed_nights)
    day = max(as_of, last.as_of)
    after = last.as_of + timedelta(days=1)
    left = books.load(after, scenes_since=day - timedelta(days=item.profile.search.window_days + 1))
    known = tuple(scene for scene in books.seen(after) if scene.mgrs in left.granules)
    uncovered = area_km2(grid.uncovered(item.geometry, [grid.granule(name) for name in left.granules]))
    facts = blindness.Facts(
        aoi=item,
        as_of=day,
        first_night=first,
        granules=left.granules,
        ledger=left.ledger,
        seen=known,
        clear_days=left.clear_days,
        blind_pct=0.0,
        uncovered_km2=uncovered,
        older=books.newest(after, set(left.granules) - {scene.mgrs for scene in known}),
    )
    since = day - timedelta(days=item.profile.blind_after_days)
    seen = blindness.outlook(replace(facts, blind_pct=blindness.blind_pct(facts.pixels, since)))
    ahead = overpasses.expected(facts.seen, day + timedelta(days=1), day + timedelta(days=overpasses.REPEAT_DAYS))
    return AoiStatus(
        aoi=item.id,
        last_night=last.as_of,
        catalog=last.catalog,
        catalog_problems=last.catalog_problems,
        alerts=last.alerts,
        newest_scene=seen.newest_scene,
        fresh_days=(day - seen.newest_scene).days if seen.newest_scene else None,
        clear_on=seen.clear_on,
        blind_days=seen.blind_days,
        blind_pct=seen.blind_pct,
        uncovered_km2=round(uncovered, 3),
        why_blind=seen.why_blind,
        blind_tiles=_blind_tiles(facts),
        next_overpasses=ahead,
        failed=last.failed,
        failed_nights=failed_nights,
        alarms=tuple(alarm.text for alarm in seen.alarms),
    )


def _blind_tiles(facts: blindness.Facts) -> tuple[BlindTile, ...]:
    tiles = []
    for key, pixels in sorted(facts.clear_days.items()):
        clear_on = blindness.half_seen_since([pixels])
        days = (facts.as_of - (clear_on or facts.first_night)).days
        if days > facts.aoi.profile.blind_after_days:
            tiles.append(BlindTile(key, clear_on, days))
    return tuple(sorted(tiles, key=lambda tile: (-tile.days, tile.tile)))
