"""The latest clear pixels of a tile, and why the latest look saw nothing.

In: looks, in whatever order they come. Out: a `Latest`. A late look changes only what no newer one has seen.
"""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from pipeline.detect.evidence import to_day
from pipeline.schema import Look, Reason
from pipeline.sensors import BANDS


@dataclass(frozen=True, slots=True)
class Latest:
    """What the newest looks of a tile saw."""

    after: NDArray[np.uint16]
    """(band, y, x) uint16: latest clear pixels, reflectance x 10000, 0 never seen."""
    after_day: NDArray[np.uint16]
    """(y, x) uint16: scene day of these, 0 never."""
    blind: NDArray[np.uint8]
    """(y, x) uint8: why the latest look did not see the pixel (codes of `Reason`); 0 it did."""
    blind_day: NDArray[np.uint16]
    """(y, x) uint16: scene day of the latest look, clear or not; 0 none."""


def never(shape: tuple[int, int]) -> Latest:
    """Before the first look."""
    days = np.zeros(shape, np.uint16)
    return Latest(np.zeros((len(BANDS), *shape), np.uint16), days, np.full(shape, Reason.NODATA, np.uint8), days)


def added(old: Latest, seen: Look) -> Latest:
    """With one more look on the tile.

    Of two looks of one day, the pixel darker in blue counts: there is less haze on it.
    """
    day = np.uint16(to_day(seen.sensed_day))
    clear = seen.reason == Reason.CLEAR
    found = digital(seen.reflectance)
    same = clear & (old.after_day == day)
    newer = clear & ((old.after_day < day) | (same & (found[0] < old.after[0])))
    alike = same & (found[0] == old.after[0])
    after = np.where(newer, found, np.where(alike, np.minimum(found, old.after), old.after))
    return replace(blinded(old, seen), after=after, after_day=np.where(newer, day, old.after_day))


def digital(reflectance: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Reflectance x 10000, at least 1; 0 missing."""
    scaled = reflectance * np.float32(10000)
    scaled += np.float32(0.5)
    np.clip(scaled, 1, 65535, out=scaled)
    np.copyto(scaled, np.float32(0), where=~np.isfinite(reflectance))
    return scaled.astype(np.uint16)


def blinded(old: Latest, seen: Look) -> Latest:
    """With why one more look saw nothing, but without its pixels: it will be read again."""
    day = np.uint16(to_day(seen.sensed_day))
    why = np.where(old.blind_day == day, np.minimum(old.blind, seen.reason), seen.reason)
    newest = old.blind_day <= day
    return replace(
        old,
        blind=np.where(newest, why, old.blind).astype(np.uint8),
        blind_day=np.where(newest, day, old.blind_day),
    )


def without(old: Latest, day: date, earlier: NDArray[np.uint16]) -> Latest:
    """Forget the pixels of one day, because its scenes are looked at again under a better revision.

    Args:
        old: with them.
        day: the day.
        earlier: (y, x) uint16, the newest other day that is remembered, 0 none; the pixels of that day are not.
    """
    gone = old.after_day == to_day(day)
    again = old.blind_day == to_day(day)
    return Latest(
        after=np.where(gone, np.uint16(0), old.after),
        after_day=np.where(gone, earlier, old.after_day),
        blind=np.where(again, np.uint8(Reason.NODATA), old.blind),
        blind_day=np.where(again, np.uint16(0), old.blind_day),
    )
