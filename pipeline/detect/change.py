"""What one look says against the normal.

In: a look and the normal on a tile with its halo. Out: a `Change` on the tile. Reads nothing, keeps nothing.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.detect import classical
from pipeline.detect import weight as weights
from pipeline.detect.detector import Detector
from pipeline.grid import Tile, Window
from pipeline.schema import KINDS, Change, Look, Normal

Array = NDArray[np.float32]


def change(
    look: Look, normal: Normal, tile: Tile, *, detector: Detector, trust: NDArray[np.float64] | None = None
) -> Change:
    """Compare a look with the normal.

    Args:
        look: its window covers the tile grown by the detector's halo and by `weight.REACH_PX`.
        normal: covers the tile grown by the detector's halo.
        tile: its window meets the cells of the granule grid (or ends with the granule).
        detector: the network.
        trust: (y, x) 0 to 1 on the tile, what `opinion` says of the look.

    Returns:
        Probabilities, classical score and weight; NaN where the look or the normal is not observed, and in cells in
        which the tile answers for no observed pixel.

    Raises:
        ValueError: a window is too small, or the tile does not meet the cells.
    """
    window, halo = tile.window, detector.halo_px
    _check(tile, detector.card.patch_px)
    before = _cut(normal.median, normal.window, window.grown(halo), "normal")
    after = _cut(look.reflectance, look.window, window.grown(halo), "look")
    inner = window.within(window.grown(halo))
    seen = ~(detector.missing(before[:, *inner]) | detector.missing(after[:, *inner]))
    probability = run_cells(before, after, window, wanted=seen & tile.owned(), detector=detector)
    spread = _cut(normal.spread, normal.window, window, "normal")
    z = classical.score(before[:, *inner], after[:, *inner], spread)
    weight = weights.weight(look, normal, window, trust=trust)
    return Change(tile, look.scene.scene_id, look.scene.sensed, probability, z, weight)


def run_cells(before: Array, after: Array, window: Window, *, wanted: NDArray[np.bool_], detector: Detector) -> Array:
    """Run the network on the cells of `window` in which something is wanted.

    Args:
        before: (band, y, x) on `window` grown by the halo.
        after: the same shape.
        window: on the grid whose cells count from (0, 0).
        wanted: (y, x) bool on `window`.
        detector: the network.

    Returns:
        (kind, y, x) float32 on `window`; NaN in cells left out and where a date is not observed.
    """
    probability = np.full((len(KINDS), *window.shape), np.nan, np.float32)
    around = window.grown(detector.halo_px)
    for cell in window.cells(detector.card.patch_px):
        part = cell.clipped(window)
        if not wanted[part.within(window)].any():
            continue
        haloed = cell.grown(detector.halo_px)
        dates = [_filled(values, around, haloed) for values in (before, after)]
        probability[:, *part.within(window)] = detector.cell(*dates)[:, *part.within(cell)]
    return probability


def _filled(values: Array, window: Window, wanted: Window) -> Array:
    """The values on `wanted`; NaN where it reaches beyond `window`."""
    part = wanted.clipped(window)
    if part == wanted:
        return values[:, *wanted.within(window)]
    whole = np.full((len(values), *wanted.shape), np.nan, np.float32)
    whole[:, *part.within(wanted)] = values[:, *part.within(window)]
    return whole


def _cut(values: Array, window: Window, wanted: Window, name: str) -> Array:
    if wanted.clipped(window) != wanted:
        raise ValueError(f"the {name} covers {window}, but {wanted} is needed")
    return values[:, *wanted.within(window)]


def _check(tile: Tile, side: int) -> None:
    window = tile.window
    for start, length, limit in (
        (window.row, window.height, tile.granule.window.height),
        (window.col, window.width, tile.granule.window.width),
    ):
        if start % side or ((start + length) % side and start + length != limit):
            raise ValueError(f"tile {tile.key}: {window} does not meet the cells of {side} px")
