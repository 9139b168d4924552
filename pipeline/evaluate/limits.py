"""Thresholds from places that models may train on, never from the places judged.

In: methods and training places. Out: a score per method and rule. What comes from the suburbs says how much of unknown
ground is flagged; what comes from training chips makes methods equally sensitive, so that their false alerts compare.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.evaluate import metrics, trials
from pipeline.evaluate.methods import Lineup, score_places
from pipeline.evaluate.places import Place
from pipeline.evaluate.results import Thresholds
from pipeline.schema import Kind

FOUND = 0.5
"""Share of the pixels of injected clearings on training places that are found at the equally sensitive threshold."""


def training_thresholds(lineup: Lineup, suburbs: Sequence[Place], clearings: Sequence[Place] = ()) -> Thresholds:
    """Scores that 1 % and 5 % of the suburbs' pixels exceed, that half of injected clearings do, and the methods' own.

    Args:
        lineup: the methods.
        suburbs: places that models may train on; what changed on them counts as unchanged here, for all methods alike;
            may be empty.
        clearings: chips of training places with injected clearings, none of them fitted to; may be empty.

    Returns:
        Method to name of the rule to the score; its own only where it has one.
    """
    limits: Thresholds = {method.name: {} for method in lineup}
    if suburbs:
        for name, scores in trials.same_pixels(score_places(lineup, suburbs), suburbs).items():
            score = np.concatenate([values[np.isfinite(values)] for values in scores])
            curve = metrics.curve(metrics.rank(score, np.zeros(len(score), np.bool_)))
            limits[name] = {
                f"at {share:.0%} of suburbs": metrics.threshold_at(curve, false_share=share) for share in trials.FLAGGED
            }
    for method in lineup:
        if method.thresholds:
            limits[method.name]["at its own"] = method.thresholds[Kind.CLEARING]
    if clearings:
        chips = trials.same_pixels(score_places(lineup, clearings), clearings)
        for name, scores in chips.items():
            curve = metrics.curve(trials.ranked_pixels(scores, clearings))
            limits[name][f"at {FOUND:.0%} of clearings"] = metrics.threshold_for(curve, recall=FOUND)
    return limits
