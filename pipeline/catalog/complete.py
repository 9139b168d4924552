"""A search that notices when a catalogue has fallen behind, and fills its gaps from the next one (D5, D6, D7).

In: an area, a period and catalogues. Out: what `search` gives, with what the next catalogue knew besides. No clock: the
period's end says when a granule's newest scene is old.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.catalog import coverage, merge
from pipeline.catalog import search as searching
from pipeline.catalog.search import Found
from pipeline.config import Catalog
from pipeline.errors import CatalogError
from pipeline.grid import Granule

log = logging.getLogger(__name__)


def search(
    geometry: BaseGeometry,
    *,
    start: date,
    end: date,
    catalogs: Sequence[tuple[str, Catalog]],
    stale_days: int,
    save_to: Path,
) -> Found:
    """Find the scenes over an area; where the catalogue that answered is stale, ask the next ones too.

    Args:
        geometry: WGS84 polygons, within -180 to 180.
        start: first solar day.
        end: last solar day, included; what was listed later is left out.
        catalogs: name and catalogue, in fail-over order.
        stale_days: a granule whose newest scene is older than this, counted from `end`, is stale.
        save_to: where the listed items are saved; those of the next catalogue beside it.

    Raises:
        CatalogError: no catalogue answered.
    """
    found = searching.search(geometry, start=start, end=end, catalogs=catalogs, save_to=save_to, as_of=end)
    behind = stale(geometry, found, end - timedelta(days=stale_days))
    rest = catalogs[[name for name, _ in catalogs].index(found.catalog) + 1 :]
    if not behind or not rest:
        return found
    told = f"{found.catalog}: no scene of {', '.join(g.mgrs for g in behind)} for over {stale_days} days"
    log.warning("%s; asking %s", told, ", ".join(name for name, _ in rest))
    beside = save_to.with_name(f"{save_to.stem}_next{save_to.suffix}")
    try:
        other = searching.search(geometry, start=start, end=end, catalogs=rest, save_to=beside, as_of=end)
    except CatalogError as err:
        return replace(found, problems=(*found.problems, told, *str(err).splitlines()))
    gaps = {gap.scene_id for gap in coverage.missing(found.scenes, other.scenes)}
    lacking = [scene for scene in other.scenes if scene.scene_id in gaps]
    filled = f"{told}; {len(gaps)} scenes came from {other.catalog}"
    scenes = merge.merge([*found.scenes, *lacking])
    return replace(found, scenes=scenes, problems=(*found.problems, filled, *other.problems))


def stale(geometry: BaseGeometry, found: Found, since: date) -> tuple[Granule, ...]:
    """Granules that an area needs and that have no scene on or after a day.

    Where nothing was found at all, every MGRS square of the area counts.
    """
    newest = coverage.newest(found.scenes)
    needed = grid.owned_areas(geometry, newest) if newest else grid.home_squares(geometry)
    return tuple(g for g in sorted(needed) if g not in newest or newest[g].solar_day < since)
