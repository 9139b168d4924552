"""Marks: what the remembered looks of a pixel add up to, kind by kind.

In: `Evidence`, or a lone pair's probabilities. Out: `schema.MARK` pixels. Knows no shapes and no files.

The rule: over the looks in the order of their days, a look adds its calibrated log-odds, at most `look_bound` in either
direction, times its weight. Between looks, what has been added up fades towards the prior with `half_life_days`. The
sum never falls below the prior, so that a long quiet past does not delay an alarm, and never rises above `bound`, so
that a wrong alarm can be taken back. It is the log-odds that the kind appeared on some day and is still there, for the
day that fits best. Days on which no look saw the pixel change nothing.

Looks against a normal of other seasons share its error: a harvest looks like a clearing in each of them. Whatever
their number, they lift the sum no further than one whole look would, until the change has outlasted `off_season_days`.

A look in which a place is no barer than it has been before speaks for no clearing: it adds nothing to one, and shows
none.

Sources: the cumulative-sum test of Page (1954), doi:10.1093/biomet/41.1-2.100, as Bayesian updating of a change that
may have begun at any look, like Reiche et al. (2015), doi:10.3390/rs70504973; see `docs/evidence.md`.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline import config
from pipeline.detect.evidence import SLOTS, STEP, UNKNOWN_Z, Z_STEP, Evidence, odds_of
from pipeline.detect.weight import AWAY, BARER, IN_SEASON, SUPPORT, WHOLE
from pipeline.grid import Tile
from pipeline.schema import KINDS, MARK, Kind

CLEARING = KINDS.index(Kind.CLEARING)
_DAYS = 1 << 16


@dataclass(frozen=True, slots=True)
class Sums:
    """What the looks of some pixels add up to; each (n,)."""

    log_odds: NDArray[np.float32]
    hits: NDArray[np.uint8]
    """Days on which a trusted look showed the kind since the sum last stood at the prior."""
    first_day: NDArray[np.uint16]
    last_day: NDArray[np.uint16]
    last_slot: NDArray[np.intp]
    """Of the last of these; -1 none."""
    away: NDArray[np.bool_]
    """One of them at least lay away from clouds."""


def marks(
    evidence: Evidence,
    tile: Tile,
    owned: NDArray[np.bool_],
    rules: config.Evidence,
    thresholds: tuple[float, float, float],
) -> NDArray[np.void]:
    """Pixels whose evidence makes at least a possible alert.

    Args:
        evidence: of the tile.
        tile: gives the place on the granule grid.
        owned: (y, x) bool, pixels that the tile answers for.
        rules: how looks add up; `possible` is the limit.
        thresholds: probability at which a look shows each kind.

    Returns:
        (n,) of `schema.MARK`, ordered by kind, row and column.
    """
    limits = np.array([odds_of(value) for value in thresholds], np.int8)
    shown = np.zeros(evidence.odds.shape[1:], np.bool_)
    for day, odds in zip(evidence.day, evidence.odds, strict=True):  # slot by slot, so that it fits the caches
        shown |= (odds >= limits[:, None, None]) & (day > 0)
    kind, row, col = np.nonzero(shown & owned)
    days, odds = evidence.day[:, row, col], evidence.odds[:, kind, row, col]
    weight = heard(odds, evidence.weight[:, row, col], limits[kind], kind == CLEARING)
    sums = add_up(days, odds, weight, limits[kind], rules)
    kept = (sums.log_odds > rules.possible) & (sums.hits > 0)
    found = np.empty(int(kept.sum()), MARK)
    found["row"], found["col"] = row[kept] + tile.window.row, col[kept] + tile.window.col
    found["kind"], found["looks"] = kind[kept], np.count_nonzero(days[:, kept], axis=0)
    found["probability"] = 1 / (1 + np.exp(-odds[-1, kept] * STEP))
    for name in ("log_odds", "hits", "first_day", "last_day"):
        found[name] = getattr(sums, name)[kept]
    found["beside_cloud"] = ~sums.away[kept]
    z = evidence.z[sums.last_slot[kept], row[kept], col[kept]]
    found["z"] = np.where(z == UNKNOWN_Z, np.nan, z * Z_STEP)
    return found


def heard(
    odds: NDArray[np.int8], weight: NDArray[np.uint8], limits: NDArray[np.int8], clearing: NDArray[np.bool_] | bool
) -> NDArray[np.uint8]:
    """The weight of looks, 0 for those that speak for a clearing where the place has been as bare before.

    Args:
        odds: (slot, n) in `evidence.STEP`.
        weight: (slot, n) in the code of `weight`.
        limits: (n,) from which on a look shows the kind.
        clearing: (n,) which are of that kind.
    """
    mute = clearing & (odds >= np.minimum(limits, 1)) & (weight & BARER == 0)
    return np.where(mute, np.uint8(0), weight)


def add_up(
    days: NDArray[np.uint16],
    odds: NDArray[np.int8],
    weight: NDArray[np.uint8],
    limits: NDArray[np.int8],
    rules: config.Evidence,
) -> Sums:
    """The rule on some pixels of one kind each.

    Args:
        days: (slot, n), ascending, 0 free.
        odds: (slot, n) in `evidence.STEP`.
        weight: (slot, n) in the code of `weight`, from `heard`.
        limits: (n,) from which on a look shows the kind.
        rules: `prior`, `bound`, `look_bound`, `half_life_days` and `off_season_days`.
    """
    count = days.shape[1]
    trust, independent, far = weight % IN_SEASON, weight & IN_SEASON > 0, weight & AWAY > 0
    floor, fades = np.float32(rules.prior), _fades(rules.half_life_days)
    shared = np.float32(min(rules.prior + rules.look_bound, rules.bound))
    total = np.full(count, floor)
    hits, before = np.zeros(count, np.uint8), np.zeros(count, np.uint16)
    first, last, slot_of = np.zeros(count, np.uint16), np.zeros(count, np.uint16), np.full(count, -1, np.intp)
    away = np.zeros(count, np.bool_)
    for slot in range(SLOTS):
        day, seen = days[slot], days[slot] > 0
        bounded = np.clip(odds[slot] * np.float32(STEP), -rules.look_bound, rules.look_bound).astype(np.float32)
        step = bounded * (trust[slot] * np.float32(1 / WHOLE))
        faded = floor + (total - floor) * fades[np.where(before > 0, day - before, 0)]
        outlasted = (hits > 0) & (day.astype(np.int32) - first >= rules.off_season_days)
        ceiling = np.where(independent[slot] | outlasted, np.float32(rules.bound), np.maximum(faded, shared))
        total = np.where(seen, np.clip(faded + step, floor, ceiling), total)
        before = np.where(seen, day, before)
        hit, gone = seen & (odds[slot] >= limits) & (trust[slot] >= SUPPORT), total <= floor
        first = np.where(gone, 0, np.where(hit & (hits == 0), day, first)).astype(np.uint16)
        last = np.where(gone, 0, np.where(hit, day, last)).astype(np.uint16)
        slot_of = np.where(gone, -1, np.where(hit, slot, slot_of))
        hits = np.where(gone, 0, hits + hit).astype(np.uint8)
        away = (away | (hit & far[slot])) & ~gone
    return Sums(total, hits, first, last, slot_of, away)


@lru_cache(maxsize=8)
def _fades(half_life_days: float) -> NDArray[np.float32]:
    """What is left after so many days; a table, so that every machine and every shape gives the same bits."""
    return np.exp2(-np.arange(_DAYS) / half_life_days).astype(np.float32)


def single_look_marks(
    probability: NDArray[np.float32], thresholds: tuple[float, float, float], *, day: int
) -> NDArray[np.void]:
    """Marks of a lone pair of dates: every pixel that reaches its kind's threshold.

    Args:
        probability: (kind, y, x) float32, NaN not observed.
        thresholds: per kind.
        day: scene day of the later date, 0 unknown.
    """
    with np.errstate(invalid="ignore"):
        kind, row, col = np.nonzero(probability >= np.array(thresholds, np.float32)[:, None, None])
    found = np.zeros(len(kind), MARK)
    value = np.clip(probability[kind, row, col], 1e-6, 1 - 1e-6)
    found["row"], found["col"], found["kind"], found["probability"] = row, col, kind, value
    found["log_odds"] = np.log(value / (1 - value))
    found["hits"] = found["looks"] = 1
    found["first_day"] = found["last_day"] = day
    found["z"] = np.nan
    return found
