"""How far a figure would move with other places: a seeded bootstrap over groups of places, not pixels.

In: a figure as a function of weights per group. Out: an interval. The same seed draws the same places for every method,
so that differences between methods are of the same places too.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Wide = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """The middle 95 % of the bootstrap."""

    low: float
    high: float


def draw_weights(groups: int, *, draws: int, seed: int) -> Wide:
    """How often each group is drawn.

    Args:
        groups: number of groups.
        draws: bootstrap samples; each draws `groups` groups with replacement.
        seed: the same seed gives the same draws.

    Returns:
        (draw, group) float64 counts.
    """
    rng = np.random.default_rng(seed)
    counts: Wide = rng.multinomial(groups, np.full(groups, 1 / groups), size=draws).astype(np.float64)
    return counts


def interval(values: Wide) -> Interval:
    """Quantiles 2.5 % and 97.5 % of (draw,) values; draws in which the figure is not defined (NaN) are left out."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(float(low), float(high))
