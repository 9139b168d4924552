"""The rasters of a night: change, before, after and seen as COGs, tile by tile; one of each per UTM zone.

In: a night, and what its tasks have drawn. Out: files, and what `run.json` tells of those that may stay the same:
`before` until normals are refreshed, `change` and `after` until a look comes. One tile is in memory at a time.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pipeline import packed
from pipeline.depot import Folder
from pipeline.errors import StateError
from pipeline.grid import Tile
from pipeline.nightly import drawn, packing, readings, task, tilefile
from pipeline.nightly.packing import Sources
from pipeline.nightly.readings import Readings
from pipeline.normal import keep
from pipeline.publish import again, rasters
from pipeline.schema import Normal

log = logging.getLogger(__name__)
BEFORE, CHANGE, AFTER = "before", "change", "after"


def write(
    sources: Sources, folder: Path, *, earlier: Path | None, tiles: Mapping[str, str], read: Readings
) -> dict[str, Any]:
    """Write the rasters, and let `read` see the tiles that its alerts lie on.

    Args:
        sources: the night.
        folder: where to.
        earlier: folder of the night before, if there was one.
        tiles: key of each tile that was ever done to the file of its arrays.
        read: gathers what is told of alerts.

    Returns:
        What `again.told` says, by raster.

    Raises:
        WriteError: the disk is full, or the folder cannot be written to.
    """
    made_of = _made_of(sources, tiles)
    taken = {name: earlier and again.take(name, what, earlier, folder) for name, what in made_of.items()}
    known = {name: entry for name, entry in taken.items() if entry}
    layers = {name: layer for name, layer in rasters.LAYERS.items() if name not in known}
    answered = {answer.tile.key for answer in sources.answers}
    with rasters.Mosaics(folder, layers, sources.plan.tiles) as target:
        for tile in sources.plan.tiles:
            normal = _normal(sources, tile) if BEFORE in layers or read.wants(tile) else None
            try:
                ready = drawn.take(sources.desk.scratch, tile) if tile.key in answered else None
                values = _values(sources, (tile, tiles.get(tile.key)), ready, read, normal)
            except StateError as err:  # the tile has failed for this tonight, and says so; here it is a gap
                log.warning("%s", err)
                values = {"seen": drawn.unseen(tile)}
                made_of = {name: what for name, what in made_of.items() if name == BEFORE}
            if normal is not None:  # whatever became of the tile: it is not drawn again next night
                values = values | {BEFORE: drawn.before(tile, normal)}
            for name in layers:
                if name in values:
                    target.add(name, tile, values[name])
    return {name: known.get(name) or again.told(made_of[name], rasters.paths_of(folder, name)) for name in made_of}


def _values(
    sources: Sources,
    what: tuple[Tile, str | None],
    ready: dict[str, NDArray[Any]] | None,
    read: Readings,
    normal: Normal | None,
) -> dict[str, NDArray[Any]]:
    """What a tile shows; its arrays are read only where something is told of them, or its task has drawn nothing."""
    tile, file = what
    if file is None:
        return {"seen": drawn.unseen(tile)}
    if ready is None or read.wants(tile):
        layers = tilefile.read(sources.desk.store.arrays, file, tile.window.shape)
        read.add(tile, layers, normal)
        ready = ready or drawn.tonight(tile, layers.evidence, layers.latest, sources.desk.as_of)
    return ready


def _normal(sources: Sources, tile: Tile) -> Normal | None:
    try:
        return readings.normal_of(tile, sources.desk.store, sources.plan.anchor, sources.desk.aoi.profile)
    except StateError as err:
        log.warning("%s", err)
        return None


def _made_of(sources: Sources, tiles: Mapping[str, str]) -> dict[str, str]:
    """By raster, a fingerprint of all that it depends on: the code, the tiles, and the content of their arrays.

    Empty where arrays are in an object store: a fingerprint would cost as much as the raster, and a night in a bucket
    leaves no files here.
    """
    store, plan = sources.desk.store, sources.plan
    normals, arrays = store.normals, store.arrays
    if not (isinstance(normals, Folder) and isinstance(arrays, Folder)):
        return {}
    before = hashlib.sha256(json.dumps(packing.versions(), sort_keys=True).encode())
    others = before.copy()
    for tile in plan.tiles:
        key, file = task.normal_key(tile, plan.anchor, sources.desk.aoi.profile), tiles.get(tile.key)
        before.update(f"\0{key}\0{keep.fingerprint(normals, key)}\0".encode() + tile.area.wkb)
        others.update(f"\0{tile.key}\0{file and packed.fingerprint(arrays, file)}\0".encode() + tile.area.wkb)
    return {BEFORE: before.hexdigest(), CHANGE: others.hexdigest(), AFTER: others.hexdigest()}
