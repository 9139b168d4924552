"""Shapes: from sparse pixels of a granule grid to valid polygons with true areas.

In: rows and columns of pixels. Out: group numbers and polygons in the granule's CRS. Knows no kinds and no dates.

Polygonising 8-connected pixels in one go gives invalid rings, and buffering by zero to mend them loses area. Here
pixels are grouped 8-connected, each group is polygonised 4-connected, and its polygons are united: pixels that meet
at a corner become parts of one MultiPolygon.
"""

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio import features
from scipy import sparse
from scipy.sparse import csgraph
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from pipeline.grid import RESOLUTION_M, Granule, Window

PIXEL_M2 = RESOLUTION_M * RESOLUTION_M


def groups(rows: NDArray[np.integer], cols: NDArray[np.integer]) -> NDArray[np.intp]:
    """Number the 8-connected groups of a set of pixels, without an array of the whole grid.

    Args:
        rows: (n,) rows of distinct pixels.
        cols: (n,) their columns.

    Returns:
        (n,) group of each pixel: 0, 1, ... in the order of their topmost, then leftmost pixel, whatever the order
        of the input.
    """
    if len(rows) == 0:
        return np.zeros(0, np.intp)
    width = int(cols.max()) - int(cols.min()) + 3  # an empty column on both sides: no wrap into the next row
    places = (rows.astype(np.int64) - int(rows.min())) * width + (cols.astype(np.int64) - int(cols.min()) + 1)
    order = np.argsort(places, kind="stable")
    places = places[order]
    pairs = [_neighbours(places, step) for step in (1, width - 1, width, width + 1)]
    starts, ends = np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])
    links = sparse.coo_array((np.ones(len(starts), np.bool_), (starts, ends)), shape=(len(places), len(places)))
    _, labels = csgraph.connected_components(links, directed=False)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    numbered = np.empty(len(places), np.intp)
    numbered[order] = rank[inverse]
    return numbered


def _neighbours(places: NDArray[np.int64], step: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    at = np.searchsorted(places, places + step)
    found = np.flatnonzero(places[np.minimum(at, len(places) - 1)] == places + step)
    return found, at[found]


def members(labels: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Indices of the pixels of each group, in the groups' order."""
    if len(labels) == 0:
        return []
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.cumsum(np.bincount(labels))[:-1])


def crop(
    rows: NDArray[np.integer], cols: NDArray[np.integer], *, border_px: int = 0
) -> tuple[NDArray[np.bool_], Window]:
    """The pixels as a mask (y, x) of their bounding box, and that box on the granule grid."""
    top, left = int(rows.min()) - border_px, int(cols.min()) - border_px
    window = Window(top, left, int(rows.max()) + border_px + 1 - top, int(cols.max()) + border_px + 1 - left)
    mask = np.zeros(window.shape, np.bool_)
    mask[rows - top, cols - left] = True
    return mask, window


def polygon(rows: NDArray[np.integer], cols: NDArray[np.integer], granule: Granule) -> BaseGeometry:
    """The outline of a set of pixels.

    Args:
        rows: (n,) rows of distinct pixels, n > 0.
        cols: (n,) their columns.
        granule: gives place and CRS.

    Returns:
        Valid Polygon or MultiPolygon in the granule's CRS whose area is that of the pixels.

    Source: rasterio issues 1126 and 2244 on invalid outlines.
    """
    mask, window = crop(rows, cols)
    outlines = features.shapes(mask.astype(np.uint8), mask=mask, connectivity=4, transform=granule.transform(window))
    united = shapely.union_all([shapely.make_valid(shape(outline)) for outline, _ in outlines])
    return polygonal(shapely.make_valid(united))


def polygonal(geometry: BaseGeometry) -> BaseGeometry:
    """Only the polygons of a geometry: a Polygon or MultiPolygon."""
    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        return geometry
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.union_all(parts)
