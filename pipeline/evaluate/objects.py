"""Changed objects found and false alerts raised: what an analyst counts, not pixels.

In: scores on pixels. Out: scores of objects, and counts of alerts. Objects and alerts are 8-connected.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

_EIGHT = np.ones((3, 3), np.bool_)


def object_scores(score: Array, changed: Mask, *, min_px: int, share: float) -> Array:
    """For each changed object the highest threshold at which it still counts as found.

    Args:
        score: (y, x); NaN is never flagged.
        changed: (y, x); its 8-connected parts are the objects.
        min_px: smaller objects are left out.
        share: of an object's pixels that must be flagged, 0 to 1; at least one pixel always.

    Returns:
        (object,) float32; minus infinity where an object can never be found.
    """
    number, _ = ndimage.label(changed, structure=_EIGHT)
    known = np.where(np.isnan(score), np.float32(-np.inf), score)
    found = []
    for index in range(1, int(number.max(initial=0)) + 1):
        inside = known[number == index]
        if len(inside) >= min_px:
            needed = max(1, math.ceil(share * len(inside)))
            found.append(np.sort(inside)[-needed])
    return np.array(found, np.float32)


def object_sizes(changed: Mask) -> NDArray[np.int64]:
    """(object,) pixels of each 8-connected part of `changed` (y, x), in the order of `object_scores`."""
    number, _ = ndimage.label(changed, structure=_EIGHT)
    sizes: NDArray[np.int64] = np.bincount(number.ravel())[1:]
    return sizes


def count_alerts(flagged: Mask, *, min_px: int, excused: Mask | None = None) -> int:
    """Number of 8-connected parts of `flagged` (y, x) with at least `min_px` pixels, none of them `excused` (y, x)."""
    number, _ = ndimage.label(flagged, structure=_EIGHT)
    large = np.bincount(number.ravel()) >= min_px
    if excused is not None:
        large[np.unique(number[excused])] = False
    return int(np.sum(large[1:]))


def threshold_for_alerts(
    scores: list[Array], *, min_px: int, max_alerts: float, excused: list[Mask] | None = None, steps: int = 60
) -> float:
    """Lowest threshold at which unchanged places raise no more than `max_alerts` alerts.

    Args:
        scores: (y, x) of each place, all unchanged; NaN is never flagged.
        min_px: smaller groups of flagged pixels are no alert.
        max_alerts: the budget over all places.
        excused: (y, x) of each place; alerts that reach into it do not count.
        steps: thresholds tried, from the highest score down; the first that breaks the budget ends the search.

    Returns:
        A score; infinite where the highest score alone breaks the budget or nothing is scored.
    """
    known = np.concatenate([score[np.isfinite(score)] for score in scores] or [np.zeros(0, np.float32)])
    if not len(known):
        return math.inf
    masks: list[Mask | None] = [*excused] if excused else [None] * len(scores)
    shares = np.concatenate([[0.0], np.geomspace(1 / len(known), 0.5, steps)])
    best = math.inf
    for threshold in np.unique(np.quantile(known, 1 - shares, method="higher"))[::-1]:
        pairs = zip(scores, masks, strict=True)
        alerts = sum(count_alerts(score >= threshold, min_px=min_px, excused=mask) for score, mask in pairs)
        if alerts > max_alerts:
            break
        best = float(threshold)
    return best
