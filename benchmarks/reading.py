"""Reading: bars 1 to 3, against bare rasterio and odc-stac on the same files.

In: the granule. Out: lines. All on one thread, with GDAL's own cache at 64 MB.
"""

import random
import shutil
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import odc.stac
import pystac
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.warp import rio_reproject
from rasterio import Affine

from benchmarks import bars
from benchmarks.bars import Line
from benchmarks.material import BLOCK_PX, Material
from benchmarks.side_by_side import compare
from pipeline.config import Read
from pipeline.grid import Window
from pipeline.scenes import look, resample
from pipeline.scenes.blocks import BlockStore
from pipeline.sensors import BANDS, SENTINEL2

HALO_PX = 138
"""What a look sees around its tile: the network's halo, residual clouds, dilation, shift and upsampling."""
CACHE = {"GDAL_CACHEMAX": 64_000_000}
ADDED_DN = -1000
_COMMON = [band.common for band in SENTINEL2.bands]


def lines(material: Material, folder: Path, *, quick: bool) -> Iterator[Line]:
    """Bars 1, 2 and 3."""
    rounds, side = (3 if quick else 7), material.side_px
    with rasterio.Env(**CACHE):
        yield _bare(material, folder, side, rounds)
        yield from _odc(material, folder, side, rounds)
        yield _decoded(material, folder, side)
        yield from upsampled(material, rounds)


def _store(folder: Path) -> BlockStore:
    shutil.rmtree(folder / "blocks", ignore_errors=True)
    return BlockStore(folder / "blocks", Read())


def _bare(material: Material, folder: Path, side: int, rounds: int) -> Line:
    tiles = material.tiles(BLOCK_PX, within_px=side)
    whole, named = Window(0, 0, side, side), _files(material)

    def ours() -> None:
        store = _store(folder)
        for tile in tiles:
            for path, step in named:
                store.read(path, "", _on_file(tile.grown(HALO_PX).clipped(whole), step))

    def theirs() -> None:
        for path, _ in named:
            with rasterio.open(path) as source:
                for _, window in source.block_windows(1):
                    source.read(1, window=window)

    row = compare("read", ours, theirs, rounds=rounds)
    what = f"read stage, tiles with a halo of {HALO_PX} px / bare rasterio"
    return bars.at_most("1", what, row, bar=1.25, note=f"{side} x {side} px, six bands")


def _files(material: Material) -> list[tuple[str, int]]:
    return [(path, band.resolution_m // 10) for path, band in zip(material.files(-1), SENTINEL2.bands, strict=True)]


def _on_file(window: Window, step: int) -> Window:
    return Window(window.row // step, window.col // step, -(-window.height // step), -(-window.width // step))


def _odc(material: Material, folder: Path, side: int, rounds: int) -> Iterator[Line]:
    row = compare("load", lambda: loaded(material, folder, side), lambda: loaded_by_odc(material, side), rounds=rounds)
    what = "six bands to 10 m float32 reflectance / odc-stac, bilinear"
    yield bars.at_least("1", what, row, bar=2, note=f"{side} x {side} px, tile by tile; odc-stac as a whole")
    ours, theirs = (_peak_mb(job, material, folder, side) for job in (loaded, loaded_by_odc))
    value = f"{ours:.0f} MB against {theirs:.0f} MB"
    yield bars.fact("1", "the same, peak memory", value, bar="<= 0.5 x", met=ours <= theirs / 2)


def loaded(material: Material, folder: Path, side: int) -> None:
    """All tiles of the corner, one after another, as a night reads them."""
    store, part = _store(folder), material.part(-1)
    for tile in material.tiles(BLOCK_PX, within_px=side):
        look.read_bands(part, ADDED_DN, material.granule, tile, store)


def loaded_by_odc(material: Material, side: int) -> NDArray[np.float32]:
    """The corner as odc-stac loads it, then to reflectance."""
    item = pystac.Item.from_dict(material.items[-1])
    corner = material.granule.transform(Window(0, 0, side, side))
    box = GeoBox((side, side), corner, f"EPSG:{material.granule.epsg}")
    found = odc.stac.load([item], bands=_COMMON, geobox=box, resampling="bilinear")
    out = np.empty((len(BANDS), side, side), np.float32)
    for index, name in enumerate(_COMMON):
        numbers = found[name].values[0]
        np.multiply(numbers.astype(np.float32) + np.float32(ADDED_DN), np.float32(1e-4), out=out[index])
        out[index][numbers == 0] = np.nan
    return out


def _peak_mb(job: Callable[..., object], *args: object) -> float:
    """Of a process of its own, above what the imports take."""
    pool = get_context("spawn").Pool(1)
    with pool:
        return float(pool.apply(_measured, (job, args)))


def _measured(job: Callable[..., object], args: tuple[Any, ...]) -> float:
    before = _status_kb("VmRSS")
    job(*(args if job is loaded else (args[0], args[2])))
    return (_status_kb("VmHWM") - before) / 1024


def _status_kb(name: str) -> int:
    """Of this process; not from `getrusage`, whose peak a child takes over from its parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _decoded(material: Material, folder: Path, side: int) -> Line:
    store, part = _store(folder), material.part(-1)
    tiles = material.tiles(BLOCK_PX // 2, within_px=side)
    random.Random(1).shuffle(tiles)
    touched = set()
    for tile in tiles:
        look.read_bands(part, ADDED_DN, material.granule, tile.grown(HALO_PX), store)
    for path, step in _files(material):
        for tile in tiles:
            around = tile.grown(HALO_PX + 2).clipped(Window(0, 0, material.side_px, material.side_px))
            rows, cols = (
                range(first // step // BLOCK_PX, -(-last // step // BLOCK_PX))
                for first, last in (
                    (around.row, around.row + around.height),
                    (around.col, around.col + around.width),
                )
            )
            touched |= {(path, row, col) for row in rows for col in cols}
    share = store.stats.blocks_decoded / len(touched)
    value = f"{share:.3f} ({store.stats.blocks_decoded} / {len(touched)}; windows asked {store.stats.blocks_served})"
    what = "blocks decoded over blocks touched: halos, shuffled tiles of half a block"
    return bars.fact("2", what, value, bar="<= 1.1", met=share <= 1.1)


def upsampled(material: Material, rounds: int) -> Iterator[Line]:
    """Bar 3."""
    with rasterio.open(material.files(-1)[4]) as source:
        coarse: NDArray[np.uint16] = source.read(1, window=((0, 1024), (0, 1024)))
    epsg, fine = f"EPSG:{material.granule.epsg}", np.empty((2048, 2048), np.uint16)
    twenty = GeoBox(coarse.shape, Affine(20, 0, 300000, 0, -20, 2300040), epsg)
    ten = GeoBox(fine.shape, Affine(10, 0, 300000, 0, -10, 2300040), epsg)
    numbers = np.where(coarse == 0, np.float32(np.nan), coarse.astype(np.float32))

    def theirs() -> None:
        rio_reproject(coarse, fine, twenty, ten, resampling="bilinear", src_nodata=0, dst_nodata=0)

    row = compare("upsample", lambda: resample.doubled(numbers), theirs, rounds=rounds)
    yield bars.at_least("3", "20 m to 10 m / odc's bilinear warp", row, bar=5)
    inner = np.s_[2:-2, 2:-2]
    apart = np.nanmax(np.abs(resample.doubled(numbers)[inner] - fine[inner].astype(np.float32)))
    yield bars.fact("3", "the same, largest difference inside", f"{apart:.2f} DN", bar="<= 1 DN", met=bool(apart <= 1))
