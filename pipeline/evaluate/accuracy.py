"""How right a map of alerts is, from a stratified sample that people have looked at: shares with intervals, and areas.

In: for each stratum its size and, for each sampled pixel, what the map and what people say. Out: overall, user's and
producer's accuracy and area of each class. Knows no files and no rasters.

Few pixels of an area are alerts, and few of the others are changes that were missed; so each sampled pixel counts as
many pixels as it stands for. A count of right answers alone would say little of either.

Source: Stehman (2014), doi:10.1080/01431161.2014.930207, for strata that are not the classes of the map; where they
are, it is the same as Olofsson et al. (2014), doi:10.1016/j.rse.2014.02.015.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NORMAL_95 = 1.959964
Values = NDArray[np.float64]
"""(n,) of the pixels of a stratum that were looked at."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """Part of the ground, and what was found at pixels drawn in it at random."""

    pixels: int
    """All of them, drawn or not."""
    pairs: tuple[tuple[str, str], ...]
    """For each pixel that was looked at: what the map says, and what is there."""


@dataclass(frozen=True, slots=True)
class Share:
    """An estimate with half the width of its 95 % interval."""

    value: float
    plus_minus: float


@dataclass(frozen=True, slots=True)
class OfClass:
    """What is known of one class."""

    users: Share | None
    """Share of what the map calls so that is so; None where the map has none."""
    producers: Share | None
    """Share of what is so that the map calls so; None where there is none."""
    area: Share
    """Share of all ground that is so."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What a sample says of a map."""

    overall: Share
    classes: dict[str, OfClass]
    pixels: int
    looked_at: int


def estimate(strata: Sequence[Stratum], classes: Sequence[str]) -> Accuracy:
    """Accuracy and areas from a stratified random sample.

    Args:
        strata: that together are all ground.
        classes: all that the map or people may say.

    Raises:
        ValueError: a stratum has fewer than two pixels that were looked at, and more than that in all.
    """
    for stratum in strata:
        if len(stratum.pairs) < min(2, stratum.pixels):
            raise ValueError(f"{len(stratum.pairs)} of {stratum.pixels} pixels were looked at; at least two are needed")
    held = [_Seen.of(stratum) for stratum in strata if stratum.pixels]
    everywhere = [np.ones(len(one.mapped)) for one in held]
    found = {}
    for name in classes:
        mapped, there = [1.0 * (one.mapped == name) for one in held], [1.0 * (one.there == name) for one in held]
        both = [one * other for one, other in zip(mapped, there, strict=True)]
        area = _ratio(held, there, everywhere) or Share(0.0, 0.0)
        found[name] = OfClass(_ratio(held, both, mapped), _ratio(held, both, there), area)
    right = _ratio(held, [1.0 * (one.mapped == one.there) for one in held], everywhere)
    return Accuracy(
        right or Share(math.nan, math.nan),
        found,
        pixels=sum(stratum.pixels for stratum in strata),
        looked_at=sum(len(stratum.pairs) for stratum in strata),
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """A stratum as arrays."""

    pixels: int
    mapped: NDArray[np.str_]
    there: NDArray[np.str_]

    @classmethod
    def of(cls, stratum: Stratum) -> "_Seen":
        return cls(stratum.pixels, *(np.array([pair[side] for pair in stratum.pairs], np.str_) for side in (0, 1)))


def _ratio(strata: Sequence[_Seen], part: Sequence[Values], whole: Sequence[Values]) -> Share | None:
    """Total of one value over the total of another, with its interval; None where the other is nowhere.

    Stehman (2014), equations 27 to 30: a combined ratio, its variance to first order, finite populations.
    """
    total = sum(one.pixels * float(x.mean()) for one, x in zip(strata, whole, strict=True))
    if not total:
        return None
    ratio = sum(one.pixels * float(y.mean()) for one, y in zip(strata, part, strict=True)) / total
    variance = 0.0
    for one, y, x in zip(strata, part, whole, strict=True):
        count = len(y)
        if count < 2:  # all that there is was looked at
            continue
        spread = float((y - ratio * x).var(ddof=1))  # s_y^2 + R^2 s_x^2 - 2 R s_xy
        variance += one.pixels**2 * (1 - count / one.pixels) * spread / count
    return Share(ratio, _NORMAL_95 * math.sqrt(variance) / total)
