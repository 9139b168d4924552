"""STAC Collections: the nights of each AOI, and one catalogue over them.

In: the items in the folders of nights. Out: `out/catalog.json` and `out/collections/<aoi>/collection.json`, with
relative links. They lie outside the nights, which are swapped in whole, and are made anew from what lies there.
"""

import json
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pystac
from shapely.geometry import box

from pipeline import disk
from pipeline.publish import geojson, items, rasters

_NOTICE = "https://sentinels.copernicus.eu/documents/247904/690755/Sentinel_Data_Legal_Notice"
_ABOUT = "An alert is a lead for a person to check, never a finding."


def write(out: Path) -> None:
    """Write the collections and the catalogue anew from the nights that lie in a folder.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    nights: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for path in sorted(out.glob(f"[0-9]*/*/{items.FOLDER}/*.json"), key=lambda path: (path.parent, path.stem)):
        found = _read(path)
        if found is not None:
            nights.setdefault(found["collection"], []).append((path.relative_to(out).as_posix(), found))
    catalog = pystac.Catalog("vanwatch", f"What each AOI's nights have found. {_ABOUT}", "Vanwatch")
    catalog.add_link(pystac.Link("root", "./catalog.json", "application/json"))
    for aoi, members in sorted(nights.items()):
        made = _collection(aoi, members)
        place = f"{items.COLLECTIONS}/{aoi}/collection.json"
        with disk.whole(out / place) as handle:
            handle.write(items.text(made))
        catalog.add_link(pystac.Link("child", f"./{place}", "application/json", made.title))
    with disk.whole(out / "catalog.json") as handle:
        handle.write(items.text(catalog))
    _forget(out / items.COLLECTIONS, nights)


def _forget(folder: Path, known: Collection[str]) -> None:
    """Remove the collections of AOIs of which no night is left."""
    with disk.writing(folder):
        for path in sorted(folder.glob("*/collection.json")):
            if path.parent.name not in known:
                path.unlink()
                with suppress(OSError):  # somebody keeps a file of theirs there
                    path.parent.rmdir()


def _read(path: Path) -> dict[str, Any] | None:
    """An item of the AOI in whose folder it lies; None where the file is something else."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        datetime.fromisoformat(found["properties"]["datetime"])
        return found if found["collection"] == path.parent.parent.name and len(found["bbox"]) == 4 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _collection(aoi: str, members: list[tuple[str, dict[str, Any]]]) -> pystac.Collection:
    properties = [found["properties"] for _, found in members]
    name = properties[-1]["title"].rsplit(", night of ", 1)[0]
    times = [datetime.fromisoformat(each[key]) for each in properties for key in ("start_datetime", "datetime")]
    made = pystac.Collection(
        id=aoi,
        title=name,
        description=f"Change alerts of {name}, night by night. {_ABOUT}",
        extent=pystac.Extent(
            pystac.SpatialExtent([_bounds([found["bbox"] for _, found in members])]),
            pystac.TemporalExtent([[min(times), max(times)]]),
        ),
        license="other",
        keywords=["change detection", "Sentinel-2", "forest"],
        providers=[
            pystac.Provider("Copernicus Sentinel-2", "Source pixels", [pystac.ProviderRole.PRODUCER]),
            pystac.Provider("Vanwatch", "Change alerts", [pystac.ProviderRole.PROCESSOR]),
        ],
    )
    made.extra_fields["item_assets"] = {
        key: {"title": items.TITLES[key], "type": pystac.MediaType.COG, "roles": ["data"], "bands": items.bands(key)}
        for key in rasters.LAYERS
    }
    made.add_link(pystac.Link("license", _NOTICE, title="Terms of Copernicus Sentinel data"))
    made.add_link(pystac.Link("root", "../../catalog.json", "application/json"))
    made.add_link(pystac.Link("parent", "../../catalog.json", "application/json"))
    for place, found in members:
        made.add_link(pystac.Link("item", f"../../{place}", "application/geo+json", found["properties"]["title"]))
    return made


def _bounds(boxes: list[list[float]]) -> list[float]:
    """One box around boxes (west, south, east, north), of which some may cross the antimeridian."""
    parts = []
    for west, south, east, north in boxes:
        spans = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
        parts += [box(left, south, right, north) for left, right in spans]
    return geojson.bounds(parts)
