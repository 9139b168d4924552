"""The normal of a window: a robust median of earlier clear looks, with its spread and how many looks made it.

In: looks. Out: a `Normal`. Chooses no scenes and reads no files. Every pixel is treated by itself, so that any
cutting into tiles gives the same bits.

What happens to one pixel:

1. A look counts as observed where all its bands are. Looks of the season are used, best first, up to `max_looks`;
   looks of other seasons only to fill up to `min_looks`.
2. Clouds that the masks missed are left out: brighter in blue, and more so than bare soil would be, than the lower
   third of the looks. Clouds are missed often, and all in one direction, so the reference is not the median.
   Shadows that the masks missed are left out: near and short-wave infrared below half of their medians.
3. The median of what is left, band by band, and 1.4826 times the median distance from it.
4. How bare the place becomes when nothing happens: of what is left, the lowest NDVI but one, which no single missed
   shadow makes; the lowest of fewer than four.
"""

from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from pipeline import grid, schema
from pipeline.config import NormalRules
from pipeline.normal import ranks, seasonal
from pipeline.schema import Look, Normal, Reason
from pipeline.sensors import BANDS, greenness

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

_BLUE, _RED, _NIR, _SWIR = (BANDS.index(name) for name in ("B02", "B04", "B08", "B11"))
_MAD_TO_SIGMA = np.float32(1.4826)  # of a normal distribution
_FEW_LOOKS = {1: 3.0, 2: 2.0}  # spread is at least so many times `min_spread`: one or two looks prove no steadiness
_CLOUD_BLUE = np.float32(0.03)  # reflectance above the reference in blue ...
_CLOUD_WHITE = np.float32(0.02)  # ... and in blue - red / 2, in which bare soil is as dark as leaves
_CLOUD_SHARE = np.float32(0.25)  # bright ground (sand, salt) varies in proportion
_SHADOW_SHARE = np.float32(0.5)
_SHADOW_DROP = np.float32(0.05)  # reflectance; over water half of almost nothing means nothing
_SURE_OF_BARE = 4  # looks from which on the barest is passed over
_CHUNK_PX = 1 << 14  # 12 looks of one band then fit into a core's cache


def build(
    looks: Sequence[Look], *, granule: grid.Granule, window: grid.Window, anchor: date, rules: NormalRules
) -> Normal:
    """Build the normal of a window.

    Memory beside the looks and the result: about 20 MB, whatever the window.

    Args:
        looks: of this window, in any order; without any, nothing is known. Which ones: see `seasonal`.
        granule: whose grid the window lies on.
        window: what the normal covers.
        anchor: the day whose season is meant, see `seasonal.anchor`.
        rules: `season_days`, `max_looks`, `min_looks` and `min_spread` are used.

    Returns:
        Normal with NaN, and count 0, where no look observed. `caution` is `season` where most of the pixels seen
        needed looks of other seasons; `season` in `pixels` tells it pixel by pixel.

    Raises:
        ValueError: a look covers another window or lies on another granule.

    Source: the median and MAD as in Hampel (1974), doi:10.1080/01621459.1974.10482962; blue - red / 2 after the
    haze optimised transform of Zhang et al. (2002), doi:10.1016/S0034-4257(02)00034-2.
    """
    _check(looks, granule, window)
    best = sorted(looks, key=lambda look: seasonal.order(look.scene, anchor, rules))
    season = np.array([seasonal.in_season(look.scene.solar_day, anchor, rules) for look in best] or [True])
    median = np.empty((len(BANDS), *window.shape), np.float32)
    spread = np.empty_like(median)
    count = np.empty(window.shape, np.uint8)
    same = np.empty(window.shape, np.uint8)
    barest = np.empty(window.shape, np.float32)
    for rows in _chunks(window.height, window.width):
        stack = _stack(best, rows, window.width)
        used = _admitted(stack, season, rules)
        used &= ~_contaminated(stack, used)
        median[:, rows], spread[:, rows], count[rows] = _statistics(stack, used, rules)
        same[rows] = np.count_nonzero(used[season], axis=0)
        barest[rows] = _barest(stack, used, count[rows])
    pixels = schema.normal_pixels(median, spread, count, granule, window, season=same, barest=barest)
    seen = np.count_nonzero(count)
    caution = "season" if 2 * np.count_nonzero(same < count) > seen else ""
    return Normal(window, pixels, tuple(look.scene.scene_id for look in best), caution)


def _check(looks: Sequence[Look], granule: grid.Granule, window: grid.Window) -> None:
    for look in looks:
        if look.scene.granule != granule or look.window != window:
            raise ValueError(
                f"look {look.scene.scene_id} covers {look.scene.granule.mgrs} {look.window}, "
                f"not {granule.mgrs} {window}"
            )


def _chunks(height: int, width: int) -> Iterator[slice]:
    step = max(1, _CHUNK_PX // max(width, 1))
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def _stack(looks: Sequence[Look], rows: slice, width: int) -> Floats:
    """(band, look, y, x) float32, +inf where a look or one of its bands is missing."""
    if not looks:
        return np.full((len(BANDS), 1, rows.stop - rows.start, width), np.float32(np.inf))
    stack = np.stack([look.reflectance[:, rows] for look in looks], axis=1)
    seen = np.isfinite(stack).all(axis=0) & np.stack([look.reason[rows] == Reason.CLEAR for look in looks])
    return np.where(seen, stack, np.float32(np.inf))


def _admitted(stack: Floats, season: Bools, rules: NormalRules) -> Bools:
    """(look, y, x) bool: the best `max_looks` of the season, filled up to `min_looks` with the best others."""
    seen = np.isfinite(stack[0])
    used: Bools = np.zeros(seen.shape, np.bool_)
    number = np.zeros(seen.shape[1:], np.uint8)
    for index, same in enumerate(season):
        used[index] = seen[index] & (number < (rules.max_looks if same else rules.min_looks))
        number = number + used[index]
    return used


def _contaminated(stack: Floats, used: Bools) -> Bools:
    """(look, y, x) bool: clouds and shadows that the masks missed."""
    missing = np.float32(np.inf)
    blue, red, nir, swir = (np.where(used, stack[band], missing) for band in (_BLUE, _RED, _NIR, _SWIR))
    number = np.count_nonzero(used, axis=0)
    with np.errstate(invalid="ignore"):
        white = np.where(used, blue - red / 2, missing)
        dark_blue, dark_white = (ranks.ranked(values, (number - 1) // 3) for values in (blue, white))
        cloud = (blue > dark_blue + _CLOUD_BLUE) & (
            white > dark_white + np.maximum(_CLOUD_WHITE, _CLOUD_SHARE * np.abs(dark_white))
        )
        middle_nir, middle_swir = (ranks.middle(values) for values in (nir, swir))
        shadow = (
            (nir < _SHADOW_SHARE * middle_nir)
            & (nir < middle_nir - _SHADOW_DROP)
            & (swir < _SHADOW_SHARE * middle_swir)
        )
    contaminated: Bools = used & (cloud | shadow)
    return contaminated


def _statistics(stack: Floats, used: Bools, rules: NormalRules) -> tuple[Floats, Floats, NDArray[np.uint8]]:
    """Median and spread (band, y, x) and count (y, x) of the looks that are used."""
    count = np.count_nonzero(used, axis=0).astype(np.uint8)
    floor = np.full(count.shape, rules.min_spread, np.float32)
    for few, times in _FEW_LOOKS.items():
        floor[count == few] = np.float32(times * rules.min_spread)
    median = np.empty((len(stack), *count.shape), np.float32)
    spread = np.empty_like(median)
    for band, values in enumerate(stack):
        median[band], deviation = ranks.robust(np.where(used, values, np.float32(np.inf)))
        spread[band] = np.maximum(_MAD_TO_SIGMA * deviation, floor)  # NaN, never seen, stays NaN
    return median, spread, count


def _barest(stack: Floats, used: Bools, count: NDArray[np.uint8]) -> Floats:
    """(y, x) float32: NDVI of the barest look but one; NaN where nothing is used."""
    green = np.where(used, greenness(np.where(used, stack, np.float32(1))), np.float32(np.inf))
    rank = np.where(count >= _SURE_OF_BARE, 1, 0)
    return np.where(count > 0, ranks.ranked(green, rank), np.float32(np.nan)).astype(np.float32)
