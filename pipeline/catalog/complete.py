"""A search that notices what a catalogue lacks, and fills its gaps from the next one (D5, D6, D7).

In: an area, a period and catalogues. Out: what `search` gives, with what the next catalogue knew besides. No clock: the
period's end says when a granule's newest scene is old.

One more catalogue is asked, once, where a granule's newest scene is old, where no listed granule covers the ground, or
where a satellite passed over lately and no scene of it is listed. Then whatever it has besides is taken, datastrips of
scenes that were listed too. A datastrip that is lacking is no reason to ask: one catalogue alone does not show it.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.aoi import area_km2
from pipeline.catalog import coverage, merge
from pipeline.catalog import search as searching
from pipeline.catalog.search import Found
from pipeline.config import Catalog
from pipeline.errors import CatalogError
from pipeline.grid import Granule
from pipeline.ledger import overpasses
from pipeline.ledger.overpasses import Overpass, Seen
from pipeline.schema import Scene

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lack:
    """What a catalogue does not list of an area."""

    stale: tuple[Granule, ...] = ()
    """Granules that the area needs, without a scene for too long."""
    uncovered_km2: float = 0.0
    """Ground that no listed granule covers."""
    passed: tuple[Overpass, ...] = ()
    """Lately, over other granules that the area needs, without a scene."""

    def __bool__(self) -> bool:
        return bool(self.stale or self.uncovered_km2 or self.passed)

    def told(self, stale_days: int) -> str:
        """For people."""
        parts: list[str] = []
        if self.stale:
            parts.append(f"no scene of {', '.join(g.mgrs for g in self.stale)} for over {stale_days} days")
        if self.uncovered_km2:
            parts.append(f"no scene of {self.uncovered_km2:.2f} km2 of the area")
        if self.passed:
            days = ", ".join(sorted({f"{each.mgrs} on {each.day}" for each in self.passed}))
            parts.append(f"no scene of {days}, when a satellite should have passed")
        return "; ".join(parts)


def search(
    geometry: BaseGeometry,
    *,
    start: date,
    end: date,
    catalogs: Sequence[tuple[str, Catalog]],
    stale_days: int,
    save_to: Path,
    watched: Iterable[Granule] = (),
) -> Found:
    """Find the scenes over an area; where the catalogue that answered lacks some, ask the next ones too.

    Args:
        geometry: WGS84 polygons, within -180 to 180.
        start: first solar day.
        end: last solar day, included; what was listed later is left out.
        catalogs: name and catalogue, in fail-over order.
        stale_days: a granule whose newest scene is older than this, counted from `end`, is stale.
        save_to: where the listed items are saved; those of the next catalogue beside it.
        watched: granules that the area was shared out among before; they are needed whether listed or not.

    Raises:
        CatalogError: no catalogue answered.
    """
    found = searching.search(geometry, start=start, end=end, catalogs=catalogs, save_to=save_to, as_of=end)
    rest = catalogs[[name for name, _ in catalogs].index(found.catalog) + 1 :]
    since = max(start, end - timedelta(days=stale_days))
    lack = lacking(geometry, found.scenes, watched, (since, end)) if rest else Lack()
    if not lack:
        return found
    told = f"{found.catalog}: {lack.told(stale_days)}"
    log.log(logging.WARNING if lack.stale else logging.INFO, "%s; asking %s", told, ", ".join(name for name, _ in rest))
    beside = save_to.with_name(f"{save_to.stem}_next{save_to.suffix}")
    try:
        other = searching.search(geometry, start=start, end=end, catalogs=rest, save_to=beside, as_of=end)
    except CatalogError as err:
        return replace(found, problems=(*found.problems, told, *str(err).splitlines()))
    gaps = {gap.scene_id for gap in coverage.missing(found.scenes, other.scenes)}
    more = [scene for scene in other.scenes if scene.scene_id in gaps]
    # Ground or days that no catalogue lists are no fault of this one.
    filled = (f"{told}; {len(gaps)} scenes came from {other.catalog}",) if lack.stale or gaps else ()
    scenes = merge.merge([*found.scenes, *more])
    return replace(found, scenes=scenes, problems=(*found.problems, *filled, *other.problems))


def lacking(
    geometry: BaseGeometry, scenes: Iterable[Scene], watched: Iterable[Granule], days: tuple[date, date]
) -> Lack:
    """What a catalogue does not list of an area.

    Args:
        geometry: WGS84 polygons, within -180 to 180.
        scenes: as it lists them.
        watched: granules that are needed besides those that own some of the area.
        days: the day before which a granule's newest scene is old, and the last day; overpasses are expected between.

    Returns:
        Where nothing is listed or watched at all, every MGRS square of the area as stale.
    """
    (since, end), listed = days, tuple(scenes)
    newest = coverage.newest(listed)
    known = {*newest, *watched}
    needed = grid.owned_areas(geometry, known or None)
    stale = tuple(g for g in sorted(needed) if g not in newest or newest[g].solar_day < since)
    seen = [_seen(scene) for scene in listed if scene.granule in needed and scene.granule not in stale]
    return Lack(
        stale,
        round(area_km2(grid.uncovered(geometry, known)), 3) if known else 0.0,
        overpasses.missing(seen, since, end - overpasses.LATE),
    )


def _seen(scene: Scene) -> Seen:
    return Seen(scene.scene_id, scene.granule.mgrs, scene.platform, scene.relative_orbit, scene.sensed)
