"""The fine raster on which one change is drawn, and the noise that makes it look natural.

In: shapely geometry in metres about an origin. Out: (Y, X) arrays at 2.5 m. Knows no kinds and no spectra.
"""

from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio import features
from scipy import ndimage
from shapely import affinity
from shapely.geometry.base import BaseGeometry

from pipeline.simulate import optics

Array = NDArray[np.float32]

FINE_M = 10 / optics.FACTOR
PAD_PX = 8
"""10 m pixels kept free about a shape, so that the point spread of all bands ends inside."""

_FINE_SAMPLES = 20_000  # above this many fine pixels a shape is drawn from 4 samples per pixel in place of 16
_WIDE_PX = 3  # width of blobs on the coarser grid


@dataclass(frozen=True, slots=True)
class Canvas:
    """The fine raster about one change."""

    row: int
    col: int
    """Its corner in 10 m pixels of the frame; both even."""
    shape: tuple[int, int]
    """(Y, X) in 2.5 m pixels."""
    origin: tuple[float, float]
    """(row, column) of the metric origin in 10 m pixels of the frame."""

    @staticmethod
    def around(ground: BaseGeometry, centre: tuple[float, float]) -> "Canvas":
        """The canvas about a shape in metres whose origin lies at `centre` (row, column)."""
        bounds = np.array(ground.bounds) / 10 + np.array([centre[1], centre[0]] * 2)
        row, col = (2 * int((edge - PAD_PX) // 2) for edge in (bounds[1], bounds[0]))
        bottom, right = (2 * int(-(-(edge + PAD_PX) // 2)) for edge in (bounds[3], bounds[2]))
        return Canvas(row, col, ((bottom - row) * optics.FACTOR, (right - col) * optics.FACTOR), centre)

    def placed(self, ground: BaseGeometry) -> BaseGeometry:
        """Metres about the origin to 10 m pixels of the frame, x = column, y = row."""
        return affinity.affine_transform(ground, (0.1, 0, 0, 0.1, self.origin[1], self.origin[0]))

    def drawn(self, grounds: list[BaseGeometry]) -> Array:
        """(Y, X) share of each fine pixel that lies inside any of the shapes, from 4 or 16 samples."""
        shapes = [self.placed(ground) for ground in grounds if not ground.is_empty]
        if not shapes:
            return np.zeros(self.shape, np.float32)
        samples = 4 if self.shape[0] * self.shape[1] < _FINE_SAMPLES else 2
        side = 1 / (optics.FACTOR * samples)
        transform = Affine(side, 0, self.col, 0, side, self.row)
        size = (self.shape[0] * samples, self.shape[1] * samples)
        mask = features.rasterize(shapes, size, transform=transform, dtype="uint8")
        return optics.box_mean(mask, factor=samples)


def noise(shape: tuple[int, int], scale_px: float, rng: np.random.Generator) -> Array:
    """(Y, X) smooth Gaussian noise of mean 0 and deviation 1 whose blobs are about `scale_px` wide."""
    smooth: Array = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), scale_px, truncate=3)
    return smooth * np.float32(2 * np.sqrt(np.pi) * scale_px)


def quick_noise(shape: tuple[int, int], scale_px: float, rng: np.random.Generator) -> Array:
    """The same kind of noise, several times faster for wide blobs: these are drawn on a coarser grid and stretched."""
    step = int(scale_px / _WIDE_PX)
    if step < 2:
        return noise(shape, scale_px, rng)
    coarse = noise((shape[0] // step + 3, shape[1] // step + 3), scale_px / step, rng)
    return _stretched(_stretched(coarse, shape[0], step, rng).T, shape[1], step, rng).T


def _stretched(coarse: Array, length: int, step: int, rng: np.random.Generator) -> Array:
    """(length, x) rows interpolated between those of (y, x), `step` for each, from a random start on."""
    place = (np.arange(length) + rng.uniform(0, step)) / step
    low = place.astype(np.int64)
    share = (place - low).astype(np.float32)[:, None]
    between: Array = coarse[low] * (1 - share) + coarse[low + 1] * share
    return between


def thresholded(field: Array, share: float) -> NDArray[np.bool_]:
    """(Y, X) true on about this share of a `noise` field, in blobs."""
    if share <= 0:
        return np.zeros(field.shape, np.bool_)
    hit: NDArray[np.bool_] = field > np.quantile(field, 1 - share)
    return hit


def texture(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """(Y, X) factor about 1: grain and patches of open ground."""
    grain = 0.07 * rng.standard_normal(shape, np.float32) + 0.06 * noise(shape, 5.0, rng)
    rough: Array = np.exp(grain)
    return rough


def edge_shade(coverage: Array, rng: np.random.Generator) -> Array:
    """(Y, X) factor up to 1: ground in the shade of the trees that stand at the sun's side of an opening."""
    reach_m, azimuth = rng.uniform(0, 16), np.deg2rad(rng.uniform(110, 170))
    shade = np.zeros(coverage.shape, np.float32)
    for part in (0.25, 0.5, 0.75, 1.0):
        away = part * reach_m / FINE_M
        step = (-round(-np.cos(azimuth) * away), -round(np.sin(azimuth) * away))
        shade = np.maximum(shade, 1 - np.roll(coverage, step, axis=(0, 1)))
    return 1 - np.float32(rng.uniform(0.2, 0.55)) * shade * coverage
