"""Real ground to train on: pixels of Sentinel-2 scenes from folders that the training configuration lists.

In: GeoTIFFs. Out: `Ground` values: dates of one place, and where it is wooded. Knows no labels: what changes on these
grounds is injected later.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioIOError
from scipy import ndimage

from pipeline.errors import ConfigError
from pipeline.learn import palette
from pipeline.learn.settings import GroundFiles
from pipeline.sensors import BANDS, SENTINEL2

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ground:
    """One place, on one or more dates between which nothing that matters happened."""

    name: str
    dates: tuple[Array, ...]
    """(6, y, x) float32 reflectance each; NaN missing, a band that the source lacks is NaN everywhere."""
    woody: Mask
    """(y, x): looks like trees or shrubs, so that a clearing may be put there."""
    surfaces: palette.Samples
    """Spectra of bare, dry, burnt and built pixels of the place."""


def read_ground(entry: GroundFiles, root: Path, *, source: str) -> Ground:
    """Read one place.

    Args:
        entry: names the files below `root`, their offset, and their bands if they do not describe them.
        root: folder of the real data.
        source: the configuration file, named in errors.

    Raises:
        ConfigError: a file is missing or unreadable, or its dates differ in size.
    """
    try:
        dates = tuple(date for name in entry.files for date in _read(root / name, entry))
    except (RasterioIOError, ValueError) as err:
        raise ConfigError(
            f"{source}: ground {entry.name}: {err}; real pixels do not come with Vanwatch: work with --simulated, or "
            "let data.root and [[ground]] name GeoTIFFs of your own (docs/models-of-your-own.md)"
        ) from err
    rows, cols = (min(date.shape[axis] for date in dates) for axis in (1, 2))
    if any(abs(date.shape[1] - rows) > 2 or abs(date.shape[2] - cols) > 2 for date in dates):
        raise ConfigError(f"{source}: ground {entry.name}: dates differ in size; list only files on one grid")
    dates = tuple(date[:, :rows, :cols] for date in dates)
    wooded = np.logical_and.reduce([woody(date) for date in dates]) & entry.wooded
    return Ground(entry.name, dates, wooded, palette.sample(dates[0]))


def woody(reflectance: Array) -> Mask:
    """Where a date looks like trees or shrubs: green, dark in red and short-wave infrared, not as bright as crops.

    Args:
        reflectance: (6, y, x), NaN missing.

    Returns:
        (y, x) bool, without single pixels; rough, and meant to place injected clearings only.
    """
    _, green, red, nir, swir16, _ = np.nan_to_num(reflectance, nan=0.0)
    ndvi = (nir - red) / np.maximum(nir + red, 0.02)
    dark = (red < 0.07) & (green < 0.09) & (swir16 < 0.25) & (nir > 0.12) & (nir < 0.42)
    share = ndimage.uniform_filter(((ndvi > 0.45) & dark).astype(np.float32), 5)
    wooded: Mask = share > 0.55
    return wooded


def _read(path: Path, entry: GroundFiles) -> tuple[Array, ...]:
    """One date, or as many as each band name occurs."""
    with rasterio.open(path) as file:
        names = entry.bands or file.descriptions
        found = {band: [i + 1 for i, name in enumerate(names) if name == band] for band in BANDS}
        count = max(len(places) for places in found.values())
        values = np.full((count, len(BANDS), *file.shape), np.nan, np.float32)
        for index, band in enumerate(BANDS):
            for date, place in enumerate(found[band]):
                values[date, index] = file.read(place)
    digital = np.where(values == SENTINEL2.nodata, np.nan, values + entry.offset_dn)
    unseen = np.isnan(digital[:, :4]).any(axis=1, keepdims=True)
    return tuple(np.where(unseen, np.nan, digital * SENTINEL2.scale).astype(np.float32))
