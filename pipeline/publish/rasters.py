"""Rasters: arrays of tiles to cloud-optimised GeoTIFFs that cover an AOI, one per UTM zone.

In: tiles and arrays. Out: COGs, the same bytes for the same arrays in any order. Knows no scenes and no alerts.

All granules of a zone lie on one 10 m lattice, so tiles are put into place and never resampled. A mosaic grows in a
sparse file beside its place, tile by tile, and is copied to a COG at the end: memory does not grow with the AOI.
"""

import math
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.windows import Window as FileWindow

from pipeline.grid import RESOLUTION_M, Tile
from pipeline.publish import cogs
from pipeline.publish.cogs import Layer
from pipeline.schema import KINDS
from pipeline.sensors import BANDS

_MARK = ".part.tif"

OUTSIDE, NEVER = 65535, 65534
"""Values of `seen.tif`: outside the AOI, and never seen clearly."""
CHANGE = Layer("float32", math.nan, KINDS)
_SHOWN_AS = {"B02": ColorInterp.blue, "B03": ColorInterp.green, "B04": ColorInterp.red}
PIXELS = Layer(
    "uint16", 0, BANDS, scale=1e-4, colours=tuple(_SHOWN_AS.get(band, ColorInterp.undefined) for band in BANDS)
)
"""`before.tif` and `after.tif`; shown in true colour by programs that are given the files alone."""
SEEN = Layer("uint16", OUTSIDE, ("days since the last clear look", "why the latest look saw nothing"))
LAYERS = {"change": CHANGE, "before": PIXELS, "after": PIXELS, "seen": SEEN}
"""The rasters of a night."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The rectangle of the 10 m lattice of one UTM zone that holds the AOI's part in it."""

    epsg: int
    left_m: int
    top_m: int
    height: int
    width: int

    @property
    def transform(self) -> Affine:
        """Pixel (column, row) to metres."""
        return Affine(RESOLUTION_M, 0, self.left_m, 0, -RESOLUTION_M, self.top_m)


def frames(tiles: Iterable[Tile]) -> tuple[Frame, ...]:
    """The frame of each UTM zone of an AOI, the zone with the largest part first."""
    zones: dict[int, list[Tile]] = {}
    for tile in tiles:
        zones.setdefault(tile.granule.epsg, []).append(tile)
    ranked = sorted(zones.items(), key=lambda zone: (-round(sum(tile.area.area for tile in zone[1])), zone[0]))
    return tuple(_frame(epsg, members) for epsg, members in ranked)


def _frame(epsg: int, tiles: list[Tile]) -> Frame:
    """Snapped outwards to whole pixels; a hair's breadth of rounding adds none."""
    bounds = np.array([tile.area.bounds for tile in tiles]) / RESOLUTION_M
    west, south = (math.floor(round(value, 3)) for value in bounds[:, :2].min(axis=0))
    east, north = (math.ceil(round(value, 3)) for value in bounds[:, 2:].max(axis=0))
    return Frame(epsg, west * RESOLUTION_M, north * RESOLUTION_M, north - south, east - west)


def file_name(name: str, frame: Frame, main: Frame) -> str:
    """`change.tif` in the main zone of an AOI, `change_32643.tif` in others."""
    return f"{name}.tif" if frame == main else f"{name}_{frame.epsg}.tif"


def paths_of(folder: Path, name: str) -> tuple[Path, ...]:
    """The rasters of one name in a night's folder, one per UTM zone, the main zone first."""
    return (*sorted(folder.glob(f"{name}.tif")), *sorted(folder.glob(f"{name}_[0-9]*.tif")))


class Mosaics:
    """The rasters of one AOI and night; used with `with`, and written when that ends without an error."""

    def __init__(self, folder: Path, layers: Mapping[str, Layer], tiles: Iterable[Tile]) -> None:
        """Prepare.

        Args:
            folder: where the rasters go; must exist.
            layers: name of each raster to what it holds.
            tiles: all tiles of the AOI, also those without arrays: they give the extent.
        """
        self._folder, self._layers = folder, dict(layers)
        self._frames = frames(tiles)
        self._stack = ExitStack()
        self._open: dict[tuple[str, int], Any] = {}

    def __enter__(self) -> Self:
        with cogs.telling(self._folder):
            for name, layer in self._layers.items():
                for frame in self._frames:
                    path = self._folder / (file_name(name, frame, self._frames[0]) + _MARK)
                    self._open[name, frame.epsg] = self._stack.enter_context(_create(path, layer, frame))
        return self

    def add(self, name: str, tile: Tile, values: NDArray[Any]) -> None:
        """Put a tile into place; where it holds no data, what is there stays.

        Args:
            name: of the raster.
            tile: gives the place.
            values: (band, y, x) on `tile.window`, in the layer's type.

        Raises:
            ValueError: the array does not fit the layer or the tile.
        """
        layer = self._layers[name]
        if values.shape != (len(layer.descriptions), *tile.window.shape) or values.dtype != layer.dtype:
            raise ValueError(
                f"{name}, tile {tile.key}: expected {layer.dtype} of {(len(layer.descriptions), *tile.window.shape)}, "
                f"got {values.dtype} of {values.shape}"
            )
        frame = next(frame for frame in self._frames if frame.epsg == tile.granule.epsg)
        west, _, _, north = tile.granule.window_bounds(tile.window)
        row, col = round((frame.top_m - north) / RESOLUTION_M), round((west - frame.left_m) / RESOLUTION_M)
        rows = slice(max(0, -row), min(tile.window.height, frame.height - row))
        cols = slice(max(0, -col), min(tile.window.width, frame.width - col))
        part = values[:, rows, cols]
        known = ~_missing(part, layer)
        if known.any():
            target = self._open[name, frame.epsg]
            place = FileWindow(col + cols.start, row + rows.start, part.shape[2], part.shape[1])
            with cogs.telling(self._folder):
                whole = part if known.all() else np.where(known, part, target.read(window=place))
                target.write(whole, window=place)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with cogs.telling(self._folder):
                self._stack.close()
                for (name, _), dataset in self._open.items() if kind is None else ():
                    cogs.finish(Path(dataset.name), Path(dataset.name.removesuffix(_MARK)), self._layers[name])
        finally:
            for dataset in self._open.values():
                Path(dataset.name).unlink(missing_ok=True)


def write_change(path: Path, probability: NDArray[np.float32], *, epsg: int, transform: Affine) -> None:
    """Write one array of probabilities as a COG.

    Args:
        path: of the file.
        probability: (kind, y, x) float32, NaN not observed.
        epsg: CRS of the array.
        transform: pixel (column, row) to that CRS.
    """
    part = path.with_name(path.name + _MARK)
    try:
        with cogs.telling(path):
            with cogs.create(part, CHANGE, probability.shape[1:], epsg=epsg, transform=transform) as target:
                target.write(probability)
            cogs.finish(part, path, CHANGE)
    finally:
        part.unlink(missing_ok=True)


def _missing(values: NDArray[Any], layer: Layer) -> NDArray[np.bool_]:
    missing: NDArray[np.bool_] = np.isnan(values) if math.isnan(layer.nodata) else values == layer.nodata
    return missing


def _create(path: Path, layer: Layer, frame: Frame) -> Any:
    return cogs.create(path, layer, (frame.height, frame.width), epsg=frame.epsg, transform=frame.transform)
