"""The air between a planted world and the instrument: clouds, shadows, haze, light, and the map that L2A makes of them.

In: native pixels of the ground and the weather of one acquisition. Out: native pixels as L2A delivers them, and the
scene classification (SCL), imperfect as the real one: it misses thin clouds and edges and takes bright roofs for cloud.
Knows no catalogue and no files.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pipeline.simulate import noise, optics
from pipeline.simulate.noise import Raster
from pipeline.simulate.optics import Native

Array = NDArray[np.float32]

_CLOUD = np.array([0.62, 0.61, 0.62, 0.66, 0.47, 0.35], np.float32)
_VEIL = np.array([0.40, 0.38, 0.37, 0.40, 0.22, 0.15], np.float32)
_HAZE = np.array([0.90, 0.55, 0.38, 0.16, 0.05, 0.03], np.float32)
_SHADE = np.array([0.42, 0.48, 0.54, 0.60, 0.62, 0.62], np.float32)  # share of the light that a thick cloud takes
_ORBIT = np.array([0.025, 0.03, 0.03, 0.045, 0.03, 0.025], np.float32)  # across the swath, residual view effects


@dataclass(frozen=True, slots=True)
class Weather:
    """The air of one acquisition."""

    seed: int
    cloud_share: float
    """Of the sky, on average, 0 to 1."""
    veil: float
    """Strength of thin cloud, 0 to 1."""
    haze: float
    """Reflectance that haze adds in the blue."""
    cloud_height_m: float
    view: float
    """Place in the swath, -1 to 1: backscatter to forward scatter."""


@dataclass(frozen=True, slots=True)
class Air:
    """The weather over one raster at 10 m."""

    cloud: Array
    """(y, x) opacity of thick cloud, 0 to 1."""
    veil: Array
    """(y, x) opacity of thin cloud, 0 to 1."""
    shadow: Array
    """(y, x) opacity of the cloud that stands in the sun, 0 to 1."""
    haze: Array
    """(y, x) reflectance added in the blue."""

    @property
    def clear(self) -> NDArray[np.bool_]:
        """(y, x) neither cloud nor shadow to speak of."""
        free: NDArray[np.bool_] = (self.cloud < 0.05) & (self.veil < 0.15) & (self.shadow < 0.1)
        return free


def sun_position(day: date, latitude: float, *, solar_hour: float = 10.6) -> tuple[float, float]:
    """(azimuth, elevation) of the sun in degrees, good to about a degree.

    Source: Cooper 1969 for the declination; spherical trigonometry.
    """
    tilt = np.deg2rad(23.45 * np.sin(2 * np.pi * (284 + day.timetuple().tm_yday) / 365))
    phi, hour = np.deg2rad(latitude), np.deg2rad(15 * (solar_hour - 12))
    height = np.arcsin(np.sin(phi) * np.sin(tilt) + np.cos(phi) * np.cos(tilt) * np.cos(hour))
    east, north = (
        -np.cos(tilt) * np.sin(hour),
        np.sin(tilt) * np.cos(phi) - np.cos(tilt) * np.sin(phi) * np.cos(hour),
    )
    return float(np.rad2deg(np.arctan2(east, north)) % 360), float(np.rad2deg(height))


def air(weather: Weather, raster: Raster, *, sun: tuple[float, float]) -> Air:
    """The weather over a raster; any window is a crop of the whole sky.

    Args:
        weather: of the acquisition.
        raster: pixels of 10 m (any size works).
        sun: (azimuth, elevation) in degrees.
    """
    azimuth, elevation = np.deg2rad(sun)
    away = weather.cloud_height_m / np.tan(elevation)
    toward = Raster(
        raster.top_m - np.cos(azimuth) * away, raster.left_m + np.sin(azimuth) * away, raster.pixel_m, raster.shape
    )
    thin = noise.fractal(noise.key(weather.seed, "veil"), raster, scale_m=2500, octaves=4)
    haze = noise.smooth(noise.key(weather.seed, "haze"), raster, scale_m=6000)
    return Air(
        cloud=_cloud(weather, raster),
        veil=(weather.veil * _ramp(thin, 0.2, 1.6)).astype(np.float32),
        shadow=_cloud(weather, toward),
        haze=(weather.haze * np.clip(1 + 0.4 * haze, 0, None)).astype(np.float32),
    )


def through(ground: Native, over: Air, weather: Weather, *, sun: tuple[float, float]) -> Native:
    """What L2A delivers of the ground: shaded, hazy, clouded, and not quite corrected for sun and view."""
    rng = np.random.default_rng([weather.seed, 5])
    low_sun = np.clip(np.sin(np.deg2rad(sun[1])) / np.sin(np.deg2rad(55)), 0.3, 1.3) ** 0.25
    gain = low_sun * (1 + _ORBIT * weather.view + rng.normal(0, 0.012) + rng.normal(0, 0.006, 6))
    puffs = 0.9 + 0.2 * over.cloud
    parts: list[Array] = []
    for values, first, size in ((ground.ten, 0, 1), (ground.twenty, 4, 2)):
        cloud, veil, shadow, haze, puff = (
            optics.box_mean(layer, factor=size) if size > 1 else layer
            for layer in (over.cloud, over.veil, over.shadow, over.haze, puffs)
        )
        bands = []
        for index in range(len(values)):
            band = first + index
            lit = values[index] * np.float32(gain[band]) * (1 - _SHADE[band] * shadow * (1 - cloud))
            dim = lit * (1 - 0.9 * veil) + _VEIL[band] * veil + _HAZE[band] * haze
            bands.append(dim * (1 - cloud) + _CLOUD[band] * puff * cloud)
        parts.append(np.stack(bands).astype(np.float32))
    return Native(*parts)


def classified(seen: Native, over: Air, raster: Raster, *, seed: int) -> NDArray[np.uint8]:
    """(y / 2, x / 2) the scene classification at 20 m, codes as in L2A's SCL; holds no nodata yet.

    Args:
        seen: as delivered.
        over: the true air.
        raster: of the 10 m pixels.
        seed: of the acquisition.
    """
    coarse = Raster(raster.top_m, raster.left_m, 2 * raster.pixel_m, (raster.shape[0] // 2, raster.shape[1] // 2))
    blue, green, red, nir = optics.box_mean(seen.ten, factor=2)
    swir = seen.twenty[0]
    cloud, veil, shadow = (optics.box_mean(part, factor=2) for part in (over.cloud, over.veil, over.shadow))
    blind = noise.smooth(noise.key(seed, "blind"), coarse, scale_m=900)
    rough = 0.12 * noise.smooth(noise.key(seed, "rough"), coarse, scale_m=60)
    slow = 0.12 * noise.smooth(noise.key(seed, "slow"), coarse, scale_m=300)
    ndvi = (nir - red) / np.maximum(nir + red, 1e-3)
    wet = (green - swir) / np.maximum(green + swir, 1e-3)
    classes = np.where(ndvi > 0.4, np.uint8(4), np.uint8(5))
    classes[(np.abs(ndvi - 0.37) < 0.04) & (rough > 0.16)] = 7
    classes[(nir < 0.11) & (swir < 0.12)] = 2
    classes[(wet > 0.1) & (nir < 0.15)] = 6
    classes[(blue > 0.26) & (ndvi < 0.25) & (veil < 0.2)] = 8
    classes[(shadow > 0.12) & (shadow + rough > 0.25) & (classes != 6)] = 7
    classes[(shadow > 0.2) & (shadow + rough > 0.45) & (blind < 1.4)] = 3
    classes[(veil + slow + 0.3 * rough > 0.24) & (veil > 0.1) & (blind < 1.0)] = 10
    classes[(veil > 0.4) & (veil + rough > 0.5)] = 8
    classes[(cloud > 0.15) & (cloud + rough > 0.35) & ((blind < 0.8) | (cloud > 0.5))] = 8
    classes[(cloud > 0.5) & (cloud + rough > 0.7)] = 9
    return classes.astype(np.uint8)


def _cloud(weather: Weather, raster: Raster) -> Array:
    if weather.cloud_share <= 0:
        return np.zeros(raster.shape, np.float32)
    field = noise.fractal(noise.key(weather.seed, "cloud"), raster, scale_m=2200, octaves=7, gain=0.55)
    return _ramp(field - np.float32(special.ndtri(1 - min(weather.cloud_share, 0.999))), 0.0, 0.55)


def _ramp(values: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    share = np.clip((values - low) / (high - low), 0, 1)
    smooth: Array = (share * share * (3 - 2 * share)).astype(np.float32)
    return smooth
