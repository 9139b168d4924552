"""The trials that methods are put to: pixels, objects, scenes, and false alerts.

In: places with the scores of every method on them. Out: figures with bootstrap intervals. All methods are judged on the
same pixels: those on which every one of them gives an answer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate import bootstrap, metrics, objects, tally
from pipeline.evaluate.places import CHANGED, STABLE, Place
from pipeline.evaluate.results import Row
from pipeline.grid import RESOLUTION_M

Array = NDArray[np.float32]
Wide = NDArray[np.float64]
Maps = Mapping[str, Sequence[Array]]
"""Method to one (y, x) score per place, NaN outside the pixels that all methods answer for."""
Figures = dict[str, float]

FLAGGED = (0.01, 0.05)
"""Shares of stable pixels flagged at which recalls are given."""
MIN_OBJECT_PX = 10  # 0.1 ha
FOUND_SHARE = 0.3  # of an object's pixels must be flagged; the other way to count is any pixel
_PIXEL_KM2 = RESOLUTION_M**2 / 1e6


@dataclass(frozen=True, slots=True)
class Draws:
    """How intervals are made."""

    number: int
    seed: int


def same_pixels(scored: Mapping[str, Sequence[Mapping[str, Array]]], places: Sequence[Place]) -> Maps:
    """Each method's score for the place's kind, on the pixels that all methods answer for."""
    maps: dict[str, list[Array]] = {name: [] for name in scored}
    for index, place in enumerate(places):
        layers = {name: scores[index][place.kind] for name, scores in scored.items()}
        seen = np.logical_and.reduce([np.isfinite(layer) for layer in layers.values()])
        for name, layer in layers.items():
            maps[name].append(np.where(seen, layer, np.float32(np.nan)))
    return maps


def ranked_pixels(scores: Sequence[Array], places: Sequence[Place]) -> metrics.Ranked:
    """Pixels labelled changed or stable, sorted by score."""
    parts: list[tuple[Array, NDArray[np.bool_], NDArray[np.int32]]] = []
    for score, place, group in zip(scores, places, group_numbers(places), strict=True):
        kept = np.isfinite(score) & ((place.label == CHANGED) | (place.label == STABLE))
        parts.append((score[kept], place.label[kept] == CHANGED, np.full(kept.sum(), group, np.int32)))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return metrics.rank(columns[0], columns[1], group=columns[2])


def pixel_trial(name: str, maps: Maps, places: Sequence[Place], *, claims: set[str], draws: Draws) -> tuple[Row, ...]:
    """Average precision, ROC AUC, best F1, recalls of pixels and objects, and calibration.

    Args:
        name: of the trial.
        maps: scores; the first method is the one that others are compared with.
        places: with labels.
        claims: methods whose scores are probabilities.
        draws: of the bootstrap.
    """
    judges = {method: _pixel_judge(maps[method], places, method in claims) for method in maps}
    return measure(name, judges, groups=_group_count(places), draws=draws)


def scene_trial(
    name: str, values: Mapping[str, Mapping[str, Array]], places: Sequence[Place], *, changed: set[str], draws: Draws
) -> tuple[Row, ...]:
    """ROC AUC of whole scenes.

    Args:
        name: of the trial.
        values: method to name of the statistic to its (place,) values.
        places: all of which count, changed or not.
        changed: scene labels that count as changed.
        draws: of the bootstrap.
    """
    truth = np.array([place.scene_label in changed for place in places])
    group = np.array(group_numbers(places), np.int32)

    def judge(columns: Mapping[str, Array]) -> Callable[[Wide | None], Figures]:
        ranked = {key: metrics.rank(value, truth, group=group) for key, value in columns.items()}
        return lambda w: {f"AUC {key}": metrics.roc_auc(metrics.curve(r, weights=w)) for key, r in ranked.items()}

    return measure(name, {m: judge(columns) for m, columns in values.items()}, groups=_group_count(places), draws=draws)


def alarm_trial(
    name: str, maps: Maps, places: Sequence[Place], *, thresholds: Mapping[str, Mapping[str, float]], draws: Draws
) -> tuple[Row, ...]:
    """False alerts per 1,000 km2 and look, on places where nothing happened.

    Args:
        name: of the trial.
        maps: scores.
        places: without change.
        thresholds: method to name of the threshold to its value, set elsewhere.
        draws: of the bootstrap.
    """
    group = group_numbers(places)

    def judge(method: str) -> Callable[[Wide | None], Figures]:
        area = np.array([np.isfinite(score).sum() for score in maps[method]]) * _PIXEL_KM2
        alerts = {
            key: np.array([objects.count_alerts(score >= limit, min_px=MIN_OBJECT_PX) for score in maps[method]])
            for key, limit in thresholds[method].items()
        }

        def figures(weights: Wide | None) -> Figures:
            weight = np.ones(len(places)) if weights is None else weights[group]
            total = float(weight @ area)
            return {f"alerts {key}": 1000 * float(weight @ n) / total if total else np.nan for key, n in alerts.items()}

        return figures

    return measure(name, {m: judge(m) for m in maps}, groups=_group_count(places), draws=draws)


def measure(
    trial: str, judges: Mapping[str, Callable[[Wide | None], Figures]], *, groups: int, draws: Draws
) -> tuple[Row, ...]:
    """Figures of every method with their intervals, and how far the first method is ahead on the same draws.

    Args:
        trial: its name.
        judges: method to a function of weights per group (None: each group once).
        groups: how many there are.
        draws: of the bootstrap.
    """
    weights = bootstrap.draw_weights(groups, draws=draws.number, seed=draws.seed)
    whole = {method: judge(None) for method, judge in judges.items()}
    if groups < 2:  # one group tells nothing about others
        weights = weights[:0]
    drawn = {method: [judge(weight) for weight in weights] for method, judge in judges.items()}
    first = next(iter(judges))
    rows = []
    for method in judges:
        for figure, value in whole[method].items():
            values = np.array([sample[figure] for sample in drawn[method]])
            rival = np.array([sample.get(figure, np.nan) for sample in drawn[first]])
            spread, lead = bootstrap.interval(values), bootstrap.interval(rival - values)
            ahead = whole[first].get(figure, np.nan) - value
            bounds = (spread.low, spread.high, ahead, lead.low, lead.high)
            rows.append(Row(trial, method, figure, value, *bounds, groups))
    return tuple(rows)


def seen_change(score: Array, place: Place) -> NDArray[np.bool_]:
    """(y, x) changed, where the methods were asked: nobody can find what lies under a cloud."""
    seen: NDArray[np.bool_] = (place.label == CHANGED) & np.isfinite(score)
    return seen


def group_numbers(places: Sequence[Place]) -> list[int]:
    """Index of each place's group, in the order of their names."""
    numbers = {name: index for index, name in enumerate(sorted({place.group for place in places}))}
    return [numbers[place.group] for place in places]


def _group_count(places: Sequence[Place]) -> int:
    return len({place.group for place in places})


def _pixel_judge(
    scores: Sequence[Array], places: Sequence[Place], claims_probability: bool
) -> Callable[[Wide | None], Figures]:
    ranked = ranked_pixels(scores, places)
    counted = tally.tally(ranked, groups=_group_count(places))
    found = {"objects": _objects(scores, places, FOUND_SHARE), "objects any": _objects(scores, places, 0.0)}

    def judge(weights: Wide | None) -> Figures:
        curve = metrics.curve(ranked) if weights is None else tally.curve(counted, weights)
        figures = {
            "AP": metrics.average_precision(curve),
            "AUC": metrics.roc_auc(curve),
            "best F1": metrics.best_f1(curve),
        }
        for share in FLAGGED:
            figures[f"recall at {share:.0%}"] = metrics.recall_at(curve, false_share=share)
            limit = metrics.threshold_at(curve, false_share=share)
            for key, (score, group) in found.items():
                weight = np.ones(len(group)) if weights is None else weights[group]
                total = float(weight.sum())
                figures[f"{key} at {share:.0%}"] = float(weight @ (score >= limit)) / total if total else np.nan
        if claims_probability:
            claims = metrics.reliability(ranked) if weights is None else tally.reliability(counted, weights)
            figures["ECE"] = claims.expected_error
        return figures

    return judge


def _objects(scores: Sequence[Array], places: Sequence[Place], share: float) -> tuple[Array, NDArray[np.int64]]:
    """Score and group of each changed object."""
    found = [
        objects.object_scores(score, seen_change(score, place), min_px=MIN_OBJECT_PX, share=share)
        for score, place in zip(scores, places, strict=True)
    ]
    groups = np.repeat(np.array(group_numbers(places), np.int64), [len(score) for score in found])
    return np.concatenate(found), groups
