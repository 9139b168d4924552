"""Surfaces of real ground: what bare, dry, burnt and built places reflect, to paint injected changes and fields with.

In: real dates. Out: samples of spectra by class, and a `shapes.Surface` that draws from them or from the table of
typical spectra. Knows no places and no labels.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.simulate import spectra
from pipeline.simulate.shapes import Surface

Array = NDArray[np.float32]
Samples = Mapping[str, Array]
"""Class to (n, 6) reflectance of real pixels."""

REAL_SHARE = 0.5
"""Of the surfaces that a class is known for; the rest is drawn from the table."""

_CLASS = {
    "bare": ("soil_laterite", "soil_brown", "soil_sandy", "soil_wet", "road_earth", "road_gravel", "stubble"),
    "dry": ("slash", "grass_dry", "scrub_dry", "crop_ripe", "roof_thatch"),
    "burnt": ("burnt", "ash"),
    "built": ("concrete", "roof_metal", "roof_rusty", "roof_tile"),
}
CLASS_OF = {name: kind for kind, names in _CLASS.items() for name in names}
"""Surface of the table to the class of real pixels that can stand for it."""

_MOST = 2000  # pixels kept of a class and date
_STRAY = 0.06  # deviation of the log of brightness: a pixel stands for its neighbours


def sample(reflectance: Array) -> dict[str, Array]:
    """Pixels of each class on one date, evenly spaced.

    Args:
        reflectance: (6, y, x), NaN missing; only pixels with all bands are taken.

    Returns:
        Class to (n, 6); classes without a pixel are left out. Rough rules on NDVI and brightness.
    """
    pixels = reflectance[:, np.isfinite(reflectance).all(axis=0)]
    blue, _, red, nir, swir16, swir22 = pixels
    ndvi = (nir - red) / np.maximum(nir + red, 0.02)
    dark = (nir < 0.15) & (swir16 > 0.06) & (red < 0.09) & (swir22 > 0.8 * nir)
    where = {
        "bare": (ndvi < 0.25) & (red > 0.06) & (blue < 0.2) & (swir16 > 0.12) & (swir16 > 0.9 * nir) & ~dark,
        "dry": (ndvi >= 0.25) & (ndvi < 0.5) & (red > 0.05) & (swir16 > 0.15),
        "burnt": dark & (ndvi < 0.3),
        "built": (ndvi < 0.2) & (blue > 0.12) & (swir16 > 0.08),
    }
    found = {}
    for name, mask in where.items():
        chosen = pixels[:, mask][:, :: max(1, int(mask.sum()) // _MOST)].T
        if len(chosen):
            found[name] = np.ascontiguousarray(chosen, np.float32)
    return found


def surface(real: Sequence[Samples]) -> Surface:
    """Draws spectra: by half from real pixels of the surface's class, where any place has some; else from the table."""

    def drawn(name: str, rng: np.random.Generator) -> Array:
        known = [samples[CLASS_OF[name]] for samples in real if CLASS_OF.get(name) in samples]
        if not known or rng.random() >= REAL_SHARE:
            return spectra.varied(name, rng=rng)
        pixels = known[rng.integers(len(known))]
        pixel: Array = pixels[rng.integers(len(pixels))] * np.float32(np.exp(_STRAY * rng.standard_normal()))
        return pixel.clip(0.001, 0.9)

    return drawn
