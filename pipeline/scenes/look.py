"""Looks: one scene's clean pixels on one window.

In: an inspected scene and a window. Out: a `Look`: reflectance, and for each missing pixel the reason. Refuses to
know other scenes; what only a comparison with the normal shows is left to `residual`.

Everything is computed on a window that is larger by what dilation, upsampling and shift can see, so that the looks of
neighbouring windows agree bit for bit where they overlap.
"""

import logging
import math
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline import config, schema
from pipeline.errors import ReadError, SceneError
from pipeline.grid import Granule, Window
from pipeline.scenes import resample, together
from pipeline.scenes.blocks import Reader
from pipeline.scenes.digital import Placed
from pipeline.scenes.together import Finder
from pipeline.schema import Inspected, Look, Part, Reason, Shift
from pipeline.sensors import BANDS, SENTINEL2

_LOG = logging.getLogger(__name__)
_SHARP = [index for index, band in enumerate(SENTINEL2.bands) if band.resolution_m == 10]
_SATURATED_ABOVE = 1.6  # reflectance that no surface and no cloud reaches
_SCL_CLOUD, _SCL_SHADOW, _SCL_SNOW, _SCL_SATURATED = (8, 9, 10), 3, 11, 1
_SCL_CLEAR = 4  # stands for all classes that are used
_UPSAMPLING_PX = 2


@dataclass(frozen=True, slots=True)
class _Raw:
    """A part's pixels on a window of the 10 m grid."""

    reflectance: NDArray[np.float32]
    """(band, y, x); NaN missing."""
    classes: NDArray[np.uint8]
    """(y, x) codes of the scene classification; 0 no data."""
    observed: NDArray[np.bool_]
    """(y, x): all 10 m bands and the class are there."""


def read_look(inspected: Inspected, window: Window, *, store: Reader, profile: config.Profile) -> Look:
    """Read one scene on one window.

    Args:
        inspected: the scene with its offsets and its shift.
        window: 10 m pixels of the granule grid; may reach beyond the granule and the files: no data there.
        store: decodes and keeps the blocks.
        profile: gives the growth of clouds and shadows.

    Returns:
        The look. Pixels whose files could not be read are missing with `Reason.FAILED`, and a warning is logged.
        Where only the 20 m bands are missing, these are NaN and the reason is 0.

    Raises:
        SceneError: a file is not on the granule's grid, or the scene lacks a 10 m band.
    """
    scene, margin = inspected.scene, _margin(inspected.shift, profile.mask)
    wide = window.grown(margin)
    raw, failed = _assembled(inspected, wide, store)
    reason = _reasons(raw, profile.mask)
    if failed:
        reason[reason == Reason.NODATA] = Reason.FAILED
    values, reason = _moved(raw.reflectance, reason, inspected.shift, margin)
    gone = np.isnan(values[_SHARP]).any(axis=0) & (reason == Reason.CLEAR)
    reason[gone] = Reason.NODATA
    values[:, reason != Reason.CLEAR] = np.nan
    return Look(scene, window, schema.look_pixels(values, reason, scene.granule, window), inspected.shift)


def touched(inspected: Inspected, window: Window, rules: config.Mask) -> Window:
    """What `read_look` reads at most of each file of a scene: no 10 m pixel beyond it."""
    return window.grown(_margin(inspected.shift, rules) + _UPSAMPLING_PX)


def reasons_of_classes(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Codes of the scene classification to codes of `Reason`, without dilation; (y, x) uint8 both.

    Source: Sentinel-2 L2A algorithm document, scene classification: 0 no data, 1 saturated or defective, 2 dark or
    topographic shadow, 3 cloud shadow, 4 vegetation, 5 bare, 6 water, 7 unclassified, 8 to 10 cloud, 11 snow.
    """
    table = np.zeros(256, np.uint8)
    table[0], table[_SCL_SATURATED], table[_SCL_SHADOW] = Reason.NODATA, Reason.SATURATED, Reason.SHADOW
    table[list(_SCL_CLOUD)], table[_SCL_SNOW] = Reason.CLOUD, Reason.SNOW
    return table[classes]


def _margin(shift: Shift, rules: config.Mask) -> int:
    grow = max(rules.cloud_dilation_px, rules.shadow_dilation_px)
    move = math.ceil(max(abs(shift.row_px), abs(shift.col_px))) + resample.SHIFT_REACH_PX if shift.corrected else 0
    return grow + move


def _assembled(inspected: Inspected, window: Window, store: Reader) -> tuple[_Raw, bool]:
    """The parts laid over each other, the first that observed a pixel wins; and whether one could not be read."""
    raw: _Raw | None = None
    failed = False
    for part, offset in zip(inspected.scene.parts, inspected.offsets, strict=True):
        try:
            read = partial(_read_part, offset_dn=offset.dn) if offset.verified else _clouded_part
            other = read(part, granule=inspected.scene.granule, window=window, store=store)
        except ReadError as err:
            _LOG.warning("%s: %s", inspected.scene.scene_id, err)
            failed = True
            continue
        raw = other if raw is None else _laid_over(raw, other)
    if raw is None:
        nothing = np.full((len(BANDS), *window.shape), np.nan, np.float32)
        raw = _Raw(nothing, np.zeros(window.shape, np.uint8), np.zeros(window.shape, bool))
    return raw, failed


def _laid_over(first: _Raw, second: _Raw) -> _Raw:
    new = second.observed & ~first.observed
    return _Raw(
        np.where(new, second.reflectance, first.reflectance),
        np.where(new, second.classes, first.classes),
        first.observed | second.observed,
    )


def _clouded_part(part: Part, granule: Granule, window: Window, store: Reader) -> _Raw:
    """A part that is clouded over: its classification alone is read, and what ground it still shows is cloud too.

    Of a part without a classification nothing is known at all.
    """
    placed = together.finder(part, granule, (window, window), store, names_of(verified=False))(SENTINEL2.classes.name)
    told = np.zeros(window.shape, np.uint8) if placed is None else placed.nearest(window)
    classes = np.where(reasons_of_classes(told.astype(np.uint8)) == Reason.CLEAR, _SCL_CLOUD[0], told).astype(np.uint8)
    return _Raw(np.full((len(BANDS), *window.shape), np.nan, np.float32), classes, classes != 0)


def names_of(*, verified: bool) -> tuple[str, ...]:
    """The files of a part that are read for a look."""
    return (*(BANDS if verified else ()), SENTINEL2.classes.name)


def _read_part(part: Part, offset_dn: int, granule: Granule, window: Window, store: Reader) -> _Raw:
    classes_band = SENTINEL2.classes.name
    find = together.finder(part, granule, (window, window.grown(_UPSAMPLING_PX)), store, names_of(verified=True))
    values = _bands(part, offset_dn, window, find)
    placed = find(classes_band)
    # without a classification only the bands tell; the guard against the normal does the rest
    classes = np.full(window.shape, _SCL_CLEAR, np.uint8) if placed is None else placed.nearest(window).astype(np.uint8)
    observed = np.isfinite(values[_SHARP]).all(axis=0) & (classes != 0)
    return _Raw(values, classes, observed)


def read_bands(part: Part, offset_dn: int, granule: Granule, window: Window, store: Reader) -> NDArray[np.float32]:
    """Read the bands of a part on a window of the 10 m grid.

    Args:
        part: names the files.
        offset_dn: added to each digital number but no data.
        granule: the grid on which the files lie.
        window: may reach beyond the granule and the files: no data there.
        store: decodes and keeps the blocks.

    Returns:
        (band, y, x) float32 reflectance; NaN where there is no data. 20 m bands are upsampled.

    Raises:
        ReadError: a file could not be read.
        SceneError: a file is not on the granule's grid, or the part lacks a 10 m band.
    """
    find = together.finder(part, granule, (window, window.grown(_UPSAMPLING_PX)), store, BANDS)
    return _bands(part, offset_dn, window, find)


def _bands(part: Part, offset_dn: int, window: Window, find: Finder) -> NDArray[np.float32]:
    values = np.empty((len(BANDS), *window.shape), np.float32)
    for index, band in enumerate(SENTINEL2.bands):
        placed = find(band.name)
        if placed is not None:
            values[index] = _reflectance(placed, offset_dn, window)
        elif index in _SHARP:
            raise SceneError(f"{part.item_id}: lacks band {band.name}; check the assets of the item in {part.catalog}")
        else:
            values[index] = np.nan
    return values


def _reflectance(placed: Placed, offset_dn: int, window: Window) -> NDArray[np.float32]:
    """(y, x) at 10 m; no data is masked before the offset is added (D3).

    Source: ESA Sentinel-2 product specification, L2A: rho = (DN + BOA_ADD_OFFSET) / 10000.
    """
    if placed.step == 1:
        inner = placed.values[window.within(Window(placed.row, placed.col, *placed.values.shape))]
        return _native(inner, offset_dn)
    fine = resample.doubled(_native(placed.values, offset_dn))
    return fine[window.within(Window(placed.row, placed.col, *fine.shape))]


def _native(digital_numbers: NDArray[Any], offset_dn: int) -> NDArray[np.float32]:
    if digital_numbers.dtype == np.uint16:  # looked up: faster than arithmetic on every pixel
        table: NDArray[np.float32] = _table(offset_dn)[digital_numbers]
        return table
    shifted = digital_numbers.astype(np.int32) + offset_dn
    native: NDArray[np.float32] = shifted.astype(np.float32) * np.float32(SENTINEL2.scale)
    return np.where(digital_numbers == SENTINEL2.nodata, np.float32(np.nan), native)


@lru_cache(maxsize=4)
def _table(offset_dn: int) -> NDArray[np.float32]:
    """Reflectance of each digital number of 16 bits."""
    table = (np.arange(1 << 16, dtype=np.int32) + offset_dn).astype(np.float32) * np.float32(SENTINEL2.scale)
    table[SENTINEL2.nodata] = np.nan
    return table


def _reasons(raw: _Raw, rules: config.Mask) -> NDArray[np.uint8]:
    """(y, x) uint8 codes of `Reason`; where several hold, the later ones win."""
    plain = reasons_of_classes(raw.classes)
    reason = np.where(plain == Reason.SNOW, plain, np.uint8(Reason.CLEAR))
    reason[_grown(plain == Reason.SHADOW, rules.shadow_dilation_px)] = Reason.SHADOW
    reason[_grown(plain == Reason.CLOUD, rules.cloud_dilation_px)] = Reason.CLOUD
    reason[(plain == Reason.SATURATED) | (raw.reflectance > _SATURATED_ABOVE).any(axis=0)] = Reason.SATURATED
    reason[~raw.observed] = Reason.NODATA
    return reason


def _grown(mask: NDArray[np.bool_], by_px: int) -> NDArray[np.bool_]:
    """Dilated by a disc; exact, so that it depends on nothing further away."""
    if by_px == 0 or not mask.any():
        return mask
    near: NDArray[np.bool_] = ndimage.distance_transform_edt(~mask) <= by_px
    return near


def _moved(
    values: NDArray[np.float32], reason: NDArray[np.uint8], shift: Shift, margin: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Both without the margin, at the places of the normal if the shift is to be corrected."""
    row_px, col_px = (shift.row_px, shift.col_px) if shift.corrected else (0.0, 0.0)
    row, col = margin + math.floor(row_px + 0.5), margin + math.floor(col_px + 0.5)
    height, width = reason.shape[0] - 2 * margin, reason.shape[1] - 2 * margin
    nearest = reason[row : row + height, col : col + width].copy()
    if shift.corrected:
        return resample.shifted(values, row_px=row_px, col_px=col_px, margin=margin), nearest
    return values[:, margin : margin + height, margin : margin + width].copy(), nearest
