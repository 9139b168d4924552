"""One cloud-optimised GeoTIFF: created, filled by others, and copied into its place, whole or not at all.

In: shapes and arrays. Out: files. Knows no tiles.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio._err import CPLE_BaseError  # what rasterio.shutil lets through; no public module has it
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError

from pipeline.errors import WriteError

BLOCK_PX = 512
_CACHE_BYTES = 64_000_000
"""Of blocks that GDAL keeps decoded; without a limit it takes 5 % of the machine's memory."""
_LEVEL = 1
"""Of DEFLATE: noisy pixels hardly shrink more at a higher one, which takes longer."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one kind of raster holds."""

    dtype: str
    nodata: float
    descriptions: tuple[str, ...]
    """One per band."""
    scale: float = 1.0
    """Value of one digital number."""
    colours: tuple[ColorInterp, ...] = ()
    """What each band is shown as; empty for what is no picture."""


def create(path: Path, layer: Layer, shape: tuple[int, ...], *, epsg: int, transform: Affine) -> Any:
    """A sparse GeoTIFF to write into and read from."""
    target = rasterio.open(
        path,
        "w+",
        driver="GTiff",
        dtype=layer.dtype,
        nodata=layer.nodata,
        count=len(layer.descriptions),
        height=shape[0],
        width=shape[1],
        crs=f"EPSG:{epsg}",
        transform=transform,
        tiled=True,
        blockxsize=BLOCK_PX,
        blockysize=BLOCK_PX,
        sparse_ok=True,
        bigtiff="IF_SAFER",
        interleave="band",  # the copy goes band by band
    )
    target.descriptions = layer.descriptions
    target.scales = (layer.scale,) * len(layer.descriptions)
    target.offsets = (0.0,) * len(layer.descriptions)
    if layer.colours:
        target.colorinterp = layer.colours
    return target


def finish(source: Path, target: Path, layer: Layer) -> None:
    """Copy to a COG that is whole or absent. Its bytes do not depend on the number of threads.

    Args:
        source: made by `create`, closed; gains overviews. Blocks without data are left out of the copy.
        target: replaced if it is there.
        layer: what it holds.

    Raises:
        RasterioError, OSError: the disk is full or may not be written to; see `telling`.
    """
    aside = target.with_name(f"{target.name}.part")
    try:
        _add_overviews(source, layer)
        _copy(source, aside)
        _check_whole(aside)
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)


def _add_overviews(path: Path, layer: Layer) -> None:
    """Halves, down to one block; made here, unpacked, they cost less than in the copy, which packs them twice."""
    how = Resampling.average if np.dtype(layer.dtype).kind == "f" else Resampling.nearest
    with rasterio.Env(SPARSE_OK_OVERVIEW="ON"), rasterio.open(path, "r+") as dataset:
        count = max(0, math.ceil(math.log2(max(dataset.shape) / BLOCK_PX)))
        if count:
            dataset.build_overviews([2**level for level in range(1, count + 1)], how)


def _copy(source: Path, target: Path) -> None:
    rasterio.shutil.copy(
        source,
        target,
        driver="COG",
        compress="DEFLATE",
        level=_LEVEL,
        predictor="YES",
        blocksize=BLOCK_PX,
        overviews="FORCE_USE_EXISTING",
        sparse_ok=True,
        bigtiff="IF_SAFER",
        num_threads="ALL_CPUS",
    )


def _check_whole(path: Path) -> None:
    """GDAL tells nobody when the disk was full as it closed a file: then its last blocks lie beyond its end.

    Raises:
        RasterioError: a directory cannot be read, or a block lies beyond the end.
    """
    with rasterio.open(path) as dataset:
        levels = len(dataset.overviews(1))
    for level in (None, *range(levels)):
        with rasterio.open(path, **({} if level is None else {"overview_level": level})) as dataset:
            ends = [_block_end(dataset, place) for place, _ in dataset.block_windows(1)]
        if max(ends) > path.stat().st_size:
            raise RasterioError(f"{path} is cut off")


def _block_end(dataset: Any, place: tuple[int, int]) -> int:
    """Where a block ends in its file; 0 if the file leaves it out."""
    row, col = place
    told = [dataset.get_tag_item(f"BLOCK_{what}_{col}_{row}", "TIFF", bidx=1) for what in ("OFFSET", "SIZE")]
    return sum(int(number or 0) for number in told)


def frugal() -> rasterio.Env:
    """While it is entered, what GDAL keeps of rasters is bounded, whatever their size and the machine's memory."""
    return rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES)


@contextmanager
def telling(place: Path) -> Iterator[None]:
    """Tell in one line what GDAL says of a disk that is full or may not be written to.

    Raises:
        WriteError: the file cannot be written.
    """
    try:
        yield
    except (RasterioError, CPLE_BaseError, OSError) as err:
        raise WriteError(f"{place}: cannot be written ({err}); check that it may be written to and has room") from err
