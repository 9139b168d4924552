"""What a tile shows in the rasters of a night, drawn by its task while it has everything in memory.

In: a tile's evidence, latest pixels and normal. Out: arrays for `rasters.LAYERS`, and files of them in the night's
scratch folder until the driver has put them into place. Knows no mosaics.
"""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.detect import evidence
from pipeline.detect.evidence import Evidence
from pipeline.grid import Tile
from pipeline.nightly import latest
from pipeline.nightly.latest import Latest
from pipeline.publish import rasters
from pipeline.schema import Normal, Reason

NAMES = ("change", "after", "seen")
"""The rasters that may change from night to night."""


def tonight(tile: Tile, known: Evidence, newest: Latest, as_of: date) -> dict[str, NDArray[Any]]:
    """What a tile shows in the rasters `NAMES`; (band, y, x) of each."""
    outside = ~tile.owned()
    change = np.where(outside, np.float32(np.nan), evidence.latest_probability(known))
    days = evidence.to_day(as_of) - newest.after_day.astype(np.int32)
    seen = np.stack([np.where(newest.after_day == 0, rasters.NEVER, days), newest.blind]).astype(np.uint16)
    return {
        "change": change,
        "after": np.where(outside, np.uint16(0), newest.after),
        "seen": np.where(outside, np.uint16(rasters.OUTSIDE), seen),
    }


def before(tile: Tile, normal: Normal) -> NDArray[np.uint16]:
    """(band, y, x) uint16: what a tile shows in the raster `before`."""
    return np.where(tile.owned(), latest.digital(normal.median), np.uint16(0))


def unseen(tile: Tile) -> NDArray[np.uint16]:
    """(band, y, x) uint16: layer `seen` of a tile that has failed ever since its first night."""
    never = np.array([rasters.NEVER, Reason.FAILED], np.uint16)[:, None, None]
    return np.where(tile.owned(), never, np.uint16(rasters.OUTSIDE)).astype(np.uint16)


def put(scratch: Path, tile: Tile, arrays: dict[str, NDArray[Any]]) -> None:
    """Leave what a task has drawn in a scratch folder that it shares with the driver."""
    for name, values in arrays.items():
        path = _path(scratch, tile, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, values)


def take(scratch: Path, tile: Tile) -> dict[str, NDArray[Any]] | None:
    """What `put` has left, which goes; None if nothing was: the task ran elsewhere."""
    paths = {name: _path(scratch, tile, name) for name in NAMES}
    if not all(path.exists() for path in paths.values()):
        return None
    found: dict[str, NDArray[Any]] = {name: np.load(path) for name, path in paths.items()}
    for path in paths.values():
        path.unlink()
    return found


def _path(scratch: Path, tile: Tile, name: str) -> Path:
    return scratch / "drawn" / f"{tile.key}.{name}.npy"
