"""Samples: a few fixed windows of a scene, on which it is judged as a whole.

In: a scene and an area. Out: digital numbers of four bands and what the classification says. Refuses to know offsets.

The windows lie on a fixed lattice of the granule grid and depend on the area alone, so that every tile and every
night judges a scene by the same pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely import box
from shapely.geometry.base import BaseGeometry

from pipeline.errors import SceneError
from pipeline.grid import Granule, Window
from pipeline.scenes import digital, look
from pipeline.scenes.blocks import Reader
from pipeline.schema import Part, Reason, Scene
from pipeline.sensors import SENTINEL2

BANDS = ("B02", "B04", "B08", "B12")
"""Order of the band axis of samples."""
NIR = BANDS.index("B08")
WINDOW_PX = 512
MAX_WINDOWS = 9
_ROUGH_CLOUD_DN = 2500  # without a classification: brighter than this in blue, and whitish, is no ground


@dataclass(frozen=True, slots=True)
class PartSamples:
    """The samples of one part of a scene."""

    part: Part
    digital: NDArray[np.uint16]
    """(window, band, y, x) at 10 m; 0 is no data; bands as `BANDS`."""
    reason: NDArray[np.uint8]
    """(window, y, x) codes of `Reason`, without dilation."""


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of a scene: about 20 MB a part."""

    scene: Scene
    windows: tuple[Window, ...]
    parts: tuple[PartSamples, ...]
    clear_pct: float
    """Share of the sampled pixels that the files cover and the classification calls clear: the scene's worth for
    this area (D23). Without a classification all but bright white pixels count as clear."""


def sample_windows(granule: Granule, area: BaseGeometry) -> tuple[Window, ...]:
    """The windows on which scenes are judged for an area.

    Args:
        granule: the grid.
        area: in the granule's CRS.

    Returns:
        Windows of 512 x 512 px that touch the area: all if they are 9 or fewer, else 9 spread over it. Windows at
        the grid's edge reach beyond it.
    """
    return tuple(sorted(_spread(_windows(granule, area))))


def other_windows(granule: Granule, area: BaseGeometry) -> tuple[Window, ...]:
    """The windows that touch the area and are not among its `sample_windows`; arguments as there."""
    found = _windows(granule, area)
    return tuple(sorted(set(found) - set(_spread(found))))


def _windows(granule: Granule, area: BaseGeometry) -> list[Window]:
    around = granule.window_over(area).aligned(WINDOW_PX)
    return [
        Window(row, col, WINDOW_PX, WINDOW_PX)
        for row in range(around.row, around.row + around.height, WINDOW_PX)
        for col in range(around.col, around.col + around.width, WINDOW_PX)
        if area.intersection(box(*granule.window_bounds(Window(row, col, WINDOW_PX, WINDOW_PX)))).area > 0
    ]


def clearest(scene: Scene, windows: Sequence[Window], *, store: Reader) -> tuple[Window, ...]:
    """Where the classification sees ground.

    Returns:
        At most 9 of the windows, those with most clear pixels; none without a classification.

    Raises:
        ReadError: a file could not be read.
        SceneError: a file is not on the granule's grid.
    """
    clear: dict[Window, int] = {}
    for part in scene.parts:
        for window in windows:
            placed = digital.read_band(part, scene.granule, window, SENTINEL2.classes.name, store)
            if placed is not None:
                reason = look.reasons_of_classes(placed.nearest(window).astype(np.uint8))
                clear[window] = clear.get(window, 0) + int((reason == Reason.CLEAR).sum())
    best = sorted((window for window in clear if clear[window]), key=lambda window: (-clear[window], window))
    return tuple(sorted(best[:MAX_WINDOWS]))


def _spread(found: list[Window]) -> list[Window]:
    """Far from each other: first the one nearest to the middle, then always the one farthest from those taken."""
    if len(found) <= MAX_WINDOWS:
        return found
    places = np.array([(window.row, window.col) for window in found], float)
    taken = [int(np.argmin(np.hypot(*(places - places.mean(axis=0)).T)))]
    while len(taken) < MAX_WINDOWS:
        distance = np.hypot(*(places[:, None] - places[taken]).transpose(2, 0, 1)).min(axis=1)
        taken.append(int(np.argmax(distance)))
    return [found[index] for index in taken]


def read_samples(scene: Scene, windows: Sequence[Window], *, store: Reader) -> Samples:
    """Read blue, red, near and short-wave infrared and the classification on the sample windows.

    Raises:
        ReadError: a file could not be read.
        SceneError: a file is not on the granule's grid, or the scene lacks a 10 m band.
    """
    parts = tuple(_read_part(part, scene.granule, windows, store) for part in scene.parts)
    covered = np.zeros((len(windows), WINDOW_PX, WINDOW_PX), bool)
    for part in scene.parts:
        extent = digital.extent(part, scene.granule, BANDS[NIR], store)
        for index, window in enumerate(windows):
            inside = window.clipped(extent) if extent else None
            if inside and not inside.empty:
                covered[index][inside.within(window)] = True
    clear = np.zeros(covered.shape, bool)
    for sampled in parts:
        clear |= sampled.reason == Reason.CLEAR
    return Samples(scene, tuple(windows), parts, 100 * int(clear.sum()) / max(1, int(covered.sum())))


def reflectance(samples: Samples, offsets_dn: Sequence[int]) -> NDArray[np.float32]:
    """(window, band, y, x) float32 of clear pixels, the first part that has one wins; NaN elsewhere."""
    values = np.full(samples.parts[0].digital.shape, np.nan, np.float32)
    for sampled, offset_dn in zip(samples.parts, offsets_dn, strict=True):
        shifted = (sampled.digital.astype(np.int32) + offset_dn).astype(np.float32) * np.float32(SENTINEL2.scale)
        usable = (sampled.digital != SENTINEL2.nodata) & (sampled.reason == Reason.CLEAR)[:, None]
        values = np.where(np.isnan(values) & usable, shifted, values)
    return values


def _read_part(part: Part, granule: Granule, windows: Sequence[Window], store: Reader) -> PartSamples:
    values = np.zeros((len(windows), len(BANDS), WINDOW_PX, WINDOW_PX), np.uint16)
    reason = np.zeros((len(windows), WINDOW_PX, WINDOW_PX), np.uint8)
    for place, window in enumerate(windows):
        for index, band in enumerate(BANDS):
            placed = digital.read_band(part, granule, window, band, store)
            if placed is not None:
                values[place, index] = placed.nearest(window)
            elif band != "B12":
                raise SceneError(f"{part.item_id}: lacks band {band}; check the assets of the item in {part.catalog}")
        placed = digital.read_band(part, granule, window, SENTINEL2.classes.name, store)
        if placed is None:
            reason[place] = _rough_reason(values[place])
        else:
            reason[place] = look.reasons_of_classes(placed.nearest(window).astype(np.uint8))
        reason[place][(values[place, : NIR + 1] == SENTINEL2.nodata).any(axis=0)] = Reason.NODATA
    return PartSamples(part, values, reason)


def _rough_reason(values: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """(y, x): cloud where a pixel is bright and white, whatever the offset."""
    blue, red = values[0].astype(np.float32), values[1].astype(np.float32)
    return np.where((blue > _ROUGH_CLOUD_DN) & (blue > np.float32(0.9) * red), Reason.CLOUD, Reason.CLEAR).astype(
        np.uint8
    )
