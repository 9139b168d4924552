"""How well scores tell changed pixels from unchanged ones, in numpy.

In: scores and truth, ranked once. Out: figures. Every figure takes weights per group, so that a bootstrap over places
needs no second sort. A pixel is flagged where its score is at least the threshold; equal scores are flagged together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Wide = NDArray[np.float64]
Mask = NDArray[np.bool_]

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Ranked:
    """Pixels, highest score first."""

    score: Array
    """(n,) falling."""
    truth: Mask
    """(n,) changed."""
    group: NDArray[np.int32]
    """(n,) index of the group of places that the pixel is from."""
    last: NDArray[np.int64]
    """(k,) position of the last pixel of each run of equal scores."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What is found and what is wrongly flagged at each threshold, highest first; NaN where it is not defined."""

    threshold: Array
    """(k,) the distinct scores, falling."""
    hits: Wide
    """(k,) weight of changed pixels flagged."""
    false: Wide
    """(k,) weight of unchanged pixels flagged."""

    @property
    def recall(self) -> Wide:
        """(k,) share of changed pixels that are flagged."""
        return _share(self.hits, self.hits[-1:])

    @property
    def false_share(self) -> Wide:
        """(k,) share of unchanged pixels that are flagged."""
        return _share(self.false, self.false[-1:])

    @property
    def precision(self) -> Wide:
        """(k,) share of flagged pixels that changed; 1 where nothing is flagged."""
        flagged = self.hits + self.false
        return np.divide(self.hits, flagged, out=np.ones_like(flagged), where=flagged > 0)


@dataclass(frozen=True, slots=True)
class Reliability:
    """Probabilities against what happened, in bins of equal width."""

    claimed: Wide
    """(bin,) mean probability; NaN in an empty bin."""
    happened: Wide
    """(bin,) share that changed; NaN in an empty bin."""
    weight: Wide
    """(bin,) pixels."""

    @property
    def expected_error(self) -> float:
        """Expected calibration error: the gap of each bin, weighted by its pixels; NaN without pixels."""
        if not self.weight.sum():
            return NAN
        gap = np.abs(np.nan_to_num(self.claimed - self.happened))
        return float(np.sum(gap * self.weight) / self.weight.sum())


def rank(score: Array, truth: Mask, *, group: NDArray[np.int32] | None = None) -> Ranked:
    """Sort pixels by score.

    Args:
        score: (n,) without NaN, the higher the surer.
        truth: (n,) changed.
        group: (n,) index of the pixel's group; one group if None.

    Raises:
        ValueError: a score is NaN, or the lengths differ.
    """
    groups = np.zeros(len(score), np.int32) if group is None else group
    if len(score) != len(truth) or len(score) != len(groups):
        raise ValueError(f"{len(score)} scores, {len(truth)} truths and {len(groups)} groups must be equally many")
    if np.isnan(score).any():
        raise ValueError("scores hold NaN; leave pixels out that were not observed")
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    ends = np.append(np.diff(ordered) != 0, True) if len(ordered) else np.zeros(0, np.bool_)
    return Ranked(ordered, truth[order], groups[order], np.flatnonzero(ends))


def curve(ranked: Ranked, *, weights: Wide | None = None) -> Curve:
    """Hits and false flags at each threshold.

    Args:
        ranked: pixels.
        weights: (group,) how often each group counts; once each if None.
    """
    weight = np.ones(len(ranked.score)) if weights is None else weights[ranked.group]
    hits = np.cumsum(weight * ranked.truth)[ranked.last]
    false = np.cumsum(weight * ~ranked.truth)[ranked.last]
    return Curve(ranked.score[ranked.last], hits, false)


def average_precision(found: Curve) -> float:
    """Area under the precision-recall curve as a step function; NaN without changed pixels."""
    if not _has_both(found, need_false=False):
        return NAN
    return float(np.sum(np.diff(found.recall, prepend=0.0) * found.precision))


def roc_auc(found: Curve) -> float:
    """Chance that a changed pixel scores higher than an unchanged one, equal scores counting half; NaN without both."""
    if not _has_both(found):
        return NAN
    recall = np.concatenate([[0.0], found.recall])
    return float(np.sum(np.diff(found.false_share, prepend=0.0) * (recall[1:] + recall[:-1]) / 2))


def best_f1(found: Curve) -> float:
    """Largest F1 over all thresholds; NaN without changed pixels."""
    if not _has_both(found, need_false=False):
        return NAN
    return float(np.max(2 * found.hits / (found.hits[-1] + found.hits + found.false)))


def best_threshold(found: Curve) -> float:
    """Threshold of the largest F1, the highest of equal ones; NaN without changed pixels."""
    if not _has_both(found, need_false=False):
        return NAN
    return float(found.threshold[np.argmax(2 * found.hits / (found.hits[-1] + found.hits + found.false))])


def threshold_at(found: Curve, *, false_share: float) -> float:
    """Lowest threshold at which at most `false_share` of the unchanged pixels are flagged.

    Infinite where even the highest score flags more; NaN without unchanged pixels.
    """
    if not len(found.false) or found.false[-1] <= 0:
        return NAN
    within = np.flatnonzero(found.false_share <= false_share)
    return float(found.threshold[within[-1]]) if len(within) else float("inf")


def threshold_for(found: Curve, *, recall: float) -> float:
    """Highest threshold at which at least `recall` of the changed pixels is flagged; NaN without changed pixels."""
    if not _has_both(found, need_false=False):
        return NAN
    return float(found.threshold[np.flatnonzero(found.recall >= recall)[0]])


def recall_at(found: Curve, *, false_share: float) -> float:
    """Share of changed pixels flagged while at most `false_share` of the unchanged ones are; NaN without both."""
    if not _has_both(found):
        return NAN
    within = np.flatnonzero(found.false_share <= false_share)
    return float(found.recall[within[-1]]) if len(within) else 0.0


def reliability(ranked: Ranked, *, bins: int = 10, weights: Wide | None = None) -> Reliability:
    """Compare probabilities with what happened.

    Args:
        ranked: pixels whose scores are probabilities, 0 to 1.
        bins: of equal width.
        weights: (group,) how often each group counts; once each if None.
    """
    place = np.minimum((ranked.score.astype(np.float64) * bins).astype(np.int64), bins - 1)
    weight = np.ones(len(place)) if weights is None else weights[ranked.group].astype(np.float64)
    count, claimed, happened = (
        np.asarray(np.bincount(place, weights=values, minlength=bins), np.float64)
        for values in (weight, weight * ranked.score, weight * ranked.truth)
    )
    return Reliability(_share(claimed, count), _share(happened, count), count)


def _has_both(found: Curve, *, need_false: bool = True) -> bool:
    return bool(len(found.hits) and found.hits[-1] > 0 and (found.false[-1] > 0 or not need_false))


def _share(part: Wide, whole: Wide) -> Wide:
    out = np.full_like(part, np.nan)
    return np.divide(part, whole, out=out, where=np.broadcast_to(whole, part.shape) > 0)
