"""Evidence: the last looks of every pixel, from which `marks` adds up what they say.

In: a `Change` per look. Out: an updated `Evidence`. Knows no rules of adding up, no shapes and no files.

A pixel remembers its newest `SLOTS` days with a clear look, in the order of the days. What is kept is a set: it does
not depend on the order in which looks come, a look that comes twice counts once, and a late one lies where it would
have lain in time. Of two looks of one day the more cautious values are kept, since they are not independent.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import config
from pipeline.detect.weight import more_cautious
from pipeline.schema import KINDS, Change

EPOCH = date(1970, 1, 1)
SLOTS = 12
"""Looks that a pixel remembers: two months of the shortest revisit."""
STEP = 1 / 16
"""Log-odds are kept as multiples of this."""
UNKNOWN_Z = -128
Z_STEP = 1 / 4
"""Classical scores are kept as multiples of this, within 31 spreads."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the newest looks of every pixel of a tile said, oldest first; free slots come before them."""

    day: NDArray[np.uint16]
    """(slot, y, x) uint16: scene day since 1970-01-01; 0 is a free slot."""
    odds: NDArray[np.int8]
    """(slot, kind, y, x) int8: log-odds of each kind in `STEP`."""
    weight: NDArray[np.uint8]
    """(slot, y, x) uint8: how far the look could be trusted, in the code of `weight`."""
    z: NDArray[np.int8]
    """(slot, y, x) int8: classical score in `Z_STEP`; `UNKNOWN_Z` where the look showed nothing at all."""


def empty(shape: tuple[int, int]) -> Evidence:
    """Evidence before the first look of a tile of `shape` (y, x)."""
    return Evidence(
        day=np.zeros((SLOTS, *shape), np.uint16),
        odds=np.zeros((SLOTS, len(KINDS), *shape), np.int8),
        weight=np.zeros((SLOTS, *shape), np.uint8),
        z=np.full((SLOTS, *shape), UNKNOWN_Z, np.int8),
    )


def to_day(value: date) -> int:
    """Days since 1970-01-01; fits uint16 until the year 2149."""
    return (value - EPOCH).days


def from_day(value: int) -> date:
    """The date of a day count."""
    return EPOCH + timedelta(days=int(value))


def add(old: Evidence, change: Change, rules: config.Evidence) -> Evidence:
    """Remember one look.

    Args:
        old: evidence of the tile.
        change: what the look says; NaN where it saw nothing.
        rules: `look_bound`; less than that a look can never say, so that it is kept as that.

    Returns:
        New evidence; `old` is left alone. The same, to the last bit, for the same looks in any order, as long as all
        of them are added under the same `look_bound`.
    """
    seen = np.isfinite(change.probability).all(axis=0)
    day = np.uint16(to_day(change.sensed.date()))
    look = _look(change, day, rules)
    newest = seen & (old.day[-1] < day)
    late = seen & ~newest
    pushed = Evidence(*(_pushed(a, b, newest) for a, b in zip(_parts(old), _parts(look), strict=True)))
    return _inserted(pushed, look, late) if late.any() else pushed


def without(old: Evidence, day: date) -> Evidence:
    """Forget the looks of one day, because its scenes are looked at again under a better revision.

    What had been forgotten to make room for them stays forgotten.
    """
    gone = old.day == to_day(day)
    where = gone.any(axis=0)
    if not where.any():
        return old
    columns = _columns(old, where)
    first = empty((int(where.sum()), 1))
    hit = gone[:, where]
    cleared = Evidence(
        *(
            np.where(hit if a.ndim == 2 else hit[:, None], b.reshape(a.shape), a)
            for a, b in zip(_parts(columns), _parts(first), strict=True)
        )
    )
    return _put(old, where, _sorted(cleared))


def latest_probability(known: Evidence) -> NDArray[np.float32]:
    """(kind, y, x) float32: what the latest clear look said, as exactly as it is kept; NaN never seen."""
    probability = 1 / (1 + np.exp(-known.odds[-1].astype(np.float32) * np.float32(STEP)))
    return np.where(known.day[-1] > 0, probability, np.float32(np.nan)).astype(np.float32)


def odds_of(probability: float) -> int:
    """A probability in the units of `Evidence.odds`, within what they can hold."""
    return int(np.clip(np.rint(np.log(probability / (1 - probability)) / STEP), -127, 127))


def _look(change: Change, day: np.uint16, rules: config.Evidence) -> Evidence:
    """One look in the units of the slots; a single slot."""
    probability = change.probability.astype(np.float64)
    np.copyto(probability, 0.5, where=np.isnan(probability))
    np.clip(probability, 1e-6, 1 - 1e-6, out=probability)
    quiet = round(-rules.look_bound / STEP)
    ratio = np.divide(probability, np.subtract(1, probability), out=probability)
    steps = np.rint(np.divide(np.log(ratio, out=ratio), STEP, out=ratio), out=ratio)
    odds = np.clip(steps, quiet, 127, out=steps).astype(np.int8)
    known = np.isfinite(change.z)
    z = np.clip(np.rint(np.where(known, change.z, 0) / Z_STEP), -127, 127)
    told = (odds > quiet).any(axis=0) & known
    return Evidence(
        day=np.full((1, *change.weight.shape), day, np.uint16),
        odds=odds[None],
        weight=change.weight[None],
        z=np.where(told, z, UNKNOWN_Z).astype(np.int8)[None],
    )


def _parts(known: Evidence) -> tuple[NDArray[Any], ...]:
    return known.day, known.odds, known.weight, known.z


def _pushed(old: NDArray[Any], look: NDArray[Any], where: NDArray[np.bool_]) -> NDArray[Any]:
    """The look in the last slot, and the others one further down, where it is the newest."""
    new = np.empty_like(old)
    for slot in range(SLOTS - 1):
        new[slot] = np.where(where, old[slot + 1], old[slot])
    new[-1] = np.where(where, look[0], old[-1])
    return new


def _inserted(old: Evidence, look: Evidence, where: NDArray[np.bool_]) -> Evidence:
    """The look where its day lies among the remembered ones."""
    columns, fresh = _columns(old, where), _columns(look, where)
    same = columns.day == fresh.day
    merged = Evidence(
        day=columns.day,
        odds=np.where(same[:, None], np.minimum(columns.odds, fresh.odds), columns.odds),
        weight=np.where(same, more_cautious(columns.weight, fresh.weight), columns.weight),
        z=np.where(same, np.minimum(columns.z, fresh.z), columns.z),
    )
    known = same.any(axis=0)
    fresh = replace(fresh, day=np.where(known, np.uint16(0), fresh.day))  # an older day than any: it drops out
    both = Evidence(*(np.concatenate([b, a]) for a, b in zip(_parts(merged), _parts(fresh), strict=True)))
    return _put(old, where, _sorted(both))


def _columns(known: Evidence, where: NDArray[np.bool_]) -> Evidence:
    """Some pixels, one after another: (slot, n) and (slot, kind, n)."""
    return Evidence(*(part[..., where] for part in _parts(known)))


def _sorted(columns: Evidence) -> Evidence:
    """The newest `SLOTS` slots by day; free ones first, and alike."""
    order = np.argsort(columns.day, axis=0, kind="stable")[-SLOTS:]
    day, odds, weight, z = (
        np.take_along_axis(part, order if part.ndim == 2 else order[:, None], axis=0) for part in _parts(columns)
    )
    free = day == 0
    return Evidence(
        day=day,
        odds=np.where(free[:, None], np.int8(0), odds),
        weight=np.where(free, np.uint8(0), weight),
        z=np.where(free, np.int8(UNKNOWN_Z), z),
    )


def _put(old: Evidence, where: NDArray[np.bool_], columns: Evidence) -> Evidence:
    parts = [part.copy() for part in _parts(old)]
    for part, values in zip(parts, _parts(columns), strict=True):
        part[..., where] = values
    return Evidence(*parts)
