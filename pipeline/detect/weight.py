"""How far one look can be trusted, pixel by pixel, by what is known of it before anything is detected.

In: a look and the normal around a tile, and a third opinion on clouds where one was asked. Out: a weight per pixel.
Knows no probabilities and no other looks.

The weight is a product of four, each 1 where nothing speaks against the look:

- registration: 1 / (1 + r^2), where r is what is likely left of the look's shift in pixels;
- cloud edge: the distance to the next cloud or shadow over 16 px, at least a quarter: what masks miss of a cloud lies
  beside it. Masked spots narrower than about 160 m are no clouds but bright roofs, and are passed over. What a third
  opinion takes for cloud counts likewise;
- disagreement: the same over 32 px from where the guard against residual clouds overruled the scene classification;
- season: a half where all looks of the normal are of other seasons, and in proportion; less where only one or two
  looks made the normal.

Beside the weight stand two facts, from which conclusions are drawn in `marks`: whether the normal knows the season,
from at least three looks of it, most of all that made it (if not, looks share the error of the normal and are no
independent witnesses); and whether the place is barer than it became in any earlier look but one. Where it is not, it
may have been harvested, or have shed its leaves, as it does.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.grid import Window
from pipeline.schema import Look, Normal, Reason
from pipeline.sensors import greenness

WHOLE = 16
"""The weight of a look against which nothing speaks; weights are whole numbers of sixteenths, at least one."""
IN_SEASON = 32
"""Added to the weight where the normal knows the season."""
BARER = 64
"""Added to the weight where the place is barer than it became before."""
SUPPORT = 5
"""A look of a smaller weight, as beside a cloud, is heard, but never counts as one that shows a kind."""
REACH_PX = 32
"""So far around a tile the look must be known."""

_EDGE_PX, _OVERRULED_PX = 16, 32  # distances from which on a cloud says nothing
_NARROW_PX = 8  # half the width of a masked spot that is no cloud; a classified pixel with its dilation has 6
_LEAST_EDGE = 0.25
_OFF_SEASON = 0.5
_ENOUGH_LOOKS = 3  # in the normal; a median of fewer cannot outvote a missed cloud
_BARER_NDVI = 0.03  # so much lower than before


def weight(
    look: Look, normal: Normal, window: Window, *, trust: NDArray[np.float64] | None = None
) -> NDArray[np.uint8]:
    """Weigh a look on a window.

    Args:
        look: after the guard against residual clouds; covers the window grown by `REACH_PX`.
        normal: covers the window.
        window: of the tile.
        trust: (y, x) 0 to 1 on the window: the third opinion on its clouds; None where nobody was asked.

    Returns:
        (y, x) uint8 on the window: sixteenths, 1 to 16, and `IN_SEASON` and `BARER`. The smaller of two is the more
        cautious in what counts most. Where the look or the normal sees nothing the sixteenths are 1.

    Raises:
        ValueError: the look does not reach far enough.
    """
    around = window.grown(REACH_PX)
    if around.clipped(look.window) != around:
        raise ValueError(f"the look covers {look.window}, but {around} is needed")
    near = _edges(look.reason[around.within(look.window)])[window.within(around)]
    if trust is not None:
        near = np.minimum(near, trust)
    known = normal.cropped(window)
    count = known.count.astype(np.float64)
    of_season = known.pixels["season"].values
    share = of_season / np.maximum(count, 1)
    season = (_OFF_SEASON + (1 - _OFF_SEASON) * share) * np.minimum(count / _ENOUGH_LOOKS, 1)
    registered = 1 / (1 + look.shift.residual_px**2)
    sixteenths = np.maximum(np.floor(WHOLE * registered * near * season + 1e-9), 1).astype(np.uint8)
    independent = np.where((2 * share > 1) & (of_season >= _ENOUGH_LOOKS), np.uint8(IN_SEASON), np.uint8(0))
    green = greenness(look.reflectance[(slice(None), *window.within(look.window))])
    as_before = green >= known.barest - np.float32(_BARER_NDVI)  # false where either is not known
    return sixteenths + independent + np.where(as_before, np.uint8(0), np.uint8(BARER))


def _edges(reason: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(y, x) 0.25 beside clouds to 1 far from them; exact `REACH_PX` inside the array."""
    classified = (reason == Reason.CLOUD) | (reason == Reason.SHADOW)
    overruled = reason == Reason.RESIDUAL_CLOUD
    nearest = np.minimum(_to_wide(classified) / _EDGE_PX, _distance(overruled) / _OVERRULED_PX)
    return np.clip(nearest, _LEAST_EDGE, 1)


def doubted(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(y, x) 0.25 where a third opinion sees clouds, to 1 far from them; narrow spots do not count."""
    return np.clip(_to_wide(mask) / _EDGE_PX, _LEAST_EDGE, 1)


def _to_wide(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance to what is set and no narrow spot."""
    return _distance(_distance(~mask) > _NARROW_PX) - _NARROW_PX


def _distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance to the next pixel that is set, at most `REACH_PX`."""
    if not mask.any():
        return np.full(mask.shape, float(REACH_PX))
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(~mask)
    return np.minimum(distance, REACH_PX)
