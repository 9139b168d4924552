"""Pictures: what a place looked like before and after, small enough for a tip or a page.

In: `before.tif` and `after.tif` of a night. Out: JPEG files and the stretch that made them. Knows no alerts but by
shape.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from pipeline import grid
from pipeline.grid import RESOLUTION_M
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
_GREYS = (0.22, 0.33)
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
    whole: bool = True
    """False where a part was never seen, or lies outside the area: it is hatched."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle of ground and how fine it is drawn."""

    epsg: int
    bounds: tuple[float, float, float, float]
    """(west, south, east, north) in metres."""
    shape: tuple[int, int]
    """(y, x) in pixels."""


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
        Pictures of the same ground. What lies in another UTM zone is filled in from its raster; what no raster shows
        is hatched.
    """
    epsg = grid.granule(found.mgrs).epsg
    west, south, east, north = grid.reproject(found.geometry, 4326, epsg).bounds
    side = max(_LEAST_M, _SPAN * max(east - west, north - south))
    half = round(side / 2 / RESOLUTION_M) * RESOLUTION_M
    x, y = (round(value / RESOLUTION_M) * RESOLUTION_M for value in ((west + east) / 2, (south + north) / 2))
    px = min(round(2 * half / RESOLUTION_M), _CHIP_PX)
    frame = Frame(epsg, (x - half, y - half, x + half, y + half), (px, px))
    pixels: dict[tuple[str, str], bytes] = {}
    whole = True
    for name in ("before", "after"):
        values = cut(rasters.paths_of(folder, name), frame)
        whole &= bool((values > 0).any(axis=0).all())
        for composite, ranges in stretch.items():
            pixels[name, composite] = jpeg(values[[index - 1 for index in indices(composite)]], ranges, hatched=True)
    return Chip(epsg, frame.bounds, pixels, whole)


def cut(paths: Sequence[Path], frame: Frame) -> NDArray[np.float32]:
    """What the rasters of all UTM zones show of a frame; where two do, that of the frame's own zone.

    Args:
        paths: rasters of one name.
        frame: where, and how fine.

    Returns:
        (band, y, x) float32 reflectance; 0 where none of them shows anything.
    """
    whole = np.zeros((len(BANDS), *frame.shape), np.float32)
    for path in _own_first(paths, frame.epsg):
        with rasterio.open(path) as source:
            level, scale = _level(source, frame), np.float32(source.scales[0])
        with rasterio.open(path, **({} if level is None else {"overview_level": level})) as source:
            values = _warped(source, frame) * scale
        whole = np.where((whole > 0).any(axis=0), whole, values)
    return _closed(whole) if len(paths) > 1 else whole


def _closed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pixels that fell between two zones take the value beside them; what is missing at an edge stays missing."""
    around = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    left, right, above, below = around[:, 1:-1, :-2], around[:, 1:-1, 2:], around[:, :-2, 1:-1], around[:, 2:, 1:-1]
    for one, other in ((left, right), (above, below)):
        gap = ~(values > 0).any(axis=0) & (one > 0).any(axis=0) & (other > 0).any(axis=0)
        values = np.where(gap, one, values)
    return values


def _own_first(paths: Sequence[Path], epsg: int) -> list[Path]:
    zones = {}
    for path in paths:
        with rasterio.open(path) as source:
            zones[path] = source.crs.to_epsg()
    return sorted(paths, key=lambda path: (zones[path] != epsg, path.name))


def _level(source: Any, frame: Frame) -> int | None:
    """The coarsest overview that is still finer than a frame; None if there is none."""
    west, _, east, _ = frame.bounds
    times = (east - west) / frame.shape[1] / RESOLUTION_M
    fine = [level for level, factor in enumerate(source.overviews(1)) if factor <= times]
    return fine[-1] if fine else None


def _warped(source: Any, frame: Frame) -> NDArray[np.uint16]:
    """One raster on a frame: pixel by pixel in its own zone, else between pixels; averaged where it is coarser."""
    west, south, east, north = frame.bounds
    height, width = frame.shape
    own = source.crs.to_epsg() == frame.epsg
    coarser = (east - west) / width > 1.01 * RESOLUTION_M
    with WarpedVRT(
        source,
        crs=f"EPSG:{frame.epsg}",
        transform=Affine((east - west) / width, 0, west, 0, (south - north) / height, north),
        height=height,
        width=width,
        nodata=0,
        src_nodata=0,
        resampling=Resampling.average if coarser else Resampling.nearest if own else Resampling.bilinear,
    ) as there:
        values: NDArray[np.uint16] = there.read()
        return values


def jpeg(values: NDArray[np.float32], ranges: Limits, *, hatched: bool = False) -> bytes:
    """(3, y, x) reflectance as a JPEG; 0 or less is black, or hatched, so that nobody takes it for dark ground."""
    low, high = (np.array(edge, np.float32)[:, None, None] for edge in zip(*ranges, strict=True))
    shown = np.clip((values - low) / (high - low), 0, 1) ** np.float32(1 / GAMMA)
    missing = (values <= 0).all(axis=0)
    shown[:, missing] = _hatch(missing.shape)[missing] if hatched else 0
    buffer = io.BytesIO()
    image = Image.fromarray(np.moveaxis((shown * 255 + 0.5).astype(np.uint8), 0, -1))
    image.save(buffer, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return buffer.getvalue()


def _hatch(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """(y, x) float32: two greys in slanting stripes."""
    rows, cols = np.indices(shape)
    stripe = max(2, max(shape) // 16)
    return np.where((rows + cols) // stripe % 2, _GREYS[0], _GREYS[1]).astype(np.float32)


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
