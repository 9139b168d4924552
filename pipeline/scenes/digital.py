"""Digital numbers at their place: which pixels of a file lie under a window of the granule grid.

In: a part of a scene, a band, a window. Out: digital numbers on the granule's lattice. Refuses to know what they mean.

The file's own georeference decides the place, never the catalogue: files may be crops of the granule grid (regional
mirrors), and items were seen that describe other files than those they link to.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SceneError
from pipeline.grid import RESOLUTION_M, Granule, Window
from pipeline.scenes import resample
from pipeline.scenes.blocks import BlockStore, Reader
from pipeline.scenes.files import Header
from pipeline.schema import Part

_STEPS = (1, 2)  # 10 m and 20 m files
_LATTICE_TOLERANCE_PX = 1e-3  # transforms are written with rounded decimals


@dataclass(frozen=True, slots=True)
class Placed:
    """Pixels of one file, at their place on the granule grid; cover the window that was asked for."""

    values: NDArray[Any]
    """(y, x) digital numbers in the file's own type; 0 is no data, outside the file too."""
    row: int
    """Of the upper edge, in 10 m pixels of the granule grid."""
    col: int
    """Of the left edge, in 10 m pixels of the granule grid."""
    step: int
    """Side of one pixel in 10 m pixels: 1 or 2."""

    def nearest(self, window: Window) -> NDArray[Any]:
        """(y, x) at 10 m on a window inside: each pixel as in the file."""
        fine = resample.repeated(self.values) if self.step == 2 else self.values
        return fine[window.within(Window(self.row, self.col, *fine.shape))]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file lies on the granule grid."""

    row: int
    col: int
    step: int


def read_band(part: Part, granule: Granule, window: Window, band: str, store: Reader) -> Placed | None:
    """Read what a window needs of one band, at the file's own resolution.

    Args:
        part: names the files and how they are signed.
        granule: the grid on which the file must lie.
        window: 10 m pixels of the granule grid; may reach beyond the file and beyond the grid.
        band: `B02` ... `B12`, `SCL`.
        store: decodes and keeps the blocks.

    Returns:
        The pixels that cover the window (at 20 m up to one pixel more on each side); None if the part lacks the band.

    Raises:
        ReadError: the file could not be read.
        SceneError: the file is not on the granule's lattice, or holds no whole numbers.
    """
    asset = part.asset(band)
    if asset is None:
        return None
    header = store.header(asset.href, part.signer)
    place = _place(part, granule, band, header)
    wanted = _on_file(window, place)
    values = _padded(wanted, header, partial(store.read, asset.href, part.signer))
    return Placed(values, place.row + wanted.row * place.step, place.col + wanted.col * place.step, place.step)


def _padded(window: Window, header: Header, read: Callable[[Window], NDArray[Any]]) -> NDArray[Any]:
    """(y, x) digital numbers of a window that may reach beyond the file; `read` gives a copy of what lies inside."""
    inside = window.clipped(Window(0, 0, *header.shape))
    if inside.empty:
        return np.zeros(window.shape, header.dtype)
    found = read(inside)
    if header.nodata:
        found[found == header.nodata] = 0
    if inside == window:
        return found
    values = np.zeros(window.shape, header.dtype)
    values[inside.within(window)] = found
    return values


def release(part: Part, granule: Granule, window: Window, needed: Sequence[Window], store: BlockStore) -> None:
    """Delete the kept blocks of a part's files that a window touches and that no window in `needed` does.

    Args:
        part: names the files; none is opened.
        granule: the grid on which the files lie.
        window: 10 m pixels of the granule grid; may reach beyond the files.
        needed: windows that will still be read, or are being read.
        store: keeps the blocks.
    """
    for band, asset in part.assets:
        header = store.kept_header(asset.href)
        if header is None:
            continue
        try:
            place = _place(part, granule, band, header)
        except SceneError:  # so none of its blocks was ever read
            continue
        store.release(asset.href, _on_file(window, place), [_on_file(other, place) for other in needed])


def extent(part: Part, granule: Granule, band: str, store: Reader) -> Window | None:
    """The part of the granule grid that a band's file covers; None if the part lacks the band.

    Raises:
        ReadError: the file could not be opened.
        SceneError: the file is not on the granule's lattice, or holds no whole numbers.
    """
    asset = part.asset(band)
    if asset is None:
        return None
    header = store.header(asset.href, part.signer)
    place = _place(part, granule, band, header)
    return Window(place.row, place.col, header.shape[0] * place.step, header.shape[1] * place.step)


def _on_file(window: Window, place: _Place) -> Window:
    """The pixels of the file that cover a window of the granule grid."""
    top, left = (window.row - place.row) // place.step, (window.col - place.col) // place.step
    bottom = -(-(window.row + window.height - place.row) // place.step)
    right = -(-(window.col + window.width - place.col) // place.step)
    return Window(top, left, bottom - top, right - left)


def _place(part: Part, granule: Granule, band: str, header: Header) -> _Place:
    """Where the file lies, or why it cannot be used."""
    a, b, left, d, e, top = header.transform
    where = f"{part.item_id}: {band}"
    if header.crs != f"EPSG:{granule.epsg}":
        raise SceneError(
            f"{where}: the file is in {header.crs[:60] or 'no CRS'}, granule {granule.mgrs} in EPSG:{granule.epsg}; "
            "use files on the granule's own grid"
        )
    step = a / RESOLUTION_M
    if b or d or e != -a or step not in _STEPS:
        raise SceneError(
            f"{where}: pixels of {a:g} m x {-e:g} m, expected 10 m or 20 m, north up; use the full-resolution files"
        )
    row, col = (granule.top_m - top) / RESOLUTION_M, (left - granule.left_m) / RESOLUTION_M
    if max(abs(row - round(row)), abs(col - round(col))) > _LATTICE_TOLERANCE_PX:
        raise SceneError(
            f"{where}: the file starts at row {row:g}, column {col:g} of granule {granule.mgrs}, not at a whole "
            "10 m pixel; use files that were cut, not warped"
        )
    if not np.issubdtype(np.dtype(header.dtype), np.integer):
        raise SceneError(f"{where}: pixels are {header.dtype}, expected whole digital numbers; use the L2A files")
    return _Place(round(row), round(col), int(step))
