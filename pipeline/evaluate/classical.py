"""Classical change detectors, each from its published definition: what a network has to beat.

In: two dates of one place. Out: one score per pixel, higher where more changed. Nothing here was fitted or tuned;
scores have no threshold of their own and are no probabilities.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipeline.sensors import BANDS

Array = NDArray[np.float32]
Wide = NDArray[np.float64]

_FLOOR = 1e-6  # of a sum of two bands: keeps an index finite on black pixels
_RIDGE = 1e-12  # of a band's variance: keeps a covariance of repeated bands invertible
_MIN_VARIANCE = 1e-6  # of a MAD variate, whose variance is between 0 and 4
_MIN_PIXELS_PER_BAND = 5
_CONVERGED = 1e-4  # largest change of a canonical correlation
_MAX_ROUNDS = 100
_MOST_PIXELS = 50_000


def dndvi(before: Array, after: Array) -> Array:
    """Fall of the vegetation index NDVI.

    Args:
        before: (6, y, x) float32 reflectance, unit 1, NaN missing, bands in the sensor's order.
        after: the same shape.

    Returns:
        (y, x) float32, -2 to 2; NaN where a band is missing on either date.

    Source: Rouse et al. (1974), "Monitoring vegetation systems in the Great Plains with ERTS".
    """
    return _fall(before, after, against="B04")


def dnbr(before: Array, after: Array) -> Array:
    """Fall of the normalised burn ratio; arguments and result as for `dndvi`.

    Source: Key and Benson (2006), "Landscape assessment", USDA RMRS-GTR-164-CD.
    """
    return _fall(before, after, against="B12")


def cva(before: Array, after: Array) -> Array:
    """Change vector analysis: length of the spectral change, in reflectance; arguments as for `dndvi`.

    Returns:
        (y, x) float32, 0 or more; NaN where a band is missing on either date.

    Source: Malila (1980), "Change vector analysis: an approach for detecting forest changes with Landsat".
    """
    length: Array = np.sqrt(np.sum(_difference(before, after) ** 2, axis=0)).astype(np.float32)
    return length


def cva_standardised(before: Array, after: Array) -> Array:
    """Change vector analysis with each band's change in its own mean and standard deviation over the place.

    Arguments and result as for `cva`. What most of a place did counts as no change, and noisy bands weigh no more than
    quiet ones; where most of a place changed, the sign of the question turns.

    Source: as for `cva`; standardising as in Chen et al. (2003), "Land-use/land-cover change detection using improved
    change-vector analysis".
    """
    change = _difference(before, after)
    seen = np.isfinite(change).all(axis=0)
    if not seen.any():
        return np.full(seen.shape, np.nan, np.float32)
    mean = change[:, seen].mean(axis=1)[:, None, None]
    spread = np.maximum(change[:, seen].std(axis=1), _FLOOR)[:, None, None]
    length: Array = np.sqrt(np.sum(((change - mean) / spread) ** 2, axis=0)).astype(np.float32)
    return length


@dataclass(frozen=True, slots=True)
class Mad:
    """Result of iteratively reweighted multivariate alteration detection."""

    chi_square: Array
    """(pixel,) sum of the squared standardised MAD variates."""
    no_change: Array
    """(pixel,) probability of a larger chi-square if nothing changed."""
    correlations: Wide
    """(band,) canonical correlations of the unchanged pixels, largest first."""


def irmad(before: Array, after: Array) -> Array:
    """IR-MAD: chi-square of the MAD variates of a place, iteratively reweighted; arguments as for `dndvi`.

    Returns:
        (y, x) float32, 0 or more, in the order of 1 minus the no-change probability (which would be 1 in float32 for
        every strong change). NaN where a band is missing, and everywhere if fewer than 5 pixels per band are seen.

    Source: Nielsen (2007), "The regularized iteratively reweighted MAD method for change detection in multi- and
    hyperspectral data", IEEE Transactions on Image Processing 16(2).
    """
    seen = np.isfinite(before).all(axis=0) & np.isfinite(after).all(axis=0)
    score = np.full(seen.shape, np.nan, np.float32)
    if seen.sum() >= _MIN_PIXELS_PER_BAND * len(before):
        score[seen] = fit_irmad(before[:, seen], after[:, seen]).chi_square
    return score


def fit_irmad(before: Array, after: Array) -> Mad:
    """Fit IR-MAD to pixels without NaN.

    Args:
        before: (band, pixel).
        after: the same shape.

    Returns:
        Scores of all pixels. The fit uses 50,000 of them at most, evenly spaced. Rounds end when no correlation moves
        by more than 1e-4, after 100 at most, or when fewer than 5 pixels per band are left unchanged (the last sound
        fit then stands).
    """
    x, y = _unit(before), _unit(after)
    step = -(-x.shape[1] // _MOST_PIXELS)
    some_x, some_y = x[:, ::step], y[:, ::step]
    found = _correlate(some_x, some_y, np.ones(some_x.shape[1]))
    for _ in range(_MAX_ROUNDS):
        weights = _no_change(_chi_square(found, some_x, some_y), bands=len(x))
        if weights.sum() ** 2 < _MIN_PIXELS_PER_BAND * len(x) * (weights**2).sum():
            break
        last, found = found, _correlate(some_x, some_y, weights)
        if np.max(np.abs(found.rho - last.rho)) < _CONVERGED:
            break
    chi_square = _chi_square(found, x, y)
    no_change = _no_change(chi_square, bands=len(x))
    return Mad(chi_square.astype(np.float32), no_change.astype(np.float32), found.rho)


@dataclass(frozen=True, slots=True)
class _Canonical:
    """Canonical correlation analysis: variates of unit variance and highest correlation."""

    mean: tuple[Wide, Wide]
    """(band, 1) of both dates."""
    rotation: tuple[Wide, Wide]
    """(band, band) of both dates: one variate per row."""
    rho: Wide


def _correlate(x: Wide, y: Wide, weights: Wide) -> _Canonical:
    """With weighted pixels, by Cholesky factors and a singular value decomposition."""
    share = weights / weights.sum()
    mean = ((x @ share)[:, None], (y @ share)[:, None])
    x, y = x - mean[0], y - mean[1]
    root_x, root_y = (np.linalg.cholesky(_ridged((v * share) @ v.T)) for v in (x, y))
    white = np.linalg.solve(root_y, np.linalg.solve(root_x, (x * share) @ y.T).T).T
    left, rho, right = np.linalg.svd(white)
    rotation = (np.linalg.solve(root_x.T, left).T, np.linalg.solve(root_y.T, right.T).T)
    return _Canonical(mean, rotation, np.minimum(rho, 1.0))


def _chi_square(found: _Canonical, x: Wide, y: Wide) -> Wide:
    """Sum of the squared MAD variates in their standard deviations."""
    variates = found.rotation[0] @ (x - found.mean[0]) - found.rotation[1] @ (y - found.mean[1])
    variance = np.maximum(2 * (1 - found.rho), _MIN_VARIANCE)
    total: Wide = np.sum(variates**2 / variance[:, None], axis=0)
    return total


def _no_change(chi_square: Wide, *, bands: int) -> Wide:
    """Probability of a larger chi-square with as many degrees of freedom as bands."""
    probability: Wide = special.gammaincc(bands / 2, chi_square / 2)
    return probability


def _ridged(covariance: Wide) -> Wide:
    ridge = _RIDGE * np.maximum(np.diag(covariance), _RIDGE)
    ridged: Wide = covariance + np.diag(ridge)
    return ridged


def _unit(values: Array) -> Wide:
    """Bands with mean 0 and standard deviation 1, so that no band's unit decides what is numerically small."""
    wide = values.astype(np.float64)
    spread = np.maximum(wide.std(axis=1, keepdims=True), _FLOOR**2)
    unit: Wide = (wide - wide.mean(axis=1, keepdims=True)) / spread
    return unit


def _difference(before: Array, after: Array) -> Wide:
    difference: Wide = after.astype(np.float64) - before
    return difference


def _fall(before: Array, after: Array, *, against: str) -> Array:
    """Fall of (B08 - other) / (B08 + other); NaN where any band is missing, so that all methods see the same pixels."""
    high, low = BANDS.index("B08"), BANDS.index(against)
    seen = np.isfinite(before).all(axis=0) & np.isfinite(after).all(axis=0)
    fall = _index(before, high, low) - _index(after, high, low)
    return np.where(seen, fall, np.float32(np.nan))


def _index(values: Array, high: int, low: int) -> Array:
    total = np.maximum(values[high] + values[low], np.float32(_FLOOR))
    index: Array = (values[high] - values[low]) / total
    return index
