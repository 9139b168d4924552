"""STAC Items: what a night of one AOI has written, for programs that read STAC.

In: a night's facts and the tiles that give its rasters their places. Out: `items/*.json` with relative links, the same
bytes for the same night. Knows no pixels and no state.

One item for the main UTM zone of an AOI, with everything of the night, and one of rasters alone for each other zone:
the rasters of an item lie on one grid. Sources: STAC 1.1.0; extensions projection 2.0.0, raster 1.1.0 and processing
1.1.0. The network is named and not described: extension mlm is for items of models.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pystac
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import NoDataStrings, RasterBand, RasterExtension, Sampling

from pipeline import disk, grid
from pipeline.grid import RESOLUTION_M, Tile
from pipeline.publish import geojson, rasters
from pipeline.publish.cogs import Layer
from pipeline.publish.rasters import Frame
from pipeline.schema import KINDS
from pipeline.sensors import BANDS

FOLDER = "items"
PROCESSING = "https://stac-extensions.github.io/processing/v1.1.0/schema.json"
COLLECTIONS = "collections"
"""Folder of the collections, beside the nights."""
_UP = "../../.."
"""From `items/` to the folder of all nights; the same from `latest`."""
TITLES = {
    "change": "Probability of each kind of change",
    "before": "The normal of the season, reflectance",
    "after": "The latest clear pixels, reflectance",
    "seen": "Days since the last clear look, and why the latest look saw nothing",
}
_NAMES = {"change": KINDS, "before": BANDS, "after": BANDS, "seen": ("days", "reason")}
_FILES = {
    "alerts": ("alerts.geojson", "Open alerts", "application/geo+json", "data"),
    "changes": ("changes.geojson", "What is new since the night before", "application/geo+json", "data"),
    "geopackage": ("alerts.gpkg", "Alerts, tracks, blind areas and the AOI", "application/geopackage+sqlite3", "data"),
    "context": ("context.gpkg", "What is known of the land around", "application/geopackage+sqlite3", "data"),
    "qgis": ("vanwatch.qgz", "The same as a project for QGIS, styled", "application/x-qgis-project", "visual"),
    "report": ("report.html", "The report, for people", "text/html", "report"),
    "run": ("run.json", "How the night went", "application/json", "metadata"),
}
_OPTIONAL = ("context",)
"""Not every night has them."""


def write(folder: Path, run: Mapping[str, Any], tiles: Sequence[Tile], *, model: str) -> None:
    """Write the items of a night into its folder.

    Args:
        folder: of the night.
        run: what `run.json` tells.
        tiles: all tiles of the AOI.
        model: name, version and fingerprint of the network.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    frames = rasters.frames(tiles)
    for frame in frames:
        item = _item(run, frame, main=frames[0])
        item.properties["vanwatch:model"] = model
        item.geometry, item.bbox = _footprint(frame, tiles)
        for name, layer in rasters.LAYERS.items():
            _add_raster(item, name, layer, frame, href=f"../{rasters.file_name(name, frame, frames[0])}")
        if frame == frames[0]:
            for key, (name, title, media, role) in _FILES.items():
                if key in _OPTIONAL and not (folder / name).exists():
                    continue
                item.add_asset(key, pystac.Asset(f"../{name}", title, media_type=media, roles=[role]))
        with disk.whole(folder / FOLDER / f"{item.id}.json") as handle:
            handle.write(text(item))


def text(thing: pystac.STACObject) -> bytes:
    """An item, a collection or a catalogue as a file holds it: links as they were given, none to itself."""
    values = thing.to_dict(include_self_link=False, transform_hrefs=False)
    return (json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _item(run: Mapping[str, Any], frame: Frame, *, main: Frame) -> pystac.Item:
    """Without assets and place."""
    night, name = date.fromisoformat(run["as_of"]), f"{run['aoi']}-{run['as_of']}"
    start, end = _span(run)
    item = pystac.Item(
        id=name if frame == main else f"{name}-{frame.epsg}",
        geometry=None,
        bbox=None,
        datetime=datetime(night.year, night.month, night.day, tzinfo=UTC),
        start_datetime=start,
        end_datetime=end,
        properties=_properties(run),
        collection=run["aoi"],
    )
    item.stac_extensions.append(PROCESSING)
    home = f"{_UP}/{COLLECTIONS}/{run['aoi']}/collection.json"
    item.add_links(
        [
            pystac.Link("root", f"{_UP}/catalog.json", "application/json"),
            pystac.Link("parent", home, "application/json"),
            pystac.Link("collection", home, "application/json"),
        ]
    )
    return item


def _properties(run: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": f"{run['name']}, night of {run['as_of']}",
        "processing:level": "L4",
        "processing:lineage": "Change of Sentinel-2 L2A reflectance against the normal of its season, added up over "
        "looks into alerts",
        "processing:software": {"vanwatch": run["vanwatch"]},
        "vanwatch:blind_pct": run["blind_pct"],
        "vanwatch:confirmed": run["counts"]["confirmed"],
        "vanwatch:possible": run["counts"]["possible"],
        "vanwatch:scenes": _used(run),
    }


def _used(run: Mapping[str, Any]) -> list[str]:
    return sorted(key for key, entry in run["scenes"].items() if entry["state"] in ("used", "partly"))


def _span(run: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """When tonight's scenes were sensed, first and last; the night itself where it used none."""
    times = sorted(datetime.fromisoformat(run["scenes"][key]["sensed"]) for key in _used(run))
    night = datetime.fromisoformat(run["as_of"]).replace(tzinfo=UTC)
    return (times[0], times[-1]) if times else (night, night)


def _footprint(frame: Frame, tiles: Sequence[Tile]) -> tuple[dict[str, Any], list[float]]:
    """The AOI's part in a zone, as a GeoJSON geometry, and its bounding box."""
    area = grid.union(tile.area for tile in tiles if tile.granule.epsg == frame.epsg)
    shape = geojson.neat(grid.reproject(area.simplify(RESOLUTION_M / 10), frame.epsg, 4326))
    return geojson.written(shape), geojson.bounds([shape])


def _add_raster(item: pystac.Item, name: str, layer: Layer, frame: Frame, *, href: str) -> None:
    asset = pystac.Asset(href, TITLES[name], media_type=pystac.MediaType.COG, roles=["data"])
    asset.extra_fields["bands"] = bands(name)
    item.add_asset(name, asset)
    west, north = frame.left_m, frame.top_m
    east, south = west + frame.width * RESOLUTION_M, north - frame.height * RESOLUTION_M
    ProjectionExtension.ext(asset, add_if_missing=True).apply(
        code=f"EPSG:{frame.epsg}",
        bbox=[float(value) for value in (west, south, east, north)],
        shape=[frame.height, frame.width],
        transform=[float(value) for value in tuple(frame.transform)[:6]],
    )
    band = RasterBand.create(scale=layer.scale, offset=0.0, spatial_resolution=RESOLUTION_M, sampling=Sampling.AREA)
    RasterExtension.ext(asset, add_if_missing=True).apply([band] * len(layer.descriptions))


def bands(name: str) -> list[dict[str, Any]]:
    """The bands of a raster in STAC's own words."""
    layer = rasters.LAYERS[name]
    nodata = NoDataStrings.NAN.value if layer.nodata != layer.nodata else layer.nodata
    return [
        {"name": short, "description": told, "data_type": layer.dtype, "nodata": nodata}
        for short, told in zip(_NAMES[name], layer.descriptions, strict=True)
    ]
