"""Ranked pixels counted per level of score and group of places, so that a bootstrap need not touch pixels again.

In: ranked pixels. Out: curves and reliabilities for any weights per group. Scores are merged into levels, each with at
most 1 in 2,048 of the changed and of the unchanged pixels, or one score that more pixels share: intervals are made of
these, figures themselves of all scores.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate.metrics import Curve, Ranked, Reliability

Array = NDArray[np.float32]
Wide = NDArray[np.float64]

_LEVELS = 2048
_BINS = 10


@dataclass(frozen=True, slots=True)
class Tally:
    """Pixels of each level and group."""

    threshold: Array
    """(level,) lowest score of each, falling."""
    hits: Wide
    """(level, group) changed pixels."""
    false: Wide
    """(level, group) unchanged pixels."""
    claimed: Wide
    """(bin, group) sum of the scores in bins of equal width from 0 to 1."""
    happened: Wide
    """(bin, group) changed pixels."""
    count: Wide
    """(bin, group) pixels."""


def tally(ranked: Ranked, *, groups: int) -> Tally:
    """Count ranked pixels.

    Args:
        ranked: pixels.
        groups: how many there are; some may have no pixel.
    """
    last = _level_ends(ranked)
    level = np.searchsorted(last, np.arange(len(ranked.score)))
    place = np.clip((ranked.score.astype(np.float64) * _BINS), 0, _BINS - 1).astype(np.int64)
    hits, false = (
        _counted(level, ranked.group, truth.astype(np.float64), (len(last), groups))
        for truth in (ranked.truth, ~ranked.truth)
    )
    claimed, happened, count = (
        _counted(place, ranked.group, value, (_BINS, groups))
        for value in (ranked.score.astype(np.float64), ranked.truth.astype(np.float64), np.ones(len(place)))
    )
    return Tally(ranked.score[last], hits, false, claimed, happened, count)


def curve(counted: Tally, weights: Wide) -> Curve:
    """Hits and false flags at each level with each group counted as often as `weights` (group,) says."""
    return Curve(counted.threshold, np.cumsum(counted.hits @ weights), np.cumsum(counted.false @ weights))


def reliability(counted: Tally, weights: Wide) -> Reliability:
    """Probabilities against what happened, with each group counted as often as `weights` (group,) says."""
    count, claimed, happened = (part @ weights for part in (counted.count, counted.claimed, counted.happened))
    some = np.where(count > 0, count, np.nan)
    return Reliability(claimed / some, happened / some, count)


def _level_ends(ranked: Ranked) -> NDArray[np.int64]:
    """Positions of the last pixel of each level: runs of equal scores, merged until changed or other ones fill it."""
    if len(ranked.last) <= _LEVELS:
        return ranked.last
    full = np.zeros(len(ranked.last), np.bool_)
    for truth in (ranked.truth, ~ranked.truth):
        total = np.cumsum(truth)[ranked.last]
        step = total * _LEVELS // max(1, int(total[-1]))  # which of the levels the run ends in
        full |= np.append(np.diff(step) != 0, True)
    return ranked.last[full]


def _counted(row: NDArray[np.int64], col: NDArray[np.int32], value: Wide, shape: tuple[int, int]) -> Wide:
    sums = np.bincount(row * shape[1] + col, weights=value, minlength=shape[0] * shape[1])
    return np.asarray(sums, np.float64).reshape(shape)
