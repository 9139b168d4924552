"""Resampling in plain array operations, the same for every window: 20 m to 10 m, and sub-pixel shifts.

In and out: arrays. Refuses to know scenes and files. Each output pixel depends on a fixed set of input pixels and is
computed in a fixed order, so that neighbouring windows agree bit for bit.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)
_NEAR, _FAR = np.float32(0.75), np.float32(0.25)  # weights of the pixel and of its neighbour
_RUN_ROWS = 64
SHIFT_REACH_PX = 3  # rounding and the outer taps: an output pixel sees so far beyond the whole-pixel shift


def doubled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Upsample by 2, bilinear between pixel centres.

    Args:
        values: (y, x) float32; NaN is missing.

    Returns:
        (2y, 2x) float32. A pixel is missing where the pixel that holds it is; missing neighbours are left out of the
        average. The outermost ring of output pixels lacks its neighbours: ask for one pixel more on each side.
    """
    height, width = values.shape
    fine = np.empty((2 * height, 2 * width), np.float32)
    padded = np.pad(values, 1, constant_values=np.nan)
    padded[:, [0, -1]] = 0
    for top, bottom in _runs(height):
        rows, out = padded[top : bottom + 2], fine[2 * top : 2 * bottom]
        valid = np.isfinite(rows)
        if valid.all():  # nothing is missing but what lies left and right of the array
            _doubled_plain(rows, out)
            out[:, [0, -1]] /= _NEAR
            continue
        valid[:, [0, -1]] = False
        weight, total = np.empty(out.shape, np.float32), np.empty(out.shape, np.float32)
        _doubled_plain(valid.astype(np.float32), weight)
        _doubled_plain(np.where(valid, rows, np.float32(0)), total)
        out[...] = np.nan
        # the pixel itself weighs 9/16, so the weight is above 0 wherever the result is kept
        np.divide(total, weight, out=out, where=repeated(valid[1:-1, 1:-1]))
    return fine


def _runs(height: int) -> Iterator[tuple[int, int]]:
    """First row and the one after the last of runs that fit into a core's cache; the outer rows are apart."""
    edges = sorted({0, *range(1, height, _RUN_ROWS), height - 1, height})
    yield from pairwise(edges)


def _doubled_plain(padded: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """(y + 2, x + 2) to `out`, (2y, 2x), without regard to missing pixels."""
    width = padded.shape[1] - 2
    near, far = padded[1:-1] * _NEAR, padded * _FAR
    tall = np.empty((len(out), width + 2), np.float32)
    np.add(near, far[:-2], out=tall[0::2])
    np.add(near, far[2:], out=tall[1::2])
    middle, pairs = tall[:, 1:-1] * _NEAR, out.reshape(len(out), width, 2)
    tall *= _FAR
    np.add(middle, tall[:, :-2], out=pairs[..., 0])
    np.add(middle, tall[:, 2:], out=pairs[..., 1])


def repeated(values: NDArray[T]) -> NDArray[T]:
    """Upsample by 2, nearest: (y, x) to (2y, 2x)."""
    return np.repeat(np.repeat(values, 2, axis=0), 2, axis=1)


def shifted(values: NDArray[np.float32], *, row_px: float, col_px: float, margin: int) -> NDArray[np.float32]:
    """Move by fractions of a pixel: the output at (r, c) is the input at (r + row_px, c + col_px).

    Args:
        values: (..., y, x) float32; NaN is missing.
        row_px: shift along y.
        col_px: shift along x.
        margin: pixels by which the input is larger than the output on each side; at least the rounded shift and
            `SHIFT_REACH_PX` more.

    Returns:
        (..., y - 2 margin, x - 2 margin) float32; NaN where a pixel that counts is missing.

    Raises:
        ValueError: the margin is too small.

    Source: Catmull and Rom 1974: cubic through four neighbours, applied along y, then along x.
    """
    if margin < max(abs(row_px), abs(col_px)) + SHIFT_REACH_PX - 1:
        raise ValueError(f"margin {margin} is too small for a shift of ({row_px}, {col_px}) px")
    along_y = _shifted_axis(values, row_px, margin, axis=-2)
    return _shifted_axis(along_y, col_px, margin, axis=-1)


def _shifted_axis(values: NDArray[np.float32], by_px: float, margin: int, *, axis: int) -> NDArray[np.float32]:
    whole = math.floor(by_px)
    size = values.shape[axis] - 2 * margin
    total: NDArray[np.float32] | None = None
    for tap, weight in zip(range(-1, 3), _catmull_rom(by_px - whole), strict=True):
        if weight == 0:
            continue  # a missing pixel that does not count must not spread
        start = margin + whole + tap
        piece = values[..., start : start + size, :] if axis == -2 else values[..., start : start + size]
        total = piece * np.float32(weight) if total is None else total + piece * np.float32(weight)
    if total is None:
        raise ValueError(f"no weights for a shift of {by_px} px")
    return total


def _catmull_rom(t: float) -> tuple[float, float, float, float]:
    """Weights of the pixels at -1, 0, 1, 2 for a place at `t` in 0 to 1."""
    return (
        (-t + 2 * t**2 - t**3) / 2,
        (2 - 5 * t**2 + 3 * t**3) / 2,
        (t + 4 * t**2 - 3 * t**3) / 2,
        (-(t**2) + t**3) / 2,
    )
