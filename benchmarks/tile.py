"""One task by itself: what a tile of 1024 px costs on its first night and on a night after, and the driver for it.

In: a folder. Out: figures. Scenes' files are written as public catalogues lay them out (COG, deflate, blocks of
1024 px at 10 m), of noise like a sensor's over forest, so that they compress like real ones. CPU seconds of one thread
are counted, so that what else the machine does hardly matters.
"""

import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import rasterio
from shapely.geometry import box

from pipeline import config, grid
from pipeline.depot import Folder
from pipeline.grid import Tile, Window
from pipeline.nightly import drawn, state, task, tilefile
from pipeline.nightly.task import TileJob
from pipeline.normal import keep
from pipeline.publish import rasters
from pipeline.scenes import kept
from pipeline.scenes.blocks import BlockStore
from pipeline.schema import Asset, Inspected, Offset, Part, Scene, Shift

GRANULE = grid.granule("44QME")
AS_OF = date(2026, 5, 1)
SIDE, BLOCK = 3072, 1024
SHARP = {"B02": 300, "B03": 500, "B04": 350, "B08": 2800}
COARSE = {"B11": 1600, "B12": 750, "SCL": 0}
"""Typical digital numbers over forest; 20 m."""
HISTORY = 4
"""Looks of the first night's normal; a profile takes up to `max_looks`, and the cost of a look is the same."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured."""

    look_cpu_s: float
    """One look on a night after: the task with it less the task without it."""
    spare_cpu_s: float
    """A task without a look: arrays and normal are read, and marks made."""
    history_cpu_s: float
    """Each look of the history, read and built into the normal."""
    driver_cpu_s: float
    """What the driver does for each tile, one after another: puts what its task has drawn into the rasters."""
    blocks_mb: float
    """Compressed bytes of the blocks that one look touches, halo included."""
    arrays_mb: float
    """Kept of a tile after its first look; its last twelve looks add less each."""
    normal_mb: float
    rasters_mb: float
    """Published of a tile, each night."""


def measure(folder: Path) -> Figures:
    """Run the task three times: with a history, without a new look, and with one."""
    past = tuple(_scene(folder, number) for number in range(HISTORY))
    new = _scene(folder, HISTORY)
    corner = Window(SIDE, SIDE, SIDE, SIDE)
    window = Window(corner.row + BLOCK, corner.col + BLOCK, BLOCK, BLOCK)
    job = TileJob(
        tile=Tile(GRANULE, window, box(*GRANULE.window_bounds(window))),
        profile=config.Profile(title="benchmark", use="research", search=config.Search(catalogs=("none",))),
        as_of=AS_OF,
        anchor=AS_OF,
        history=past,
        new=(),
        weights=None,
        store=state.Store(Folder(folder / "state")),
        scratch=folder / "first",
        crops=Folder(folder / "crops"),
        before="",
    )
    first_s, first = _run(job)
    store = BlockStore(folder / "after", job.profile.read)
    after = replace(job, history=(), before=first.arrays, as_of=AS_OF + timedelta(days=1))
    look_s, answer = _run(replace(after, new=(new,), scratch=store.folder))
    spare_s, _ = _run(replace(after, scratch=folder / "spare"))
    driver_s, rasters_mb = _driver(job, answer.arrays, folder / "night")
    touched = sum(path.stat().st_size for path in store.folder.glob(f"*/*{kept.SUFFIX}"))
    squeezed = _mb(folder / f"scene{HISTORY}") / (SIDE**2 * 2 * (len(SHARP) + len(COARSE) / 4) / 1e6)
    return Figures(
        look_cpu_s=look_s - spare_s,
        spare_cpu_s=spare_s,
        history_cpu_s=(first_s - spare_s) / HISTORY,
        driver_cpu_s=driver_s,
        blocks_mb=touched / 1e6 * squeezed,
        arrays_mb=(folder / "state" / "arrays" / answer.arrays).stat().st_size / 1e6,
        normal_mb=_mb(folder / "state" / "normals"),
        rasters_mb=rasters_mb,
    )


def _driver(job: TileJob, arrays: str, folder: Path) -> tuple[float, float]:
    """CPU seconds and megabytes of the rasters of one tile, as they are written when a night is published."""
    folder.mkdir()
    known = tilefile.read(job.store.arrays, arrays)
    normal = keep.load(job.store.normals, task.normal_key(job.tile, job.anchor, job.profile))
    if normal is None:
        raise RuntimeError("the normal has not been kept")
    layers = drawn.tonight(job.tile, known.evidence, known.latest, job.as_of)  # in the tile's own task
    before = drawn.before(job.tile, normal.cropped(job.tile.window))
    started = time.process_time()
    with rasters.Mosaics(folder, rasters.LAYERS, [job.tile]) as mosaics:
        for name, values in (layers | {"before": before}).items():
            mosaics.add(name, job.tile, values)
    return time.process_time() - started, _mb(folder)


def _run(job: TileJob) -> tuple[float, task.TileAnswer]:
    started = time.process_time()
    answer = task.run(job)
    return time.process_time() - started, answer


def _scene(folder: Path, number: int) -> Inspected:
    here, rng = folder / f"scene{number}", np.random.default_rng(number)
    here.mkdir(parents=True)
    sides = [(SHARP, SIDE), (COARSE, SIDE // 2)]
    assets = tuple(
        (band, _write(here / f"{band}.tif", side, level, rng)) for bands, side in sides for band, level in bands.items()
    )
    part = Part(here.name, "test", "sentinel-2-l2a", "", "02.00", None, None, assets)
    sensed = datetime(2026, 4, 1 + number, 5, tzinfo=UTC)
    scene = Scene(here.name, "", GRANULE, sensed, None, None, None, (part,), (here.name,))
    return Inspected(scene, (Offset(0, "baseline", ""),), Shift(0.0, 0.0, False, ""))


def _write(path: Path, side: int, level: int, rng: np.random.Generator) -> Asset:
    step = SIDE // side
    corner = (GRANULE.left_m + 10 * SIDE, GRANULE.top_m - 10 * SIDE)
    place = rasterio.Affine(10 * step, 0, corner[0], 0, -10 * step, corner[1])
    values = np.full((side, side), 4, np.uint16)
    if level:
        values = np.clip(rng.normal(level, 20 + level / 25, (side, side)), 1, None).astype(np.uint16)
    profile = {"driver": "COG", "blocksize": BLOCK, "overviews": "NONE", "nodata": 0, "dtype": "uint16", "count": 1}
    profile |= {"compress": "DEFLATE", "predictor": "YES"}
    with rasterio.open(path, "w", height=side, width=side, crs=f"EPSG:{GRANULE.epsg}", transform=place, **profile) as f:
        f.write(values, 1)
    return Asset(str(path))


def _mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
