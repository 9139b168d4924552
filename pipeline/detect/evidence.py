"""Evidence: what the looks so far say about each pixel, kind by kind, as log-odds.

In: a `Change` per look. Out: an updated `Evidence` and, from it, `marks`. Knows no shapes and no files.

The rule is a bounded sequential test: a look adds its calibrated log-odds, at most `look_bound` in either direction;
the sum never falls below the prior, so that a long quiet past does not delay an alarm, and never rises above
`bound`, so that a wrong alarm can be taken back. Pixels that a look did not see keep their evidence.

Source: the cumulative-sum test of Page (1954), with the log-likelihood ratio replaced by the network's log-odds.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from pipeline import config
from pipeline.grid import Tile
from pipeline.schema import KINDS, MARK, Change

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What all looks so far say about one tile; days are counted from 1970-01-01, 0 is never."""

    log_odds: NDArray[np.float32]
    """(kind, y, x) float32."""
    hits: NDArray[np.uint8]
    """(kind, y, x) uint8: looks that showed the kind since the evidence last stood at the prior."""
    first_day: NDArray[np.uint16]
    """(kind, y, x) uint16: scene day of the first of these."""
    last_day: NDArray[np.uint16]
    """(kind, y, x) uint16: scene day of the last of these."""
    looks: NDArray[np.uint16]
    """(y, x) uint16: looks that saw the pixel."""
    probability: NDArray[np.float32]
    """(kind, y, x) float32: of the latest look that saw the pixel; NaN never seen."""
    z: NDArray[np.float32]
    """(y, x) float32: classical score of the latest look that saw the pixel; NaN never seen."""


def empty(shape: tuple[int, int], rules: config.Evidence) -> Evidence:
    """Evidence before the first look of a tile of `shape` (y, x)."""
    full = (len(KINDS), *shape)
    return Evidence(
        log_odds=np.full(full, rules.prior, np.float32),
        hits=np.zeros(full, np.uint8),
        first_day=np.zeros(full, np.uint16),
        last_day=np.zeros(full, np.uint16),
        looks=np.zeros(shape, np.uint16),
        probability=np.full(full, np.nan, np.float32),
        z=np.full(shape, np.nan, np.float32),
    )


def to_day(value: date) -> int:
    """Days since 1970-01-01; fits uint16 until the year 2149."""
    return (value - EPOCH).days


def from_day(value: int) -> date:
    """The date of a day count."""
    return EPOCH + timedelta(days=int(value))


def update(old: Evidence, change: Change, rules: config.Evidence, thresholds: tuple[float, float, float]) -> Evidence:
    """Add one look.

    Args:
        old: evidence of the tile.
        change: what the look says; NaN where it saw nothing.
        rules: prior and bounds.
        thresholds: probability at which a look shows each kind.

    Returns:
        New evidence; `old` is left alone.
    """
    probability = change.probability
    seen = np.isfinite(probability)
    floor = np.float32(rules.prior)
    clipped = np.clip(np.where(seen, probability, 0.5), 1e-6, 1 - 1e-6)
    step = np.clip(np.log(clipped / (1 - clipped)), -rules.look_bound, rules.look_bound).astype(np.float32)
    log_odds = np.where(seen, np.clip(old.log_odds + step, floor, rules.bound), old.log_odds).astype(np.float32)
    hit = seen & (probability >= np.array(thresholds, np.float32)[:, None, None])
    gone = log_odds <= floor
    day = np.uint16(to_day(change.sensed.date()))
    counted = np.minimum(old.hits.astype(np.uint16) + hit, 255).astype(np.uint8)
    first = np.where(hit & (old.hits == 0), day, old.first_day)
    return Evidence(
        log_odds=log_odds,
        hits=np.where(gone, np.uint8(0), counted),
        first_day=np.where(gone, np.uint16(0), first),
        last_day=np.where(gone, np.uint16(0), np.where(hit, day, old.last_day)),
        looks=np.where(seen[0], np.minimum(old.looks.astype(np.uint32) + 1, 65535), old.looks).astype(np.uint16),
        probability=np.where(seen, probability, old.probability).astype(np.float32),
        z=np.where(np.isfinite(change.z), change.z, old.z).astype(np.float32),
    )


def marks(evidence: Evidence, tile: Tile, owned: NDArray[np.bool_], rules: config.Evidence) -> NDArray[np.void]:
    """Pixels whose evidence makes at least a possible alert.

    Args:
        evidence: of the tile.
        tile: gives the place on the granule grid.
        owned: (y, x) bool, pixels that the tile answers for.
        rules: `possible` is the limit.

    Returns:
        (n,) of `schema.MARK`, ordered by kind, row and column.
    """
    kind, row, col = np.nonzero((evidence.log_odds > rules.possible) & (evidence.hits > 0) & owned)
    found = np.empty(len(kind), MARK)
    found["row"], found["col"], found["kind"] = row + tile.window.row, col + tile.window.col, kind
    for name in ("log_odds", "probability", "hits", "first_day", "last_day"):
        found[name] = getattr(evidence, name)[kind, row, col]
    found["looks"], found["z"] = evidence.looks[row, col], evidence.z[row, col]
    return found


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
    found = np.empty(len(kind), MARK)
    value = np.clip(probability[kind, row, col], 1e-6, 1 - 1e-6)
    found["row"], found["col"], found["kind"], found["probability"] = row, col, kind, value
    found["log_odds"] = np.log(value / (1 - value))
    found["hits"] = found["looks"] = 1
    found["first_day"] = found["last_day"] = day
    found["z"] = np.nan
    return found
