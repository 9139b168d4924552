"""Changes of known size and contrast, planted into looks of real ground as far apart as they need to be.

In: pixels, where each kind may be, wishes. Out: pixels with as many of them as there is room for, and where they are.
Knows no scenes, no network and no files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.grid import RESOLUTION_M
from pipeline.learn import landscapes
from pipeline.schema import Kind
from pipeline.simulate import optics, shapes

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

GAP_PX = 12
"""Changes lie so far apart that none helps another."""
_FITS = 0.9  # share of a change that must lie on fit ground
_TOUCHED = 0.1  # a pixel of which at least this share changed belongs to the change
_SPOTS = 40  # places tried for a change
_PATIENCE = 12  # after so many changes in a row without a place there is no more room
_LONGEST_M = 1500.0  # tracks are drawn between the shortest that is asked for and this


@dataclass(frozen=True, slots=True)
class Wish:
    """A change to plant."""

    kind: str
    size: float
    """Hectares inside the outline; tracks: metres of width."""


@dataclass(frozen=True, slots=True)
class Bed:
    """Ground to plant in."""

    looks: tuple[Array, ...]
    """(6, y, x) float32 reflectance each, NaN missing; rows and columns count from an even pixel of the granule."""
    fit: dict[str, Mask]
    """Kind to (y, x) bool: where it may be."""
    woody: Mask
    """(y, x) bool."""
    shortest_m: float
    """Length of the shortest track."""


@dataclass(frozen=True, slots=True)
class Put:
    """One planted change."""

    wish: Wish
    contrast: float
    """Root mean square over the bands of the mean step in reflectance inside the outline."""
    wooded: bool
    """At least half of it stands on woody ground."""
    rows: NDArray[np.intp]
    cols: NDArray[np.intp]
    """(n,) pixels of the bed that it touches."""


def plant(
    bed: Bed, wishes: Sequence[Wish], rng: np.random.Generator
) -> tuple[tuple[Put, ...], tuple[Array, ...], tuple[Wish, ...]]:
    """Plant as many changes as there is room for, the same ones in all looks.

    Args:
        bed: left alone.
        wishes: tried in this order.
        rng: source of all choices.

    Returns:
        What was planted, the looks with it, and the wishes left over.
    """
    looks = tuple(_whole(values) for values in bed.looks)
    taken = np.zeros(bed.woody.shape, np.bool_)
    planted: list[Put] = []
    left: list[Wish] = []
    misses = 0
    for wish in wishes:
        placed = None
        if misses < _PATIENCE:
            placed = _placed(_drawn(wish, rng, bed.shortest_m), bed.fit[wish.kind], taken, rng)
        if placed is None:
            left.append(wish)
            misses += 1
            continue
        misses = 0
        planted.append(_put(bed, wish, placed, looks, taken))
    for values, real in zip(looks, bed.looks, strict=True):
        values[~np.isfinite(real)] = np.nan
    return tuple(planted), looks, tuple(left)


def _drawn(wish: Wish, rng: np.random.Generator, shortest_m: float) -> shapes.Planted:
    """The change about the corner of the frame, anywhere within its 20 m pixel."""
    centre = (float(rng.uniform(0, 2)), float(rng.uniform(0, 2)))
    if wish.kind == Kind.CLEARING:
        return shapes.clearing(rng, centre=centre, area_ha=wish.size)
    if wish.kind == Kind.CAMP:
        return shapes.camp(rng, centre=centre, area_ha=wish.size)
    length = float(np.exp(rng.uniform(np.log(shortest_m), np.log(max(shortest_m, _LONGEST_M)))))
    return shapes.track(rng, centre=centre, length_m=length, width_m=wish.size)


def _placed(drawn: shapes.Planted, fit: Mask, taken: Mask, rng: np.random.Generator) -> shapes.Planted | None:
    """The change moved to where nearly all of it is fit and nothing taken; None if no try finds such a place."""
    spots = np.flatnonzero(fit & ~taken)
    if not len(spots):
        return None
    label = optics.box_mean(drawn.coverage)
    total, (height, width) = float(label.sum()), label.shape
    for spot in rng.choice(spots, _SPOTS):
        row, col = (int(value) // 2 * 2 for value in np.unravel_index(spot, fit.shape))
        top, left = row + drawn.row, col + drawn.col
        if min(top, left) < 0 or top + height > fit.shape[0] or left + width > fit.shape[1]:
            continue
        at = (slice(top, top + height), slice(left, left + width))
        if float(label[fit[at]].sum()) >= _FITS * total > 0 and not (label[taken[at]] > 0).any():
            return drawn.moved(row, col)
    return None


def _put(bed: Bed, wish: Wish, planted: shapes.Planted, looks: tuple[Array, ...], taken: Mask) -> Put:
    """Inject a change into all looks, in place, and mark its surroundings as taken."""
    height, width = (extent // optics.FACTOR for extent in planted.coverage.shape)
    at = (slice(planted.row, planted.row + height), slice(planted.col, planted.col + width))
    here = planted.moved(-planted.row, -planted.col)
    keep = bed.fit[wish.kind][at].astype(np.float32)
    steps, label = [], np.zeros((height, width), np.float32)
    for values in looks:
        old = values[:, *at]
        new, label = landscapes.put(old, here, keep=keep)
        steps.append((new - old).sum(axis=(1, 2), dtype=np.float64))
        values[:, *at] = new
    mean_step = np.mean(steps, axis=0) * RESOLUTION_M**2 / planted.area_m2
    around = tuple(slice(max(0, part.start - GAP_PX), part.stop + GAP_PX) for part in at)
    own = np.zeros(taken.shape, np.bool_)
    own[at] = label > 0
    taken[around] |= ndimage.binary_dilation(own[around], iterations=GAP_PX)
    rows, cols = np.nonzero(label >= min(_TOUCHED, float(label.max())))
    return Put(
        wish=wish,
        contrast=float(np.sqrt(np.mean(mean_step**2))),
        wooded=float(label[bed.woody[at]].sum()) >= 0.5 * float(label.sum()),
        rows=rows + planted.row,
        cols=cols + planted.col,
    )


def _whole(reflectance: Array) -> Array:
    """A copy in which missing values are the band's median, so that the optics do not spread them."""
    filled = reflectance.copy()
    for band in filled:
        seen = np.isfinite(band)
        band[~seen] = np.median(band[seen]) if seen.any() else 0.1
    return filled
