"""Time series of places where nothing was cleared: every alert on them is a false one.

In: a folder with an ItemCollection `items.json` of crops on one grid. Out: `Place` values, each a look after an earlier
look or after a normal of earlier looks. Offsets were taken out of these files; clouds are only masked by the files' own
classification, so what it misses is part of the test.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from scipy import ndimage

from pipeline.errors import RasterError
from pipeline.evaluate.places import MISSING, STABLE, Place
from pipeline.scenes import resample
from pipeline.schema import Kind
from pipeline.sensors import SENTINEL2

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

_CLOUDY = (8, 9, 10)  # classes of the scene classification: cloud, medium and high probability, and cirrus
_OTHER = (0, 1, 3, 11)  # no data, saturated, cloud shadow, snow
_GROWTH_PX = 3  # around masked classes
_MIN_CLEAR = 0.8  # share of the window
_NORMAL_LOOKS = (3, 8)  # fewest and most that make a normal


@dataclass(frozen=True, slots=True)
class DatedLook:
    """One date of a series."""

    day: date
    reflectance: Array
    """(6, y, x) float32, NaN missing or masked."""


def read_series(folder: Path, *, unfit: Sequence[date] = ()) -> tuple[DatedLook, ...]:
    """The clear looks of a series, oldest first.

    Args:
        folder: holds `items.json` and the files it names.
        unfit: days to leave out, for series whose files have no classification.

    Returns:
        Looks of which at least 80 % is clear.

    Raises:
        RasterError: a file cannot be read or is no crop of the common grid.
    """
    path = folder / "items.json"
    try:
        items = json.loads(path.read_text(encoding="utf-8"))["features"]
        looks = [_read_look(folder, item) for item in items]
    except (OSError, KeyError, ValueError, RasterioError) as err:
        raise RasterError(f"{path}: not readable as a series: {err}; fetch the folder again") from err
    clear = [look for look in looks if look.day not in unfit and np.isfinite(look.reflectance[0]).mean() >= _MIN_CLEAR]
    return tuple(sorted(clear, key=lambda look: look.day))


def consecutive(looks: Sequence[DatedLook], *, name: str) -> tuple[Place, ...]:
    """Each look after the one before it."""
    pairs = itertools.pairwise(looks)
    return tuple(_place(name, before.reflectance, after, f"{before.day}") for before, after in pairs)


def against_normal(looks: Sequence[DatedLook], *, name: str) -> tuple[Place, ...]:
    """Each look after the median of 3 to 8 looks before it: those nearest in season, then the latest."""
    fewest, most = _NORMAL_LOOKS
    places = []
    for number in range(fewest, len(looks)):
        look = looks[number]
        earlier = sorted(
            looks[:number], key=lambda other: (_season_days(other.day, look.day) // 15, look.day - other.day)
        )
        stack = np.stack([other.reflectance for other in earlier[:most]])
        places.append(_place(name, _median(stack), look, "normal"))
    return tuple(places)


def _season_days(one: date, other: date) -> int:
    """Days between two dates on the circle of the year."""
    apart = abs(one.timetuple().tm_yday - other.timetuple().tm_yday)
    return min(apart, 365 - apart)


def _median(stack: Array) -> Array:
    """Median over the first axis; NaN where no date is seen."""
    seen = np.isfinite(stack).any(axis=0)
    whole = np.where(seen, stack, np.float32(0))
    median: Array = np.nanmedian(whole, axis=0).astype(np.float32)
    return np.where(seen, median, np.float32(np.nan))


def _place(name: str, before: Array, after: DatedLook, against: str) -> Place:
    missing = np.isnan(before).any(axis=0) | np.isnan(after.reflectance).any(axis=0)
    label = np.where(missing, np.uint8(MISSING), np.uint8(STABLE))
    quarter = f"{name}-{after.day.year}q{(after.day.month + 2) // 3}"
    return Place(f"{name}/{against}/{after.day}", quarter, Kind.CLEARING, before, after.reflectance, label, "stable")


def _read_look(folder: Path, item: dict[str, Any]) -> DatedLook:
    assets = item["assets"]
    bands = [_read(folder / assets[band.common]["href"]) for band in SENTINEL2.bands]
    shape = bands[0].shape
    fine = [_on_fine_grid(np.where(band == SENTINEL2.nodata, np.nan, band).astype(np.float32), shape) for band in bands]
    reflectance = np.stack(fine) * np.float32(SENTINEL2.scale)
    if SENTINEL2.classes.common in assets:
        classes = _read(folder / assets[SENTINEL2.classes.common]["href"])
        reflectance[:, _unclear(classes, shape)] = np.nan
    return DatedLook(date.fromisoformat(item["properties"]["datetime"][:10]), reflectance)


def _unclear(classes: NDArray[Any], shape: tuple[int, ...]) -> Mask:
    bad = np.isin(classes, (*_CLOUDY, *_OTHER))
    fine: Mask = bad if bad.shape == shape else resample.repeated(bad)[: shape[0], : shape[1]]
    grown: Mask = ndimage.binary_dilation(fine, iterations=_GROWTH_PX)
    return grown


def _on_fine_grid(band: Array, shape: tuple[int, ...]) -> Array:
    if band.shape == shape:
        return band
    doubled = resample.doubled(band)[: shape[0], : shape[1]]
    if doubled.shape != shape:
        raise ValueError(f"a band of {band.shape} does not fit a 10 m grid of {shape}")
    return doubled


def _read(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as file:
        values: NDArray[Any] = file.read(1)
    return values
