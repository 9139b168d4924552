"""The classical second opinion: how many spreads of the normal the vegetation has fallen.

In: normal, look and spread. Out: a score per pixel, in which no network has a say.

For NDVI and NBR alike: the fall since the normal, divided by the spread that the bands' spreads give the index to
first order. The score is the mean of both; of NDVI alone where the 20 m bands are missing. It is positive where
vegetation was lost, negative where it grew, and about 0 where nothing changed.

Source: NDVI of Rouse et al. (1974), NBR of Key and Benson (2006); error propagation to first order.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.sensors import BANDS, normalised_difference

Array = NDArray[np.float32]

_STEP = 1 / 256  # scores are rounded to multiples of this, so that their bytes are stable
_LIMIT = 99.0
_MIN_SPREAD = 0.02  # of an index: below this lies what sun, haze and noise do


def score(normal: Array, look: Array, spread: Array) -> Array:
    """Fall of vegetation in spreads of the normal.

    Args:
        normal: (6, y, x) float32 reflectance, NaN missing.
        look: the same shape.
        spread: the same shape, a standard deviation.

    Returns:
        (y, x) float32, -99 to 99; NaN where NDVI is not known on both sides.
    """
    ndvi = _fall(normal, look, spread, against="B04")
    nbr = _fall(normal, look, spread, against="B12")
    both = np.where(np.isnan(nbr), ndvi, (ndvi + nbr) / 2)
    rounded: Array = (np.rint(np.clip(both, -_LIMIT, _LIMIT) / _STEP) * _STEP).astype(np.float32)
    return rounded


def _fall(normal: Array, look: Array, spread: Array, *, against: str) -> Array:
    """Fall of (B08 - other) / (B08 + other), in its spread at the normal."""
    high, low = BANDS.index("B08"), BANDS.index(against)
    total = np.maximum(normal[high] + normal[low], 0.02)
    by_high, by_low = 2 * normal[low] / total**2, 2 * normal[high] / total**2
    sigma = np.maximum(np.hypot(by_high * spread[high], by_low * spread[low]), _MIN_SPREAD)
    before, after = (normalised_difference(values[high], values[low]) for values in (normal, look))
    fall: Array = (before - after) / sigma
    return fall
