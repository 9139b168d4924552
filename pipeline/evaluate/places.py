"""Places with a before and an after, and what is known about the change between them.

In: folders of pairs (`<id>/before.tif`, `<id>/after.tif`, `index.csv`). Out: `Place` values. Knows no methods and no
scores; chooses nothing by looking at pixels.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from scipy import ndimage

from pipeline.errors import RasterError
from pipeline.schema import KINDS, Kind
from pipeline.sensors import BANDS, SENTINEL2

Array = NDArray[np.float32]
Codes = NDArray[np.uint8]

UNKNOWN, CHANGED, STABLE, MISSING = 0, 1, 10, 255
"""Codes of a label: nothing known (never a negative), changed, unchanged, missing on either date."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place on two dates."""

    id: str
    group: str
    """Places that are not independent of each other share it; the bootstrap draws groups."""
    kind: Kind
    """Of the change that `label` marks."""
    before: Array
    """(6, y, x) float32 reflectance, NaN missing."""
    after: Array
    """(6, y, x) likewise."""
    label: Codes
    """(y, x) of the codes above."""
    scene_label: str = ""
    """What the source says about the whole place; empty where it says nothing."""


def read_czech(folder: Path) -> tuple[Place, ...]:
    """Clear-cuts in Czech spruce forest: label 1 cut, 10 stable forest, 0 nothing known.

    Raises:
        RasterError: the folder or a file in it cannot be read.
    """
    return tuple(_read_pair(folder, row, label=_read_codes) for row in _index(folder))


def read_unlabelled(folder: Path) -> tuple[Place, ...]:
    """Pairs of which no change is known (`pairs/portugal`, `pairs/us-suburbs`); errors as for `read_czech`."""
    return tuple(_read_pair(folder, row, label=None) for row in _index(folder))


def read_amazon(folder: Path) -> tuple[Place, ...]:
    """Chips whose label is one word for the whole scene; errors as for `read_czech`."""
    rows = _index(folder)
    try:
        with np.load(folder / "chips.npz") as chips:
            dates = [_reflectance(chips[name]) for name in ("before", "after")]
            order = tuple(str(band) for band in chips["bands"])
            ids = [str(value) for value in chips["ids"]]
    except (OSError, KeyError, ValueError) as err:
        raise RasterError(f"{folder / 'chips.npz'}: not readable: {err}; fetch the folder again") from err
    if order != BANDS or ids != [row["id"] for row in rows]:
        raise RasterError(f"{folder}: bands or ids of chips.npz are not those of index.csv; fetch the folder again")
    nothing = np.zeros(dates[0].shape[2:], np.uint8)
    return tuple(
        Place(row["id"], row["group"], Kind.CLEARING, dates[0][i], dates[1][i], nothing, row["scene_label"])
        for i, row in enumerate(rows)
    )


def from_chips(
    pairs: NDArray[np.floating[Any]], labels: NDArray[np.int8], *, groups: Sequence[str]
) -> tuple[tuple[Place, ...], ...]:
    """Chips with injected changes.

    Args:
        pairs: (chip, date, 6, y, x) reflectance, NaN missing; two dates.
        labels: (chip, kind, y, x) 1 changed, 0 not, -1 counts nowhere.
        groups: (chip,) ground that each chip is from.

    Returns:
        Per kind the same chips, each kind with its own labels.
    """
    dates = np.asarray(pairs, np.float32)
    codes = np.select([labels == 1, labels == 0], [np.uint8(CHANGED), np.uint8(STABLE)], np.uint8(UNKNOWN))
    return tuple(
        tuple(
            Place(f"{group}/{i}", group, Kind(kind), dates[i, 0], dates[i, 1], codes[i, index])
            for i, group in enumerate(groups)
        )
        for index, kind in enumerate(KINDS)
    )


def without_edges(places: Sequence[Place]) -> tuple[Place, ...]:
    """The same places with nothing claimed within one pixel of where changed meets not changed.

    For masks that lie half a pixel off: their edges cap what any method can reach. Missing pixels are no edge.
    """
    return tuple(replace(place, label=_without_edge(place.label)) for place in places)


def _without_edge(label: Codes) -> Codes:
    around = np.ones((3, 3), np.bool_)
    near_change = ndimage.binary_dilation(label == CHANGED, around)
    near_other = ndimage.binary_dilation((label != CHANGED) & (label != MISSING), around)
    edge = near_change & near_other & (label != MISSING)
    return np.where(edge, np.uint8(UNKNOWN), label)


def _index(folder: Path) -> list[dict[str, str]]:
    path = folder / "index.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError as err:
        raise RasterError(f"{path}: not readable: {err}; name the folder that holds the pairs") from err


def _read_pair(folder: Path, row: dict[str, str], *, label: Callable[[Path], Codes] | None) -> Place:
    place = folder / row["id"]
    before, after = (_read_date(place / f"{name}.tif") for name in ("before", "after"))
    codes = label(place / "label.tif") if label else np.zeros(before.shape[1:], np.uint8)
    if before.shape != after.shape or before.shape[1:] != codes.shape:
        raise RasterError(f"{place}: before {before.shape}, after {after.shape} and label {codes.shape} differ in size")
    return Place(row["id"], row["group"], Kind.CLEARING, before, after, codes, row["scene_label"])


def _read_date(path: Path) -> Array:
    """Bands by their descriptions; uint16 is reflectance x 10000 with 0 missing."""
    try:
        with rasterio.open(path) as file:
            places = [file.descriptions.index(band) + 1 for band in BANDS]
            return _reflectance(file.read(places))
    except (RasterioError, OSError, ValueError) as err:
        raise RasterError(f"{path}: not readable as {', '.join(BANDS)}: {err}; check its band descriptions") from err


def _read_codes(path: Path) -> Codes:
    try:
        with rasterio.open(path) as file:
            codes: Codes = file.read(1)
    except (RasterioError, OSError) as err:
        raise RasterError(f"{path}: not readable: {err}") from err
    return codes


def _reflectance(digital: NDArray[np.uint16]) -> Array:
    missing = digital == SENTINEL2.nodata
    return np.where(missing, np.float32(np.nan), digital.astype(np.float32) * np.float32(SENTINEL2.scale))
