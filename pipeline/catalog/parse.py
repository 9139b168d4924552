"""STAC items of any catalogue that we know, turned into frozen scenes: no raw item goes further.

In: item dicts of Earth Search v0 and v1, Planetary Computer, Copernicus Data Space, stactools, or a file. Out: one
`Scene` per item, or one line that says why not. The MGRS tile gives the grid; the item's WGS84 geometry is not
looked at (D9), nor is a date trusted to tell the processing baseline (D2).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline import grid
from pipeline.catalog import assets, naming
from pipeline.catalog.assets import Raw, mapping, text
from pipeline.catalog.naming import Named
from pipeline.grid import Granule
from pipeline.schema import Asset, Part, Scene

OFFSET_SINCE = "04.00"
"""From this baseline on ESA adds 1000 to the DN. Source: Sentinel-2 products specification, baseline 04.00."""
_YEARS = range(2015, 2100)  # Sentinel-2 flies since June 2015
_COLLECTIONS = ("sentinel-2-l2a", "sentinel-2-c1-l2a", "sentinel-s2-l2a-cogs", "sentinel-s2-l2a")
_L2A = re.compile(r"_MSIL2A_|_MSI_L2A_|_L2A$")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a catalogue's items turned out to be."""

    scenes: tuple[Scene, ...]
    """One per usable item, in the items' order."""
    problems: tuple[str, ...]
    """One line per item that is no Sentinel-2 L2A or is broken."""


@dataclass(frozen=True, slots=True)
class _Source:
    """What is the same for all items of one answer."""

    catalog: str
    signer: str
    alternate: str
    folder: str


def scenes(
    items: Iterable[Any], *, catalog: str, signer: str = "", alternate: str = "", base: Path | None = None
) -> Parsed:
    """Turn STAC items into scenes.

    Args:
        items: STAC items as dicts; anything else is a problem, never a crash.
        catalog: name of the catalogue, kept with each scene.
        signer: how hrefs are signed before a read; a signature that an href carries is dropped.
        alternate: name of the STAC alternate whose hrefs are read.
        base: folder to which relative hrefs belong; None resolves them against the item's own URL.
    """
    source = _Source(catalog, signer, alternate, str(base.absolute()) if base else "")
    found: list[Scene] = []
    problems: list[str] = []
    for number, item in enumerate(items):
        try:
            found.append(_scene(mapping(item), source))
        except ValueError as err:
            name = text(mapping(item).get("id")) or f"number {number + 1}"
            problems.append(" ".join(f"{catalog}: item {name}: {err}; left out".split()))
    return Parsed(tuple(found), tuple(problems))


def _scene(item: Raw, source: _Source) -> Scene:
    properties = mapping(item.get("properties"))
    _check_product(item, properties)
    named = _named(item, properties)
    granule = _granule(item, properties, named)
    sensed = _sensed(properties)
    platform = naming.platform(text(properties.get("platform"))) or named.platform
    platform = platform or naming.platform(text(item.get("id"))[:3])
    datatake = naming.datatake(text(properties.get("s2:datatake_id"))) or named.datatake
    orbit = _orbit(properties) or named.relative_orbit
    listed = naming.instant(text(properties.get("published"))) or naming.instant(text(properties.get("created")))
    return Scene(
        scene_id=naming.scene_id(platform, granule, datatake or sensed, orbit),
        platform=platform,
        granule=granule,
        sensed=sensed,
        published=listed,
        relative_orbit=orbit,
        cloud_pct=assets.number(properties.get("eo:cloud_cover")),
        parts=(_part(item, properties, named, source),),
        item_ids=(text(item["id"]),),
        datatake=datatake,
    )


def _check_product(item: Raw, properties: Raw) -> None:
    if not text(item.get("id")):
        raise ValueError("has no id")
    kind = text(properties.get("s2:product_type")) or text(properties.get("product:type"))
    names = (item["id"], properties.get("s2:product_uri"), properties.get("sentinel:product_id"))
    told = kind == "S2MSI2A" or any(_L2A.search(text(name)) for name in names)
    if kind not in ("", "S2MSI2A") or not (told or item.get("collection") in _COLLECTIONS):
        raise ValueError(f"is no Sentinel-2 L2A but {kind or text(item.get('collection')) or 'unknown'}")


def _named(item: Raw, properties: Raw) -> Named:
    """Facts of the product's name, wherever the catalogue puts it."""
    for name in (properties.get("s2:product_uri"), properties.get("sentinel:product_id"), item["id"]):
        named = naming.product(text(name))
        if named != Named():
            return named
    return Named()


def _granule(item: Raw, properties: Raw, named: Named) -> Granule:
    name = text(properties.get("grid:code")).removeprefix("MGRS-") or text(properties.get("s2:mgrs_tile"))
    for family in ("mgrs", "sentinel"):
        zone = properties.get(f"{family}:utm_zone")
        square = text(properties.get(f"{family}:latitude_band")) + text(properties.get(f"{family}:grid_square"))
        if not name and isinstance(zone, int) and square:
            name = f"{zone:02d}{square}"
    name = name or named.tile or naming.tile(item["id"])
    if not name:
        raise ValueError("names no MGRS tile, in no property and not in its id")
    granule = grid.granule(name)
    for code in _projections(item, properties):
        if code != granule.epsg:
            raise ValueError(f"its files lie in EPSG:{code}, but tile {granule.mgrs} is in EPSG:{granule.epsg}")
    return granule


def _projections(item: Raw, properties: Raw) -> set[int]:
    """EPSG codes that the item and the files that we would read claim."""
    codes = set()
    for place in (properties, *assets.choose(item).values()):
        code = text(place.get("proj:code")).removeprefix("EPSG:")
        number = place.get("proj:epsg")
        if code.isdecimal():
            codes.add(int(code))
        elif isinstance(number, int) and number:
            codes.add(number)
    return codes


def _sensed(properties: Raw) -> datetime:
    given = text(properties.get("datetime")) or text(properties.get("start_datetime"))
    sensed = naming.instant(given)
    if sensed is None or sensed.year not in _YEARS:
        raise ValueError(f"datetime {given!r:.40} is no time at which Sentinel-2 flies")
    return sensed


def _orbit(properties: Raw) -> int | None:
    orbit = properties.get("sat:relative_orbit")
    return orbit if isinstance(orbit, int) and 1 <= orbit <= 143 else None


def _part(item: Raw, properties: Raw, named: Named, source: _Source) -> Part:
    chosen = assets.choose(item)
    if not chosen:
        raise ValueError("lists none of the files that we read; ask the catalogue for assets too")
    baseline = _baseline(item, properties, named)
    made = text(properties.get("s2:generation_time")) or text(properties.get("processing:datetime"))
    return Part(
        item_id=item["id"],
        catalog=source.catalog,
        collection=text(item.get("collection")),
        datastrip=text(properties.get("s2:datastrip_id")) or naming.datastrip(item["id"], _hrefs(item)),
        baseline=baseline,
        generated=naming.instant(made) or named.processed,
        offset_hint=_offset_hint(properties, chosen, baseline),
        assets=_files(item, chosen, source),
        signer=source.signer,
    )


def _hrefs(item: Raw) -> tuple[str, ...]:
    return tuple(text(mapping(raw).get("href")) for raw in mapping(item.get("assets")).values())


def _files(item: Raw, chosen: dict[str, Raw], source: _Source) -> tuple[tuple[str, Asset], ...]:
    links = item.get("links")
    own = [mapping(link) for link in links] if isinstance(links, list) else []
    hrefs = [text(link.get("href")) for link in own if link.get("rel") == "self"]
    place = source.folder or next((href for href in hrefs if "://" in href), "")
    return tuple(
        (band, assets.asset(raw, alternate=source.alternate, place=place, unsigned=bool(source.signer)))
        for band, raw in chosen.items()
    )


def _baseline(item: Raw, properties: Raw, named: Named) -> str:
    for key in ("s2:processing_baseline", "sentinel:processing_baseline", "processing:version"):
        told = naming.baseline(text(properties.get(key)))
        if told:
            return told
    identifiers = ("s2:datatake_id", "s2:datastrip_id", "s2:tile_id", "s2:granule_id")
    others = [naming.baseline(text(properties.get(key))) for key in identifiers]
    return named.baseline or next(filter(None, others), "") or naming.baseline(item["id"])


def _offset_hint(properties: Raw, chosen: dict[str, Raw], baseline: str) -> int | None:
    """What the catalogue says must be added; Earth Search's flag goes before its `raster:bands`, which forget it."""
    before = bool(baseline) and baseline < OFFSET_SINCE
    for key in ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied"):
        applied = properties.get(key)
        if isinstance(applied, bool):
            return 0 if applied or before else (-1000 if baseline else None)
    if before:
        return 0
    told = [assets.offset_dn(raw) for band, raw in chosen.items() if band != "SCL"]
    return told[0] if told else None
