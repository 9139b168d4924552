"""Injected changes found at a budget of false alerts, by the size of the change.

In: places with injected changes and every method's scores. Out: figures like those of the other trials.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline import config
from pipeline.evaluate import objects, trials
from pipeline.evaluate.places import CHANGED, STABLE, Place
from pipeline.evaluate.results import Row
from pipeline.evaluate.trials import Draws, Figures, Maps
from pipeline.grid import RESOLUTION_M

Array = NDArray[np.float32]
Wide = NDArray[np.float64]

CLASSES_HA = (0.0, 0.2, 1.0, 5.0, float("inf"))
"""Edges of the classes of size."""
ALERTS_PER_KM2 = 1 / 100
_RIM = np.ones((5, 5), np.bool_)
_PIXEL_HA = RESOLUTION_M**2 / 1e4


def size_trial(name: str, maps: Maps, places: Sequence[Place], *, draws: Draws) -> tuple[Row, ...]:
    """Share of changes found, by size, while unchanged ground raises one alert per 100 km2.

    A change is found where 30 % of its pixels are flagged. The smallest alert is that of the kind's rules. An alert
    that reaches a change to within two pixels is the rim of a true one; one on a change of another kind is false.

    Args:
        name: of the trial.
        maps: scores; the first method is the one that others are compared with.
        places: all of one kind, with changed and stable pixels.
        draws: of the bootstrap.
    """
    judges = {method: _judge(scores, places) for method, scores in maps.items()}
    return trials.measure(name, judges, groups=len({place.group for place in places}), draws=draws)


def _judge(scores: Sequence[Array], places: Sequence[Place]) -> Callable[[Wide | None], Figures]:
    limit = _limit(scores, places)
    found: list[NDArray[np.bool_]] = []
    area_ha: list[NDArray[np.floating[Any]]] = []
    for score, place in zip(scores, places, strict=True):
        changed = trials.seen_change(score, place)
        found.append(objects.object_scores(score, changed, min_px=1, share=trials.FOUND_SHARE) >= limit)
        area_ha.append(objects.object_sizes(changed) * _PIXEL_HA)
    group = np.repeat(trials.group_numbers(places), [len(part) for part in found])
    hit, area = np.concatenate(found), np.concatenate(area_ha)

    def figures(weights: Wide | None) -> Figures:
        weight = np.ones(len(group)) if weights is None else weights[group]
        result = {"found": _share(hit, weight)}
        for low, high in itertools.pairwise(CLASSES_HA):
            inside = (area >= low) & (area < high)
            result[f"found {low:g} to {high:g} ha"] = _share(hit[inside], weight[inside])
        return result

    return figures


def _limit(scores: Sequence[Array], places: Sequence[Place]) -> float:
    """The threshold at which the stable ground keeps to the budget."""
    stable = [
        np.where(place.label == STABLE, score, np.float32(np.nan)) for score, place in zip(scores, places, strict=True)
    ]
    area_km2 = sum(int(np.isfinite(score).sum()) for score in stable) * _PIXEL_HA / 100
    rules = getattr(config.Rules(), places[0].kind.value)
    min_px = round(rules.min_area_m2 / RESOLUTION_M**2)
    rims = [ndimage.binary_dilation(place.label == CHANGED, _RIM) for place in places]
    return objects.threshold_for_alerts(stable, min_px=min_px, max_alerts=area_km2 * ALERTS_PER_KM2, excused=rims)


def _share(hit: NDArray[np.bool_], weight: Wide) -> float:
    total = float(weight.sum())
    return float(weight @ hit) / total if total else float("nan")
