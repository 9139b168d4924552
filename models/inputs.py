"""From reflectance to a network's input: normalised bands, masks of what is missing, and indices.

In: reflectance of one date with NaN for missing. Out: an array without NaN. The same for training and detection.
"""

import numpy as np
from numpy.typing import NDArray

from models.card import INDICES, ModelCard, Normalisation

Array = NDArray[np.float32]

MASKS = 2
"""Mask channels after the bands: pixel missing, coarse bands missing."""

_INDEX_MIDDLE, _INDEX_SPREAD = 0.4, 0.25  # of woods and open land, roughly
_LEAST_SUM = 0.02  # reflectance: below it an index is noise


def channels(card: ModelCard) -> int:
    """Input channels per date."""
    return len(card.bands) + MASKS + len(card.indices)


def missing_pixels(reflectance: Array, *, coarse: tuple[int, ...]) -> NDArray[np.bool_]:
    """(y, x) bool: pixels where a band that is not coarse is NaN.

    Args:
        reflectance: (band, y, x) float32, unit 1.
        coarse: indices of the 20 m bands.
    """
    fine = [index for index in range(len(reflectance)) if index not in coarse]
    missing: NDArray[np.bool_] = np.isnan(reflectance[fine[0]])
    for index in fine[1:]:
        missing |= np.isnan(reflectance[index])
    return missing


def coarse_indices(bands: tuple[str, ...], coarse_bands: tuple[str, ...]) -> tuple[int, ...]:
    """Where the coarse bands stand on the band axis."""
    return tuple(bands.index(band) for band in coarse_bands)


def index_bands(bands: tuple[str, ...], indices: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Where the two bands of each index stand on the band axis."""
    return tuple((bands.index(INDICES[name][0]), bands.index(INDICES[name][1])) for name in indices)


def prepare(
    reflectance: Array,
    normalisation: Normalisation,
    *,
    coarse: tuple[int, ...],
    indices: tuple[tuple[int, int], ...] = (),
) -> Array:
    """Normalise one date.

    Args:
        reflectance: (band, y, x) float32, unit 1, NaN missing.
        normalisation: of the card.
        coarse: indices of the 20 m bands.
        indices: of `index_bands`.

    Returns:
        (band + 2 + index, y, x) float32: bands in standard deviations, 0 where the pixel or band is missing; 1 where
        the pixel is missing; 1 where its coarse bands are; indices, 0 where one of their bands is missing.
    """
    pixel = missing_pixels(reflectance, coarse=coarse)
    mean, std = (np.array(v, np.float32)[:, None, None] for v in (normalisation.mean, normalisation.std))
    bands, limit = len(reflectance), normalisation.clip
    layers = np.empty((bands + MASKS + len(indices), *pixel.shape), np.float32)
    scaled = np.subtract(reflectance, mean, out=layers[:bands])
    scaled /= std
    np.clip(scaled, -limit, limit, out=scaled)
    unseen = np.isnan(scaled) | pixel
    swir = unseen[list(coarse)].any(axis=0) if coarse else pixel
    if coarse:
        unseen[list(coarse)] |= swir
    gaps = bool(unseen.any())
    if gaps:
        np.copyto(scaled, np.float32(0), where=unseen)
    layers[bands], layers[bands + 1] = pixel, swir
    for value, (first, second) in zip(layers[bands + MASKS :], indices, strict=True):
        one, other = reflectance[first], reflectance[second]
        np.divide(one - other, np.maximum(one + other, np.float32(_LEAST_SUM)), out=value)
        value -= np.float32(_INDEX_MIDDLE)
        value /= np.float32(_INDEX_SPREAD)
        np.clip(value, -limit, limit, out=value)
        if gaps:
            np.copyto(value, np.float32(0), where=unseen[first] | unseen[second])
    return layers
