"""From reflectance to a network's input: normalised bands and masks of what is missing.

In: reflectance of one date with NaN for missing. Out: an array without NaN. The same for training and detection.
"""

import numpy as np
from numpy.typing import NDArray

from models.card import ModelCard, Normalisation

Array = NDArray[np.float32]

MASKS = 2
"""Mask channels after the bands: pixel missing, coarse bands missing."""


def channels(card: ModelCard) -> int:
    """Input channels per date."""
    return len(card.bands) + MASKS


def missing_pixels(reflectance: Array, *, coarse: tuple[int, ...]) -> NDArray[np.bool_]:
    """(y, x) bool: pixels where a band that is not coarse is NaN.

    Args:
        reflectance: (band, y, x) float32, unit 1.
        coarse: indices of the 20 m bands.
    """
    fine = [index for index in range(len(reflectance)) if index not in coarse]
    missing: NDArray[np.bool_] = np.any(np.isnan(reflectance[fine]), axis=0)
    return missing


def coarse_indices(bands: tuple[str, ...], coarse_bands: tuple[str, ...]) -> tuple[int, ...]:
    """Where the coarse bands stand on the band axis."""
    return tuple(bands.index(band) for band in coarse_bands)


def prepare(reflectance: Array, normalisation: Normalisation, *, coarse: tuple[int, ...]) -> Array:
    """Normalise one date.

    Args:
        reflectance: (band, y, x) float32, unit 1, NaN missing.
        normalisation: of the card.
        coarse: indices of the 20 m bands.

    Returns:
        (band + 2, y, x) float32: bands in standard deviations, 0 where the pixel or band is missing; 1 where the pixel
        is missing; 1 where its coarse bands are.
    """
    pixel = missing_pixels(reflectance, coarse=coarse)
    mean, std = (np.array(v, np.float32)[:, None, None] for v in (normalisation.mean, normalisation.std))
    scaled = np.clip((reflectance - mean) / std, -normalisation.clip, normalisation.clip)
    unseen = np.isnan(scaled) | pixel
    swir = unseen[list(coarse)].any(axis=0) if coarse else pixel
    if coarse:
        unseen[list(coarse)] |= swir
    return np.concatenate([np.where(unseen, np.float32(0), scaled), pixel[None], swir[None]], dtype=np.float32)
