"""Residual clouds: what the scene classification missed and only a comparison with the normal shows.

In: a look and the normal. Out: the look with more of it masked. Refuses to know files and alerts.

The classification misses haze, small and thin clouds and many shadows. Against the normal, a cloud is brighter in blue
at least as much as in red, and its infrared rises less than bare soil's would: fresh soil rises in red about twice as
much as in blue, and most of all in the short-wave infrared. A shadow takes light from all bands at once, while fire,
ploughing and felling raise some. Both are large: single bright roofs are left to the detector.

All criteria look at a fixed neighbourhood, never at whole connected shapes, so that results do not depend on how an
area is cut into tiles: a pixel at least `REACH_PX` inside the look is decided finally.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline import config
from pipeline.schema import Look, Normal, Reason
from pipeline.sensors import BANDS

REACH_PX = 64
"""Pixels nearer to the edge of the look may be judged differently when more of the surroundings is known."""

_BLUE, _GREEN, _RED, _NIR, _SWIR16, _SWIR22 = range(len(BANDS))
_FILLED_CLOUD = 0.5  # share of a neighbourhood of the smallest size that must be cloud-like
_FILLED_SHADOW = 0.8  # shadows are more often mistaken: floods, low sun on slopes
_GROW_PX = 16  # soft edges are followed so far
_EDGE_PX = 3  # and this much is added
_HALF_MAX_PX = (REACH_PX - _GROW_PX - _EDGE_PX) // 2
_WHITE = 0.8  # a cloud's rise in blue is at least this share of its rise in red
_SOIL = 1.5  # a cloud's rise in short-wave infrared is at most this multiple of its rise in blue
_WEAK = 0.5  # edges rise by this share of what the core must
_SHADOW_SWIR = 0.7  # in shadow, short-wave infrared keeps less than this share of the normal
_DARK_NIR = 0.08  # what is normally darker than this (water) shows no shadow


def guard(look: Look, normal: Normal, *, rules: config.Mask) -> Look:
    """Mask clouds and shadows that the scene classification missed.

    Args:
        look: any window.
        normal: covers the same window; where it is missing nothing can be said and nothing is masked.
        rules: `residual_blue`, `residual_shadow` and `residual_min_ha`. A cloud must fill half of a square of so
            many hectares, as one that is cut off by an edge of the data does, and a shadow most of it; beyond 20 ha
            the limit acts like 20, since `REACH_PX` ends there.

    Returns:
        The look with clouds, snow and shadows turned into `Reason.RESIDUAL_CLOUD`.

    Raises:
        ValueError: look and normal cover different windows.
    """
    if look.window != normal.window:
        raise ValueError(f"the look covers {look.window}, the normal {normal.window}")
    now, usual = look.reflectance, normal.median
    sharp = np.concatenate([now[:_SWIR16], usual[:_SWIR16]])
    known: NDArray[np.bool_] = np.isfinite(sharp).all(axis=0)
    half, loss = _half_px(rules.residual_min_ha), 1 - rules.residual_shadow
    area = np.maximum(_box_sum(known, half), 1)
    with np.errstate(invalid="ignore"):  # missing values compare as false
        clouds = [_cloud_like(now, usual, share * rules.residual_blue) & known for share in (1, _WEAK)]
        shadows = [_shadow_like(now, usual, 1 - share * loss) & known for share in (1, _WEAK)]
    cloud = _spread(clouds[0], clouds[1], _FILLED_CLOUD * area, half)
    shadow = _spread(shadows[0], shadows[1], _FILLED_SHADOW * area, half)
    return look.masked(cloud | shadow, Reason.RESIDUAL_CLOUD)


def _cloud_like(now: NDArray[np.float32], usual: NDArray[np.float32], rise: float) -> NDArray[np.bool_]:
    blue, red = now[_BLUE] - usual[_BLUE], now[_RED] - usual[_RED]
    swir = now[_SWIR22] - usual[_SWIR22]
    like: NDArray[np.bool_] = (blue > rise) & (blue >= _WHITE * red) & ~(swir > _SOIL * blue)
    return like


def _shadow_like(now: NDArray[np.float32], usual: NDArray[np.float32], share: float) -> NDArray[np.bool_]:
    dark = (now[_NIR] < share * usual[_NIR]) & (usual[_NIR] > _DARK_NIR)
    visible = (now[_GREEN] < usual[_GREEN]) & (now[_RED] < usual[_RED])
    swir = np.ones(dark.shape, bool)
    for band in (_SWIR16, _SWIR22):
        swir &= ~(now[band] > max(share, _SHADOW_SWIR) * usual[band])
    like: NDArray[np.bool_] = dark & visible & swir
    return like


def _spread(
    core: NDArray[np.bool_], weak: NDArray[np.bool_], least: NDArray[np.float64], half_px: int
) -> NDArray[np.bool_]:
    """Core pixels that fill their neighbourhood, with the weaker pixels around them and an edge."""
    full: NDArray[np.bool_] = _box_sum(core, half_px) >= least
    if not full.any():
        return full
    seeds = core & (_box_sum(full, half_px) > 0)
    if not seeds.any():
        return seeds
    square = np.ones((3, 3), bool)
    grown = ndimage.binary_dilation(seeds, square, iterations=_GROW_PX, mask=weak | seeds)
    edged: NDArray[np.bool_] = ndimage.binary_dilation(grown, square, iterations=_EDGE_PX)
    return edged


def _half_px(min_ha: float) -> int:
    """Half side of a square of so many hectares."""
    side = math.sqrt(min_ha * 100)
    return min(_HALF_MAX_PX, max(0, round((side - 1) / 2)))


def _box_sum(mask: NDArray[np.bool_], half_px: int) -> NDArray[np.int32]:
    """Pixels set in the square around each pixel: whole numbers, so exact for every window."""
    side = 2 * half_px + 1
    total = np.pad(mask.astype(np.int32), ((half_px + 1, half_px), (half_px + 1, half_px)))
    total = total.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32)
    sums: NDArray[np.int32] = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    return sums
