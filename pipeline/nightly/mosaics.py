"""The rasters of a night: change, before, after and seen as COGs, tile by tile; one of each per UTM zone.

In: a night, and what its tasks have drawn. Out: files, and what `run.json` tells of those that stay the same for many
nights. One tile is in memory at a time.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pipeline.depot import Folder
from pipeline.errors import StateError
from pipeline.grid import Tile
from pipeline.nightly import drawn, packing, readings, task
from pipeline.nightly.packing import Sources
from pipeline.nightly.readings import Readings
from pipeline.normal import keep
from pipeline.publish import again, rasters
from pipeline.schema import Normal

log = logging.getLogger(__name__)
BEFORE = "before"


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
    made_of = _made_of(sources)
    known = again.take(BEFORE, made_of, earlier, folder) if earlier and made_of else None
    layers = {name: layer for name, layer in rasters.LAYERS.items() if known is None or name != BEFORE}
    answered = {answer.tile.key for answer in sources.answers}
    with rasters.Mosaics(folder, layers, sources.plan.tiles) as target:
        for tile in sources.plan.tiles:
            normal = _normal(sources, tile) if known is None or read.wants(tile) else None
            try:
                ready = drawn.take(sources.desk.scratch, tile) if tile.key in answered else None
                values = _values(sources, (tile, tiles.get(tile.key)), ready, read, normal)
            except StateError as err:  # the tile has failed for this tonight, and says so; here it is a gap
                log.warning("%s", err)
                values = {"seen": drawn.unseen(tile)}
            if normal is not None and known is None:  # whatever became of the tile: it is not drawn again next night
                values = values | {BEFORE: drawn.before(tile, normal)}
            for name, layer in values.items():
                target.add(name, tile, layer)
    if not made_of:
        return {}
    return {BEFORE: known or again.told(made_of, rasters.paths_of(folder, BEFORE))}


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
        layers = task.read_layers(sources.desk.store.arrays, file, tile.window.shape)
        read.add(tile, layers, normal)
        ready = ready or drawn.tonight(tile, layers.evidence, layers.latest, sources.desk.as_of)
    return ready


def _normal(sources: Sources, tile: Tile) -> Normal | None:
    try:
        return readings.normal_of(tile, sources.desk.store, sources.plan.anchor, sources.desk.aoi.profile)
    except StateError as err:
        log.warning("%s", err)
        return None


def _made_of(sources: Sources) -> str:
    """Fingerprint of all that `before.tif` depends on: the code, the tiles, and the content of their normals.

    Empty where normals are in an object store: a fingerprint would cost as much as the raster, and a night in a bucket
    leaves no files here.
    """
    store, plan = sources.desk.store.normals, sources.plan
    if not isinstance(store, Folder):
        return ""
    digest = hashlib.sha256(json.dumps(packing.versions(), sort_keys=True).encode())
    for tile in plan.tiles:
        key = task.normal_key(tile, plan.anchor, sources.desk.aoi.profile)
        digest.update(f"\0{key}\0{keep.fingerprint(store, key)}\0".encode() + tile.area.wkb)
    return digest.hexdigest()
