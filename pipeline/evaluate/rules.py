"""Rules by which looks become possible and confirmed alerts, each pixel by itself: ours and those of other systems.

In: the same probabilities of every look for all rules. Out: which pixels are possible and which confirmed after each
look. Each rule stands as its authors published it; what stands here is what differs from ours. Knows no shapes.

Sources:
- GLAD: Hansen et al. (2016), doi:10.1088/1748-9326/11/3/034008: a look that flags loss makes an alert; a second flag
  among four consecutive looks confirms it; what is not confirmed by then, or within 180 days, is dropped.
- RADD: Reiche et al. (2021), doi:10.1088/1748-9326/abd0a8, and the published code of Reiche et al. (2015),
  doi:10.3390/rs70504973: probabilities are kept within 0.1 and 0.9; a look of at least 0.5 flags a change, whose
  probability is updated by the look before, by itself and by those that follow; below 0.5 the flag is dropped; an alert
  is unconfirmed from 0.85 and confirmed from 0.975 on; after 90 days without that it is dropped.
- OPERA DIST-S1: opera-adt/dist-s1, `confirmation.py`: counts looks above a low threshold (3.5 spreads); confidence is
  their mean metric over all looks since the first, times the square of their count, and confirms from 3.5 x 3 x 3 on;
  two quiet looks in a row, or 30 days without a sign, end what is not confirmed. Our probabilities have no spreads: the
  metric is 3.5 at the threshold and rises with the log-odds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline import config
from pipeline.detect.evidence import SLOTS, STEP, odds_of
from pipeline.detect.marks import CLEARING, add_up, heard

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Stage(NamedTuple):
    """What a rule says after one look; (n,) each. What is confirmed is possible too."""

    possible: Mask
    confirmed: Mask


@dataclass(frozen=True, slots=True)
class Series:
    """The looks of some pixels, one kind."""

    days: Sequence[int]
    """Since 1970-01-01, ascending; one per look."""
    probability: Floats
    """(look, n); NaN not seen."""
    weight: NDArray[np.uint8]
    """(look, n) in the code of `detect.weight`; only our rule asks."""
    threshold: float
    """Probability from which on a look shows the kind."""
    kind: int
    """Index in `schema.KINDS`."""


Rule = Callable[[Series], list[Stage]]
"""Stages after the first look, after the second, and so on."""


def ours(rules: config.Evidence) -> Rule:
    """The rule of a night, see `pipeline.detect.marks`."""

    def rule(series: Series) -> list[Stage]:
        count, stages = series.probability.shape[1], []
        days = np.zeros((SLOTS, count), np.uint16)
        odds, weight = np.zeros((SLOTS, count), np.int8), np.zeros((SLOTS, count), np.uint8)
        limits = np.full(count, odds_of(series.threshold), np.int8)
        for day, look, trust in zip(series.days, series.probability, series.weight, strict=True):
            seen = np.isfinite(look)
            said = np.clip(np.rint(_log_odds(np.where(seen, look, 0.5)) / STEP), -rules.look_bound / STEP, 127)
            for slots, value in ((days, day), (odds, said), (weight, trust)):
                slots[:] = np.where(seen, np.concatenate([slots[1:], np.broadcast_to(value, (1, count))]), slots)
            sums = add_up(days, odds, heard(odds, weight, limits, series.kind == CLEARING), limits, rules)
            possible = (sums.log_odds > rules.possible) & (sums.hits > 0)
            firm = (sums.hits >= rules.confirm_looks) & (sums.log_odds >= rules.confirm)
            stages.append(Stage(possible, possible & firm))
        return stages

    return rule


def single_look(series: Series) -> list[Stage]:
    """No memory: whatever a look shows is an alert at once."""
    count = series.probability.shape[1]
    shown, stages = np.zeros(count, bool), []
    for look in series.probability:
        shown = np.where(np.isfinite(look), look >= series.threshold, shown)
        stages.append(Stage(shown, shown))
    return stages


def glad(series: Series) -> list[Stage]:
    """Two of four."""
    count = series.probability.shape[1]
    first, looks, flags = np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.int64)
    confirmed, stages = np.zeros(count, bool), []
    for day, look in zip(series.days, series.probability, strict=True):
        seen = np.isfinite(look)
        flag = seen & (look >= series.threshold)
        looks += seen & (flags > 0)
        dropped = ~confirmed & (flags > 0) & (((looks >= 3) & seen & ~flag) | (day - first > 180))
        first[dropped] = looks[dropped] = flags[dropped] = 0
        first = np.where(flag & (flags == 0), day, first)
        flags += flag
        confirmed = confirmed | (flags >= 2)
        stages.append(Stage(flags > 0, confirmed.copy()))
    return stages


def radd(series: Series) -> list[Stage]:
    """Iterative Bayesian updating of a flagged change."""
    count = series.probability.shape[1]
    change, before = np.zeros(count), np.full(count, 0.5)
    first, flagged, confirmed = np.zeros(count, np.int64), np.zeros(count, bool), np.zeros(count, bool)
    stages = []
    for day, look in zip(series.days, series.probability, strict=True):
        seen = np.isfinite(look)
        weighted = np.clip(np.where(seen, look, 0.5), 0.1, 0.9)
        new = seen & ~flagged & (weighted >= 0.5)
        prior = np.where(flagged, change, before)
        updated = prior * weighted / (prior * weighted + (1 - prior) * (1 - weighted))
        change = np.where(seen & (flagged | new), updated, change)
        first = np.where(new, day, first)
        flagged = flagged | new
        confirmed = confirmed | (flagged & (change >= 0.975) & (day - first <= 90))
        flagged = flagged & (confirmed | ((change >= 0.5) & (day - first <= 90)))
        before = np.where(seen, weighted, before)
        stages.append(Stage(confirmed | (flagged & (change >= 0.85)), confirmed.copy()))
    return stages


def dist_s1(series: Series) -> list[Stage]:
    """States first, provisional and confirmed."""
    count = series.probability.shape[1]
    hits, others, total = np.zeros(count), np.zeros(count), np.zeros(count)
    quiet, last, confirmed = np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, bool)
    stages = []
    limit = _log_odds(np.array(series.threshold))
    for day, look in zip(series.days, series.probability, strict=True):
        seen = np.isfinite(look)
        metric = np.clip(3.5 + _log_odds(np.where(seen, look, 0.0)) - limit, 0, 100)
        hit = seen & (metric >= 3.5)
        going = hits > 0
        others += seen & going & ~hit
        quiet = np.where(hit, 0, quiet + (seen & going))
        hits += hit
        total += np.where(seen & (going | hit), metric, 0)
        last = np.where(hit, day, last)
        mean = total / np.maximum(hits + others, 1)
        confirmed = confirmed | ((hits > 0) & (mean * hits**2 >= 3.5 * 9))
        ended = ~confirmed & (hits > 0) & ((quiet >= 2) | (day - last >= 30) | ((hits == 1) & (quiet >= 1)))
        hits[ended] = others[ended] = total[ended] = quiet[ended] = 0
        stages.append(Stage(confirmed | (hits > 0), confirmed.copy()))
    return stages


def page(series: Series, *, prior: float = -3.0, look_bound: float = 4.0, bound: float = 8.0) -> list[Stage]:
    """The rule that ours replaced: a bounded cumulative sum in the order of arrival, every look of the same weight."""
    count = series.probability.shape[1]
    total, hits, stages = np.full(count, prior), np.zeros(count, np.int64), []
    confirmed = np.zeros(count, bool)
    for look in series.probability:
        seen = np.isfinite(look)
        step = np.clip(_log_odds(np.where(seen, look, 0.5)), -look_bound, look_bound)
        total = np.where(seen, np.clip(total + step, prior, bound), total)
        hits = np.where(total <= prior, 0, hits + (seen & (look >= series.threshold)))
        confirmed = confirmed | ((total > 0) & (hits >= 2))
        stages.append(Stage(confirmed | ((total > 0) & (hits > 0)), confirmed.copy()))
    return stages


def _log_odds(probability: Floats) -> Floats:
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    odds: Floats = np.log(clipped / (1 - clipped))
    return odds
