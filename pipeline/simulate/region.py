"""Where a simulated world lies on Earth, and how its pixels meet the granules' grids.

In: the world's size. Out: a `Region` with the crop of each granule. Knows no land and no files.

Most regions straddle the boundary of two MGRS squares of UTM zone 44 in central India, so that half of each belongs to
each granule. The western granule's grid reaches over all of it, the eastern one's over its own half, as in reality. The
place is chosen for its grid alone: what is simulated there is invented.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from shapely import affinity
from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.grid import RESOLUTION_M, Granule, Window

EPSG = 32644
_BOUNDARY_M = 400_000
_TOP_M = 2_235_000
_NAMES = ("44QLH", "44QMH")
_CORNER_PX = (6400, 5120)  # whole cells of 256 px, far from the granule's edges


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of a region that one granule's files hold."""

    granule: Granule
    on_granule: Window
    """In pixels of the granule; edges even."""
    on_world: Window
    """The same in pixels of the world."""


@dataclass(frozen=True, slots=True)
class Region:
    """A world's place on Earth."""

    left_m: int
    top_m: int
    size_px: tuple[int, int]
    crops: tuple[Crop, ...]

    @property
    def latitude(self) -> float:
        """Of the middle, in degrees."""
        middle = self.to_wgs84(shapely.Point(self.size_px[1] / 2, self.size_px[0] / 2))
        return float(shapely.get_y(middle))

    def to_wgs84(self, geometry: BaseGeometry) -> BaseGeometry:
        """From 10 m pixels of the world, x = column and y = row, to degrees."""
        metres = affinity.affine_transform(
            geometry, (RESOLUTION_M, 0, 0, -RESOLUTION_M, float(self.left_m), float(self.top_m))
        )
        return grid.reproject(metres, EPSG, 4326)

    def transform(self, window: Window, resolution_m: int = RESOLUTION_M) -> Affine:
        """Pixels of `resolution_m` in a window of the world to metres."""
        left = self.left_m + window.col * RESOLUTION_M
        top = self.top_m - window.row * RESOLUTION_M
        return Affine(resolution_m, 0, left, 0, -resolution_m, top)


def straddling(size_px: tuple[int, int]) -> Region:
    """A region of this size (height, width) in 10 m pixels whose middle lies on the boundary of two granules."""
    left = _BOUNDARY_M - size_px[1] // 2 * RESOLUTION_M // 20 * 20
    crops = []
    for name in _NAMES:
        granule = grid.granule(name)
        corner = Window((granule.top_m - _TOP_M) // RESOLUTION_M, (left - granule.left_m) // RESOLUTION_M, *size_px)
        held = corner.clipped(granule.window)
        crops.append(Crop(granule, held, Window(held.row - corner.row, held.col - corner.col, held.height, held.width)))
    return Region(left, _TOP_M, size_px, tuple(crops))


def within(size_px: tuple[int, int]) -> Region:
    """A region of this size (height, width) in one granule, whose corner is one of the network's cells."""
    granule = grid.granule(_NAMES[0])
    held = Window(*_CORNER_PX, *size_px)
    left, top = (granule.left_m + held.col * RESOLUTION_M, granule.top_m - held.row * RESOLUTION_M)
    return Region(left, top, size_px, (Crop(granule, held, Window(0, 0, *size_px)),))


def whole_granule() -> Region:
    """The full grid of one granule, for benchmarks."""
    return corner(grid.GRANULE_PX)


def corner(side_px: int) -> Region:
    """A square in the north-western corner of one granule's grid."""
    granule = grid.granule(_NAMES[0])
    held = Window(0, 0, side_px, side_px)
    return Region(granule.left_m, granule.top_m, held.shape, (Crop(granule, held, held),))


def outline(region: Region, seen: np.ndarray[tuple[int, int], np.dtype[np.bool_]], on_world: Window) -> BaseGeometry:
    """WGS84 polygon around the pixels of a window that hold data.

    Args:
        region: of the world.
        seen: (y, x) bool on the window, some of it true.
        on_world: the window.
    """
    rows = np.flatnonzero(seen.any(axis=1))
    first = seen[rows].argmax(axis=1)
    last = seen.shape[1] - seen[rows, ::-1].argmax(axis=1)
    corners = [
        (col, row + down) for row, *cols in zip(rows, first, last, strict=True) for col in cols for down in (0, 1)
    ]
    hull = shapely.MultiPoint(np.add(corners, (on_world.col, on_world.row))).convex_hull
    return shapely.orient_polygons(shapely.set_precision(region.to_wgs84(hull), 1e-7))
