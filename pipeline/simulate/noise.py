"""Random fields that depend on the seed and the place alone, so that any window of them is a crop of the whole.

In: a key, a raster's place in metres and a scale. Out: (Y, X) float32. Knows no land and no clouds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

Array = NDArray[np.float32]
Hashed = NDArray[np.uint64]

_TAPS = np.arange(-2, 4)
_SPREAD = 0.75  # of the Gaussian about each node, in node distances: smooth, and nearly the same in all directions


@dataclass(frozen=True, slots=True)
class Raster:
    """A raster of square pixels in a plane of metres, y to the south."""

    top_m: float
    left_m: float
    pixel_m: float
    shape: tuple[int, int]

    def rows_m(self) -> NDArray[np.float64]:
        """(Y,) distance of each row's middle from the plane's origin, southwards."""
        rows: NDArray[np.float64] = self.top_m + (np.arange(self.shape[0], dtype=np.float64) + 0.5) * self.pixel_m
        return rows

    def cols_m(self) -> NDArray[np.float64]:
        """(X,) distance of each column's middle from the plane's origin, eastwards."""
        cols: NDArray[np.float64] = self.left_m + (np.arange(self.shape[1], dtype=np.float64) + 0.5) * self.pixel_m
        return cols


def key(seed: int, *words: str | int) -> int:
    """A key for one field out of a seed and what the field is for."""
    value = np.array([seed % 2**63], np.uint64)
    for word in words:
        for part in str(word).encode():
            value = _mixed(value ^ np.uint64(part))
    return int(value[0])


def uniform(field_key: int, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> NDArray[np.float64]:
    """Even numbers in (0, 1) for integer places; the arguments are broadcast."""
    word = _mixed(rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(field_key))
    word = _mixed(word ^ cols.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F))
    return ((word >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53


def smooth(field_key: int, raster: Raster, *, scale_m: float) -> Array:
    """(Y, X) smooth noise of mean 0 and deviation 1 at every place, with blobs of about `scale_m`."""
    row_nodes, rows = _spread_weights(raster.rows_m() / scale_m)
    col_nodes, cols = _spread_weights(raster.cols_m() / scale_m)
    nodes = special.ndtri(uniform(field_key, row_nodes[:, None], col_nodes[None, :])).astype(np.float32)
    wide = np.ascontiguousarray((cols @ np.ascontiguousarray(nodes.T)).T)
    field: Array = rows @ wide
    return field


def fractal(field_key: int, raster: Raster, *, scale_m: float, octaves: int, gain: float = 0.5) -> Array:
    """(Y, X) noise of mean 0 and deviation 1 with detail from `scale_m` down, each octave `gain` as strong."""
    strength = gain ** np.arange(octaves)
    total = np.zeros(raster.shape, np.float32)
    for octave, part in enumerate(strength / np.hypot.reduce(strength)):
        total += np.float32(part) * smooth(key(field_key, octave), raster, scale_m=scale_m / 2**octave)
    return total


def grain(field_key: int, raster: Raster) -> Array:
    """(Y, X) white noise of mean 0 and deviation 1, tied to whole pixels of the plane."""
    rows = np.floor(raster.rows_m() / raster.pixel_m).astype(np.int64)
    cols = np.floor(raster.cols_m() / raster.pixel_m).astype(np.int64)
    # the sum of two even numbers is near enough to a bell here, and much cheaper than the inverse of one
    one, two = (uniform(key(field_key, part), rows[:, None], cols[None, :]) for part in (0, 1))
    white: Array = ((one + two - 1) * np.sqrt(6)).astype(np.float32)
    return white


def _spread_weights(places: NDArray[np.float64]) -> tuple[NDArray[np.int64], sparse.csr_matrix]:
    """Nodes that the places need, and the (place, node) weights whose squares sum to 1."""
    cell = np.floor(places).astype(np.int64)
    first = int(cell.min() + _TAPS[0])
    nodes = np.arange(first, cell.max() + _TAPS[-1] + 1)
    columns = cell[:, None] + _TAPS
    weights = np.exp(-0.5 * ((columns - places[:, None]) / _SPREAD) ** 2)
    weights /= np.sqrt((weights**2).sum(axis=1, keepdims=True))
    rows = np.repeat(np.arange(len(places)), len(_TAPS))
    cells = (weights.ravel().astype(np.float32), (rows, (columns - first).ravel()))
    return nodes, sparse.csr_matrix(cells, shape=(len(places), len(nodes)))


def _mixed(word: Hashed) -> Hashed:
    """The finaliser of splitmix64: every bit of the word moves half of the others."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashed = word ^ (word >> np.uint64(31))
    return mixed
