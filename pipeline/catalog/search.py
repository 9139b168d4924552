"""Search: which scenes of an area and a period the first catalogue that answers knows.

In: an area, days, catalogues in fail-over order. Out: `Found`, with every page already read and saved. Looks at no
pixel, no clock and no cloud cover.
"""

import difflib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import shapely
from shapely import box
from shapely.geometry.base import BaseGeometry

from pipeline import config, grid
from pipeline.catalog import files, listing, merge, naming, parse
from pipeline.config import Catalog
from pipeline.errors import CatalogError, ConfigError
from pipeline.grid import Granule
from pipeline.schema import Scene

log = logging.getLogger(__name__)
DEFAULT_COLLECTION = "sentinel-2-l2a"
"""What Sentinel-2 L2A is called by Earth Search, Planetary Computer, Copernicus, and those who follow them."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found."""

    scenes: tuple[Scene, ...]
    """One per acquisition, ordered by granule and time."""
    catalog: str
    """Name of the catalogue that answered."""
    problems: tuple[str, ...]
    """One line per catalogue that failed before it, and per item that could not be used."""
    items: int
    """How many items the catalogue listed."""


def search(
    geometry: BaseGeometry,
    *,
    start: date,
    end: date,
    catalogs: Sequence[tuple[str, Catalog]],
    save_to: Path | None = None,
    as_of: date | None = None,
) -> Found:
    """Find the scenes over an area, in the first catalogue that answers completely.

    Args:
        geometry: WGS84 polygons, within -180 to 180.
        start: first solar day.
        end: last solar day, included.
        catalogs: name and catalogue, in fail-over order.
        save_to: where the listed items are saved as an ItemCollection, whole, before this returns.
        as_of: what was listed later is left out, see `listing`; None for all that is listed.

    Raises:
        CatalogError: no catalogue answered, or none with an item that is of use; the message has a line for each.
        WriteError: the list could not be saved.
    """
    problems: list[str] = []
    for name, catalog in catalogs:
        try:
            items = _items(geometry, name, catalog, (start, end))
        except CatalogError as err:
            log.warning("%s", err)
            problems.append(str(err))
            continue
        if save_to is not None:
            files.save(items, save_to)
        parsed = parse.scenes(items, catalog=name, signer=catalog.signer, alternate=catalog.asset_alternate)
        if parsed.problems:
            log.warning("%s; of %d items %d are left out", parsed.problems[0], len(items), len(parsed.problems))
        if items and not parsed.scenes:
            problems.append(
                f"catalogue {name}: none of its {len(items)} items is of use; the first: {parsed.problems[0]}"
            )
            continue
        known = parsed.scenes if as_of is None else listing.known_by(parsed.scenes, as_of)
        days = [scene for scene in known if start <= scene.solar_day <= end]
        near = touching(geometry, {scene.granule for scene in days})
        scenes = merge.merge(scene for scene in days if scene.granule in near)
        return Found(scenes, name, (*problems, *parsed.problems), len(items))
    raise CatalogError("\n".join(problems) or "no catalogue is named; add one to the profile's search.catalogs")


def touching(geometry: BaseGeometry, granules: Iterable[Granule]) -> frozenset[Granule]:
    """Those granules whose grid meets the area; compared in UTM, so that no footprint can wrap the globe (D9).

    Args:
        geometry: WGS84, within -180 to 180.
        granules: any.
    """
    homes = grid.home_squares(geometry)
    return frozenset(
        granule for granule in granules if any(_meets(home, part, granule) for home, part in homes.items())
    )


def resolve(spec: str, known: dict[str, Catalog]) -> tuple[str, Catalog]:
    """Turn what a user or a profile names into a catalogue.

    Args:
        spec: a name in `known`, the URL of a STAC API's root, or the path of an ItemCollection file.
        known: the catalogues of `configs/catalogs.toml`.

    Returns:
        Name for records and messages, and the catalogue. A URL that a known catalogue has takes over its settings.

    Raises:
        ConfigError: the name is unknown, the file does not exist, or the URL names no host.
    """
    if spec in known:
        return spec, known[spec]
    if is_url(spec):
        if not config.has_host(spec):
            raise ConfigError(f"--catalog {spec}: names no host; give the root of a STAC API, like https://host/v1")
        same = [entry for entry in known.values() if entry.url.rstrip("/") == spec.rstrip("/")]
        return spec, same[0] if same else Catalog(url=spec, collections=(DEFAULT_COLLECTION,))
    if Path(spec).is_file():
        return spec, Catalog(url=spec)
    if spec.endswith((".json", ".geojson")) or "/" in spec:
        raise ConfigError(f"--catalog {spec}: no such file; give the path of an ItemCollection, or a URL with https://")
    near = difflib.get_close_matches(spec, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known names: {', '.join(sorted(known)) or 'none'}"
    raise ConfigError(f"catalogue {spec!r} is neither in configs/catalogs.toml nor a URL nor a file; {hint}")


def is_url(spec: str) -> bool:
    """Whether a catalogue is asked over HTTP; else it is a file."""
    return spec.startswith(("http://", "https://"))


def _items(geometry: BaseGeometry, name: str, catalog: Catalog, days: tuple[date, date]) -> list[dict[str, Any]]:
    """What the catalogue lists, in an order that does not depend on its paging: preferred collections first."""
    start, end = days
    if is_url(catalog.url):
        from pipeline.catalog import pages  # heavy: only where an API is asked, while the workers are starting

        items = pages.fetch(catalog, geometry, name=name, start=start, end=end)
    else:
        items = [item for item in files.read(catalog, name=name) if _within(item, start, end)]
    order = {collection: place for place, collection in enumerate(catalog.collections)}
    return sorted(items, key=lambda item: (order.get(str(item.get("collection")), len(order)), str(item.get("id"))))


def _within(item: dict[str, Any], start: date, end: date) -> bool:
    """What an API's datetime filter would list; items without a readable time are kept, to be complained about."""
    properties = item.get("properties")
    sensed = naming.instant(str(properties.get("datetime"))) if isinstance(properties, dict) else None
    return sensed is None or start - naming.PAD <= sensed.date() <= end + naming.PAD


def _meets(home: Granule, part: BaseGeometry, granule: Granule) -> bool:
    """Whether a part of the area, in its home square's CRS, has area on a granule's grid."""
    zones = (home.epsg % 100 - granule.epsg % 100) % 60
    if min(zones, 60 - zones) > 2:  # farther, the projection is not to be trusted, and no granule reaches
        return False
    fine = part if home.epsg == granule.epsg else shapely.segmentize(part, 1000)
    return bool(grid.reproject(fine, home.epsg, granule.epsg).intersection(box(*granule.bounds)).area > 0)
