"""Pictures: what a place looked like before and after, small enough for a tip or a page.

In: `before.tif` and `after.tif` of a night. Out: JPEG files and the stretch that made them. Knows no alerts but by
shape.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import Resampling
from rasterio.windows import Window as FileWindow

from pipeline import grid
from pipeline.grid import RESOLUTION_M, Window
from pipeline.publish import rasters
from pipeline.schema import Detection
from pipeline.sensors import BANDS

COMPOSITES = {"true": ("B04", "B03", "B02"), "swir": ("B12", "B08", "B04")}
"""Bands shown as red, green and blue: true colour, and short-wave infrared, near infrared and red."""
GAMMA = 1.3
_SAMPLE_PX = 512
_CHIP_PX = 192
"""Largest side of a chip; larger places are drawn coarser."""
_LEAST_M = 640.0
"""Smallest side of a chip: enough of the surroundings to recognise the place."""
_SPAN = 1.6
"""Side of a chip by size of the shape."""
_PERCENTILES = (1.0, 99.0)
_LEAST_RANGE = 0.04
_QUALITY = 88
Limits = tuple[tuple[float, float], ...]
"""Darkest and brightest reflectance per colour."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A square of ground around a shape, in the UTM zone that its rasters are in."""

    epsg: int
    bounds: tuple[float, float, float, float]
    """(west, south, east, north) in metres."""
    pixels: Mapping[tuple[str, str], bytes]
    """(before or after, composite) to a JPEG."""


def indices(composite: str) -> tuple[int, ...]:
    """The file's band numbers of a composite, from 1."""
    return tuple(BANDS.index(name) + 1 for name in COMPOSITES[composite])


def limits(folder: Path) -> dict[str, Limits]:
    """One stretch per composite for the whole night, so that before and after can be compared."""
    samples = [_sample(path) for name in ("before", "after") for path in rasters.paths_of(folder, name)]
    found: dict[str, Limits] = {}
    for composite in COMPOSITES:
        bands = [index - 1 for index in indices(composite)]
        values = (
            np.concatenate([sample[bands].reshape(3, -1) for sample in samples], axis=1)
            if samples
            else np.empty((3, 0))
        )
        found[composite] = tuple(_range(row[row > 0]) for row in values)
    return found


def chip(folder: Path, found: Detection, stretch: Mapping[str, Limits]) -> Chip:
    """Cut the surroundings of a detection out of the rasters of a night.

    Args:
        folder: of the night.
        found: what to show.
        stretch: from `limits`.

    Returns:
        Pictures of the same ground; black where nothing was ever seen.
    """
    epsg = grid.granule(found.mgrs).epsg
    west, south, east, north = grid.reproject(found.geometry, 4326, epsg).bounds
    side = max(_LEAST_M, _SPAN * max(east - west, north - south))
    half = round(side / 2 / RESOLUTION_M) * RESOLUTION_M
    x, y = (round(value / RESOLUTION_M) * RESOLUTION_M for value in ((west + east) / 2, (south + north) / 2))
    bounds = (x - half, y - half, x + half, y + half)
    pixels: dict[tuple[str, str], bytes] = {}
    for name in ("before", "after"):
        path = _raster(folder, name, epsg)
        values = _cut(path, bounds) if path else np.zeros((len(BANDS), 2, 2), np.float32)
        for composite, ranges in stretch.items():
            pixels[name, composite] = jpeg(values[[index - 1 for index in indices(composite)]], ranges)
    return Chip(epsg, bounds, pixels)


def jpeg(values: NDArray[np.float32], ranges: Limits) -> bytes:
    """(3, y, x) reflectance as a JPEG; 0 or less is black."""
    low, high = (np.array(edge, np.float32)[:, None, None] for edge in zip(*ranges, strict=True))
    shown = np.clip((values - low) / (high - low), 0, 1) ** np.float32(1 / GAMMA)
    shown[:, (values <= 0).all(axis=0)] = 0
    buffer = io.BytesIO()
    image = Image.fromarray(np.moveaxis((shown * 255 + 0.5).astype(np.uint8), 0, -1))
    image.save(buffer, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return buffer.getvalue()


def _raster(folder: Path, name: str, epsg: int) -> Path | None:
    """The raster of a UTM zone."""
    for path in rasters.paths_of(folder, name):
        with rasterio.open(path) as source:
            if source.crs.to_epsg() == epsg:
                return path
    return None


def _cut(path: Path, bounds: tuple[float, float, float, float]) -> NDArray[np.float32]:
    """(band, y, x) float32 reflectance, at the most `_CHIP_PX` to a side; 0 beyond the raster."""
    west, _, east, north = bounds
    side = round((east - west) / RESOLUTION_M)
    shown = min(side, _CHIP_PX)
    with rasterio.open(path) as source:
        whole = Window(0, 0, source.height, source.width)
        row, col = (source.transform.f - north) / RESOLUTION_M, (west - source.transform.c) / RESOLUTION_M
        wanted = Window(round(row), round(col), side, side)
        part = wanted.clipped(whole)
        values = np.zeros((source.count, shown, shown), np.float32)
        if not part.empty:
            rows, cols = (
                slice(round(place.start * shown / side), max(1, round(place.stop * shown / side)))
                for place in part.within(wanted)
            )
            values[:, rows, cols] = source.read(
                window=FileWindow(part.col, part.row, part.width, part.height),
                out_shape=(source.count, rows.stop - rows.start, cols.stop - cols.start),
                resampling=Resampling.average if shown < side else Resampling.nearest,
            )
        return values * np.float32(source.scales[0])


def _sample(path: Path) -> NDArray[np.float32]:
    with rasterio.open(path) as source:
        step = max(1.0, max(source.shape) / _SAMPLE_PX)
        shape = (source.count, max(1, round(source.height / step)), max(1, round(source.width / step)))
        digital: NDArray[np.uint16] = source.read(out_shape=shape)
        return digital.astype(np.float32) * np.float32(source.scales[0])


def _range(values: NDArray[np.float32]) -> tuple[float, float]:
    if not values.size:
        return 0.0, 0.3
    low, high = (round(float(edge), 4) for edge in np.percentile(values, _PERCENTILES))
    return low, round(max(high, low + _LEAST_RANGE), 4)
