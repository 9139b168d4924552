"""The parts of a night against the plain alternative, side by side.

In: a folder to work in. Out: rows. Data are simulated; random noise stands for what cannot be compressed.
"""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from benchmarks import network
from benchmarks.side_by_side import Row, compare
from pipeline import grid
from pipeline.config import NormalRules, Read
from pipeline.grid import Window
from pipeline.normal import composite
from pipeline.scenes import resample
from pipeline.scenes.blocks import BlockStore
from pipeline.schema import Look, Scene, look_pixels

GRANULE = grid.granule("44QME")


def rows(folder: Path) -> list[Row]:
    """All comparisons."""
    return [read(folder), median(), upsample(), *network.rows()]


def read(folder: Path) -> Row:
    """Every block of a COG through the block store, against bare rasterio on the same blocks."""
    path = folder / "band.tif"
    values = np.random.default_rng(1).integers(300, 4000, (4096, 4096)).astype(np.uint16)
    with rasterio.open(
        path,
        "w",
        driver="COG",
        dtype="uint16",
        count=1,
        height=4096,
        width=4096,
        crs="EPSG:32644",
        transform=GRANULE.transform(Window(0, 0, 1, 1)),
        blocksize=1024,
        compress="DEFLATE",
        predictor="YES",
        nodata=0,
    ) as target:
        target.write(values, 1)
    number = iter(range(1000))

    def ours() -> object:
        store = BlockStore(folder / f"blocks{next(number)}", Read())
        return [store.read(str(path), "", window) for window in _windows(32)]

    def theirs() -> object:
        with rasterio.open(path) as source:
            return [source.read(1, window=((w.row, w.row + 1024), (w.col, w.col + 1024))) for w in _windows(0)]

    return compare("read: each block once, halo of 32 px  /  bare rasterio, no halo", ours, theirs)


def _windows(halo: int) -> list[Window]:
    whole = Window(0, 0, 4096, 4096)
    return [
        Window(r, c, 1024, 1024).grown(halo).clipped(whole) for r in range(0, 4096, 1024) for c in range(0, 4096, 1024)
    ]


def median() -> Row:
    """Normal of 12 looks, a third of their pixels missing, against numpy's nanmedian of the same stack, twice."""
    window, anchor = Window(0, 0, 512, 512), date(2026, 5, 1)
    looks = [_look(index, window) for index in range(12)]
    stack = np.stack([look.reflectance for look in looks])

    def ours() -> object:
        return composite.build(looks, granule=GRANULE, window=window, anchor=anchor, rules=NormalRules())

    def theirs() -> object:
        middle = np.nanmedian(stack, axis=0)
        return middle, np.nanmedian(np.abs(stack - middle), axis=0)

    return compare("normal of 12 looks with spread  /  numpy nanmedian and MAD", ours, theirs)


def _look(index: int, window: Window) -> Look:
    rng = np.random.default_rng(index)
    values: NDArray[np.float32] = rng.normal(0.1, 0.01, (6, *window.shape)).astype(np.float32)
    missing = rng.random(window.shape) < 1 / 3
    values[:, missing] = np.nan
    sensed = datetime(2025, 5, 1 + index, 5, tzinfo=UTC)
    scene = Scene(f"s{index}", "", GRANULE, sensed, None, None, 10.0, (), ())
    return Look(scene, window, look_pixels(values, missing.astype(np.uint8), GRANULE, window))


def upsample() -> Row:
    """20 m to 10 m, against rasterio's bilinear warp."""
    from rasterio.warp import Resampling, reproject

    coarse = np.random.default_rng(1).random((1024, 1024), dtype=np.float32)
    target = np.empty((2048, 2048), np.float32)
    crs = "EPSG:32644"

    def theirs() -> object:
        return reproject(
            coarse,
            target,
            src_transform=rasterio.Affine(20, 0, 0, 0, -20, 0),
            src_crs=crs,
            dst_transform=rasterio.Affine(10, 0, 0, 0, -10, 0),
            dst_crs=crs,
            resampling=Resampling.bilinear,
        )

    return compare("20 m to 10 m  /  GDAL's bilinear warp", lambda: resample.doubled(coarse), theirs)
