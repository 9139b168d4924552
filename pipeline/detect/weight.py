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

Beside the weight stand three facts, from which conclusions are drawn in `marks`: whether the normal knows the season,
from at least three looks of it, most of all that made it (if not, looks share the error of the normal and are no
independent witnesses); whether the place is barer than it became in any earlier look but one (where it is not, it may
have been harvested, or have shed its leaves, as it does); and whether it lies so far from clouds that they take less
than a third of the weight.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.grid import Window
from pipeline.schema import Look, Normal, Reason
from pipeline.sensors import greenness

WHOLE = 16
"""The weight of a look against which nothing speaks; weights are whole numbers of sixteenths, at least one."""
IN_SEASON = 32
"""Added to the weight where the normal knows the season."""
BARER = 64
"""Added to the weight where the place is barer than it became before."""
AWAY = 128
"""Added to the weight where clouds and disagreement take less than a third of it."""
SUPPORT = 5
"""A look of a smaller weight, as beside a cloud, is heard, but never counts as one that shows a kind."""
REACH_PX = 32
"""So far around a tile the look must be known."""

_EDGE_PX, _OVERRULED_PX = 16, 32  # distances from which on a cloud says nothing
_NARROW_PX = 8  # half the width of a masked spot that is no cloud; a classified pixel with its dilation has 6
_STRIP_PX = 64  # rows worked on together
_LEAST_EDGE = 0.25
_AWAY_SHARE = 2 / 3
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
        (y, x) uint8 on the window: sixteenths, 1 to 16, and `IN_SEASON`, `BARER` and `AWAY`. Where the look or
        the normal sees nothing the sixteenths are 1.

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
    told: NDArray[np.uint8] = sixteenths + independent
    told[~as_before] += np.uint8(BARER)
    told[near >= _AWAY_SHARE] += np.uint8(AWAY)
    return told


def more_cautious(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The code of two looks that count as one: the smaller weight, and only the marks that both bear."""
    lesser: NDArray[np.uint8] = np.minimum(one % IN_SEASON, other % IN_SEASON)
    return lesser + (one & other & np.uint8(IN_SEASON | BARER | AWAY))


def _edges(reason: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(y, x) 0.25 beside clouds to 1 far from them; exact `REACH_PX` inside the array."""
    classified = (reason == Reason.CLOUD) | (reason == Reason.SHADOW)
    overruled = reason == Reason.RESIDUAL_CLOUD
    nearest = np.minimum(_to_wide(classified) / _EDGE_PX, _distance(overruled, most=_OVERRULED_PX) / _OVERRULED_PX)
    return np.clip(nearest, _LEAST_EDGE, 1)


def doubted(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(y, x) 0.25 where a third opinion sees clouds, to 1 far from them; narrow spots do not count."""
    return np.clip(_to_wide(mask) / _EDGE_PX, _LEAST_EDGE, 1)


def _to_wide(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance to what is set and no narrow spot, at most `_EDGE_PX`."""
    wide = _distance(~mask, most=_NARROW_PX + 1) > _NARROW_PX
    return _distance(wide, most=_EDGE_PX + _NARROW_PX) - _NARROW_PX


def _distance(mask: NDArray[np.bool_], *, most: int) -> NDArray[np.float64]:
    """Distance to the next pixel that is set, at most `most`; exact, and cheap since it looks no further.

    Along columns first, then along rows the smallest sum of squares, in strips that stay in the cache.

    Source: Felzenszwalb and Huttenlocher (2012), doi:10.4086/toc.2012.v008a019, for the two passes.
    """
    if not mask.any():
        return np.full(mask.shape, float(most))
    squares = _along_columns(mask, most) ** 2
    roots = np.sqrt(np.arange(most**2 + 1))
    distance = np.empty(mask.shape)
    for row in range(0, len(mask), _STRIP_PX):
        square = squares[row : row + _STRIP_PX]
        least = square.copy()
        for step in range(1, most):
            aside = square + np.int16(step**2)
            np.minimum(least[:, step:], aside[:, :-step], out=least[:, step:])
            np.minimum(least[:, :-step], aside[:, step:], out=least[:, :-step])
        np.take(roots, least, out=distance[row : row + _STRIP_PX], mode="clip")
    return distance


def _along_columns(mask: NDArray[np.bool_], most: int) -> NDArray[np.int16]:
    """Distance to the next pixel that is set in the same column, at most `most`."""
    distance = np.where(mask, np.int16(0), np.int16(most))
    for row in range(1, len(mask)):
        np.minimum(distance[row], distance[row - 1] + np.int16(1), out=distance[row])
    for row in range(len(mask) - 2, -1, -1):
        np.minimum(distance[row], distance[row + 1] + np.int16(1), out=distance[row])
    return distance
