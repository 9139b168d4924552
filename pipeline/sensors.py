"""The sensors: which bands, at which resolution, under which names in the catalogues.

To add a sensor, add one entry here. Refuses to know where files lie or how they are read.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Band:
    """One band of a sensor."""

    name: str
    """Our name, the sensor's own (`B02`)."""
    common: str
    """Common name (`blue`), as STAC's eo extension uses it."""
    resolution_m: int
    """Native pixel size."""
    asset_keys: tuple[str, ...]
    """Keys under which catalogues list the band's file, best first."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """What the pipeline reads from one family of satellites."""

    name: str
    bands: tuple[Band, ...]
    """Reflectance bands, in the order of every array's band axis."""
    classes: Band
    """The scene classification map."""
    scale: float
    """Reflectance per digital number."""
    nodata: int
    """Digital number that means no data."""

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the reflectance bands, in order."""
        return tuple(band.name for band in self.bands)


def _band(name: str, common: str, resolution_m: int) -> Band:
    keys = (common, name, f"{name}_{resolution_m}m", f"{common}-jp2")
    return Band(name, common, resolution_m, keys)


SENTINEL2 = Sensor(
    name="sentinel-2",
    bands=(
        _band("B02", "blue", 10),
        _band("B03", "green", 10),
        _band("B04", "red", 10),
        _band("B08", "nir", 10),
        _band("B11", "swir16", 20),
        _band("B12", "swir22", 20),
    ),
    classes=Band("SCL", "scl", 20, ("scl", "SCL", "SCL_20m", "scl-jp2")),
    scale=1e-4,
    nodata=0,
)
"""Sentinel-2 L2A. Source: ESA Sentinel-2 product specification, L2A; asset keys of Earth Search v0 and v1,
Planetary Computer and Copernicus Data Space as recorded."""

BANDS = SENTINEL2.band_names
"""The six reflectance bands, in the order of every band axis: B02 B03 B04 B08 B11 B12."""


def normalised_difference(high: NDArray[np.float32], low: NDArray[np.float32]) -> NDArray[np.float32]:
    """(high - low) / (high + low); the floor keeps water and shadow, with next to no light in both, quiet."""
    index: NDArray[np.float32] = (high - low) / np.maximum(high + low, np.float32(0.02))
    return index


def greenness(reflectance: NDArray[np.float32]) -> NDArray[np.float32]:
    """NDVI of (band, ...) reflectance; Rouse et al. (1974)."""
    return normalised_difference(reflectance[BANDS.index("B08")], reflectance[BANDS.index("B04")])
