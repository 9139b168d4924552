"""What surfaces reflect: a small table of plausible L2A spectra and how far single places stray from them.

In: names and a random generator. Out: six reflectances (B02 B03 B04 B08 B11 B12). Knows no shapes and no places.

The numbers are typical values: of the order found in public spectral libraries (USGS splib07, ECOSTRESS) for soils and
man-made surfaces and in Sentinel-2 L2A scenes for vegetation and water, rounded, and checked by eye and by medians
against real scenes. They are no measurements of one place.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.sensors import BANDS

Array = NDArray[np.float32]

TYPICAL: dict[str, tuple[float, float, float, float, float, float]] = {
    # woodland
    "evergreen": (0.021, 0.039, 0.022, 0.285, 0.120, 0.047),
    "deciduous_green": (0.025, 0.049, 0.029, 0.330, 0.155, 0.066),
    "deciduous_dry": (0.047, 0.067, 0.078, 0.205, 0.245, 0.155),
    "conifer": (0.019, 0.032, 0.020, 0.190, 0.085, 0.040),
    "conifer_dying": (0.034, 0.050, 0.052, 0.175, 0.150, 0.084),
    "mangrove": (0.022, 0.040, 0.025, 0.240, 0.085, 0.037),
    "scrub_green": (0.032, 0.058, 0.042, 0.285, 0.185, 0.092),
    "scrub_dry": (0.056, 0.078, 0.098, 0.215, 0.275, 0.190),
    # open land
    "grass_green": (0.035, 0.068, 0.044, 0.340, 0.200, 0.098),
    "grass_dry": (0.062, 0.088, 0.118, 0.240, 0.305, 0.215),
    "crop_young": (0.045, 0.075, 0.072, 0.290, 0.230, 0.145),
    "crop_green": (0.030, 0.064, 0.034, 0.420, 0.200, 0.088),
    "crop_ripe": (0.062, 0.100, 0.130, 0.300, 0.300, 0.195),
    "stubble": (0.082, 0.115, 0.155, 0.275, 0.360, 0.275),
    "paddy_flooded": (0.055, 0.078, 0.076, 0.120, 0.075, 0.045),
    "soil_laterite": (0.056, 0.086, 0.150, 0.230, 0.330, 0.270),
    "soil_brown": (0.070, 0.098, 0.135, 0.195, 0.290, 0.245),
    "soil_sandy": (0.135, 0.180, 0.235, 0.305, 0.410, 0.360),
    "soil_wet": (0.050, 0.068, 0.088, 0.122, 0.140, 0.105),
    "soil_black": (0.050, 0.064, 0.079, 0.110, 0.170, 0.150),
    # after felling and fire
    "slash": (0.055, 0.080, 0.105, 0.205, 0.270, 0.190),
    "regrowth": (0.036, 0.070, 0.048, 0.315, 0.195, 0.096),
    "burnt": (0.031, 0.037, 0.044, 0.078, 0.130, 0.135),
    "ash": (0.110, 0.122, 0.135, 0.165, 0.215, 0.225),
    # built
    "concrete": (0.200, 0.235, 0.265, 0.310, 0.330, 0.300),
    "roof_metal": (0.290, 0.310, 0.320, 0.340, 0.330, 0.290),
    "roof_rusty": (0.085, 0.108, 0.155, 0.205, 0.255, 0.240),
    "roof_tile": (0.068, 0.092, 0.160, 0.225, 0.275, 0.250),
    "roof_thatch": (0.070, 0.098, 0.135, 0.235, 0.320, 0.245),
    "tarp_blue": (0.290, 0.185, 0.095, 0.330, 0.290, 0.200),
    "tarp_white": (0.480, 0.500, 0.505, 0.500, 0.390, 0.275),
    "tarp_orange": (0.065, 0.140, 0.370, 0.470, 0.410, 0.310),
    "tarp_green": (0.060, 0.135, 0.070, 0.290, 0.270, 0.190),
    "plastic_black": (0.040, 0.041, 0.045, 0.058, 0.075, 0.068),
    "road_earth": (0.082, 0.120, 0.185, 0.265, 0.355, 0.300),
    "road_gravel": (0.120, 0.150, 0.180, 0.220, 0.270, 0.245),
    "road_asphalt": (0.080, 0.090, 0.100, 0.130, 0.160, 0.145),
    # water
    "water_clear": (0.032, 0.030, 0.019, 0.012, 0.006, 0.005),
    "water_turbid": (0.058, 0.086, 0.080, 0.038, 0.012, 0.009),
    "sandbar": (0.165, 0.205, 0.245, 0.300, 0.325, 0.275),
}
"""Name to reflectance, bands in the sensor's order."""

NAMES = tuple(TYPICAL)

_BRIGHTNESS, _TILT, _BAND = 0.14, 0.06, 0.03  # natural variability between places, as standard deviations of the log


def typical(name: str) -> Array:
    """(6,) the table's values.

    Raises:
        KeyError: no such surface.
    """
    return np.array(TYPICAL[name], np.float32)


def varied(name: str, *, rng: np.random.Generator, amount: float = 1.0) -> Array:
    """(6,) one place's own spectrum: brighter or darker, redder or bluer, and a little of each band's own.

    Args:
        name: in `TYPICAL`.
        rng: moved on by eight draws.
        amount: 0 is the table's value, 1 natural variability between places.
    """
    slope = np.linspace(-1, 1, len(BANDS))
    draw = rng.standard_normal(8)
    stray = _BRIGHTNESS * draw[0] + _TILT * draw[1] * slope + _BAND * draw[2:]
    own: Array = (typical(name) * np.exp(amount * stray)).clip(0.001, 0.9).astype(np.float32)
    return own


def natural(name: str, rng: np.random.Generator) -> Array:
    """(6,) `varied` with the natural variability, as `shapes` asks for surfaces."""
    return varied(name, rng=rng)


def made(name: str, rng: np.random.Generator) -> Array:
    """(6,) `varied` as little as surfaces do that people make or tread."""
    return varied(name, rng=rng, amount=0.7)


def mixed(one: Array, other: Array, share: float | Array) -> Array:
    """(6,) or (6, ...) of both spectra, `share` of the other; linear, as areas mix in a pixel."""
    weight = np.asarray(share, np.float32)
    extra = (...,) + (None,) * weight.ndim
    blend: Array = one[extra] * (1 - weight) + other[extra] * weight
    return blend
