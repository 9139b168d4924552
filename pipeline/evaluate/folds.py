"""A public benchmark with a training and a test part: thresholds from folds of the training images, several seeds.

In: both parts as places, and methods. Out: figures on whole test images. For each seed the training images are dealt
anew: what is fitted is fitted to three fifths of them, and every method's threshold is the best one on the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate import bootstrap, metrics, tally, trials
from pipeline.evaluate.methods import Lineup, Method, score_places
from pipeline.evaluate.places import Place

Wide = NDArray[np.float64]
Fit = Callable[[Sequence[Place], int], Method]
"""Training places and a seed to a fitted method."""

_TUNED_SHARE = 0.4
_DRAWS = 300


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one method on the test images."""

    method: str
    figure: str
    mean: float
    """Over seeds."""
    spread: float
    """Standard deviation over seeds; 0 of what depends on none."""
    low: float
    high: float
    """Interval of 95 % of the mean, over test images."""


@dataclass(frozen=True, slots=True)
class Benchmarked:
    """All figures of a benchmark."""

    name: str
    licence: str
    bands: int
    seeds: int
    training_images: int
    test_images: int
    figures: tuple[Figure, ...]

    def value(self, method: str, figure: str) -> float:
        """Mean of one figure.

        Raises:
            KeyError: it was not measured.
        """
        for row in self.figures:
            if (row.method, row.figure) == (method, figure):
                return row.mean
        raise KeyError(f"{method}, {figure}")


def measure(
    lineup: Lineup, fits: Sequence[Fit], parts: tuple[Sequence[Place], Sequence[Place]], *, seeds: int
) -> tuple[Figure, ...]:
    """Judge methods as they are, and methods that are fitted to the training images.

    Args:
        lineup: methods as they are.
        fits: ways to fit a method.
        parts: training and test places.
        seeds: how often the training images are dealt.

    Returns:
        Figures: average precision, and F1, precision and recall at the threshold from the training images.
    """
    training, test = parts
    known = [score_places(lineup, part) for part in parts]
    figures: dict[str, list[dict[str, Wide]]] = {}
    weights = bootstrap.draw_weights(len(test), draws=_DRAWS if len(test) > 1 else 0, seed=0)
    weights = np.concatenate([np.ones((1, len(test))), weights])
    for seed in range(seeds):
        tuned, fitted_to = deal(training, seed=seed)
        fitted = tuple(fit([training[i] for i in fitted_to], seed) for fit in fits)
        scored = [part | score_places(fitted, places) for part, places in zip(known, parts, strict=True)]
        maps = [trials.same_pixels(part, places) for part, places in zip(scored, parts, strict=True)]
        for method, scores in maps[0].items():
            some = [training[i] for i in tuned]
            limit = metrics.best_threshold(metrics.curve(trials.ranked_pixels([scores[i] for i in tuned], some)))
            row = _judged(trials.ranked_pixels(maps[1][method], _apart(test)), limit, weights)
            figures.setdefault(method, []).append(row)
    return tuple(_figure(m, name, [row[name] for row in rows]) for m, rows in figures.items() for name in rows[0])


def deal(training: Sequence[Place], *, seed: int) -> tuple[list[int], list[int]]:
    """Indices of the places that thresholds come from, and of those that methods are fitted to; neither is empty."""
    order = np.random.default_rng(seed).permutation(len(training)).tolist()
    cut = min(max(1, round(_TUNED_SHARE * len(order))), len(order) - 1)
    return sorted(order[:cut]), sorted(order[cut:])


def _apart(test: Sequence[Place]) -> Sequence[Place]:
    """The places with their own number as group, so that the bootstrap draws images."""
    return [
        Place(place.id, f"{number:06d}", place.kind, place.before, place.after, place.label)
        for number, place in enumerate(test)
    ]


def _judged(ranked: metrics.Ranked, limit: float, weights: Wide) -> dict[str, Wide]:
    """(1 + draw,) of each figure: of all test images, then of each draw of them."""
    groups = weights.shape[1]
    flagged = ranked.score >= limit
    hits, false, changed = (
        weights @ np.bincount(ranked.group, weights=mask.astype(np.float64), minlength=groups)
        for mask in (flagged & ranked.truth, flagged & ~ranked.truth, ranked.truth)
    )
    counted = tally.tally(ranked, groups=groups)
    curves = [metrics.curve(ranked), *(tally.curve(counted, weight) for weight in weights[1:])]
    return {
        "AP": np.array([metrics.average_precision(curve) for curve in curves]),
        "F1": _share(2 * hits, changed + hits + false),
        "precision": _share(hits, hits + false),
        "recall": _share(hits, changed),
    }


def _figure(method: str, name: str, seeds: Sequence[Wide]) -> Figure:
    values = np.stack(seeds)
    mean, spread = float(values[:, 0].mean()), float(values[:, 0].std(ddof=1)) if len(values) > 1 else 0.0
    around = bootstrap.interval(values[:, 1:].mean(axis=0))
    return Figure(method, name, mean, spread, around.low, around.high)


def _share(part: Wide, whole: Wide) -> Wide:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
