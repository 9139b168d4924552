"""Contests: which kind a place is, where several kinds claim the same pixels.

In: `Claim` values, the pixels of one shape each. Out: the claims that hold, each with the pixels it kept. Knows no
geometry and no dates.

The rule. A stretch of contested pixels goes, whole, to the kind with the stronger mean probability on it; but a camp
stands in a small clearing of its own, so that what speaks for a clearing does not speak against a camp: from `CAMP`
on it wins over any clearing. What a loser keeps elsewhere is dropped when it is but the fringe of what it lost (at
least half of it within `FRINGE_PX`), and stays when it is clearly separate. Width tells a track from a clearing: the
thin arms of a clearing's shape are contested apart from its body, so that a track that leads to a clearing, and that
the clearing's evidence follows for a while, remains a track, and the clearing remains a clearing.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from pipeline.alerts import shapes
from pipeline.schema import KINDS, Kind

FRINGE_PX = 2
CAMP = 0.7
"""Mean probability from which on a camp holds its ground against a clearing."""
_ARM_PX = 5
"""An arm of a shape is narrower than this."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The pixels that one shape of one kind claims."""

    kind: Kind
    rows: NDArray[np.intp]
    cols: NDArray[np.intp]
    probability: NDArray[np.float64]
    """(n,) of the kind, from the evidence at each pixel."""

    def kept(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> "Claim":
        """The claim on some of its pixels."""
        return replace(self, rows=self.rows[keep], cols=self.cols[keep], probability=self.probability[keep])


def settle(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """Give every pixel to one kind.

    Args:
        claims: at most one of each kind on a pixel.

    Returns:
        The claims that hold, in order, with the pixels that they keep: no pixel twice. A claim that was dropped has
        won nothing.
    """
    while True:
        held = tuple(_remainders(claims))
        standing = tuple(claim for claim, rest in zip(claims, held, strict=True) if len(rest.rows))
        if len(standing) == len(claims):
            return held
        claims = standing


def _remainders(claims: tuple[Claim, ...]) -> list[Claim]:
    """What each claim keeps; empty where it is dropped."""
    if not claims:
        return []
    rows, cols = (np.concatenate([getattr(claim, name) for claim in claims]) for name in ("rows", "cols"))
    owner = np.repeat(np.arange(len(claims)), [len(claim.rows) for claim in claims])
    place = rows.astype(np.int64) * (int(cols.max()) + 1) + cols
    _, pixel, count = np.unique(place, return_inverse=True, return_counts=True)
    contested = np.flatnonzero(count[pixel] > 1)
    lost = np.zeros(len(rows), np.bool_)
    if len(contested):
        probability = np.concatenate([claim.probability for claim in claims])
        kind = np.array([KINDS.index(claim.kind) for claim in claims])[owner]
        stretch = _stretches(claims, owner, pixel, contested, (rows, cols))
        lost[contested] = kind[contested] != _winners(stretch, kind[contested], probability[contested])
    ends = np.cumsum([len(claim.rows) for claim in claims])[:-1]
    return [
        claim if not gone.any() else claim.kept(_separate(claim, gone))
        for claim, gone in zip(claims, np.split(lost, ends), strict=True)
    ]


def _stretches(
    claims: tuple[Claim, ...],
    owner: NDArray[np.intp],
    pixel: NDArray[np.intp],
    contested: NDArray[np.intp],
    at: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> NDArray[np.intp]:
    """Stretch of each contested entry: connected contested pixels, bodies of clearings apart from their arms."""
    arm = np.zeros(int(pixel.max()) + 1, np.bool_)
    for number in np.unique(owner[contested]):
        if claims[number].kind == Kind.CLEARING:
            arm[pixel[owner == number][_arms(claims[number])]] = True
    stretch = np.empty(len(contested), np.intp)
    names, first, back = np.unique(pixel[contested], return_index=True, return_inverse=True)
    rows, cols = (axis[contested[first]] for axis in at)
    total = 0
    label = np.empty(len(names), np.intp)
    for part in (arm[names], ~arm[names]):
        label[part] = shapes.groups(rows[part], cols[part]) + total
        total += int(part.sum())
    stretch[:] = label[back]
    return stretch


def _arms(claim: Claim) -> NDArray[np.bool_]:
    """(n,) bool: pixels of the thin parts of a shape."""
    mask, window = shapes.crop(claim.rows, claim.cols, border_px=_ARM_PX)
    body = ndimage.binary_opening(mask, np.ones((_ARM_PX, _ARM_PX), np.bool_))
    thin: NDArray[np.bool_] = ~body[claim.rows - window.row, claim.cols - window.col]
    return thin


def _winners(stretch: NDArray[np.intp], kind: NDArray[np.intp], probability: NDArray[np.float64]) -> NDArray[np.intp]:
    """The kind that wins each entry's stretch: a sure camp, strongest mean, widest claim, first kind."""
    cell = stretch * len(KINDS) + kind
    size = (int(stretch.max()) + 1) * len(KINDS)
    count = np.bincount(cell, minlength=size).reshape(-1, len(KINDS))
    total = np.bincount(cell, probability, size).reshape(-1, len(KINDS))
    mean = np.round(total / np.maximum(count, 1), 6)
    mean[mean[:, KINDS.index(Kind.CAMP)] >= CAMP, KINDS.index(Kind.CLEARING)] = 0
    order = np.lexsort((np.tile(-np.arange(len(KINDS)), (len(count), 1)), count, mean), axis=1)
    winners: NDArray[np.intp] = order[stretch, -1]
    return winners


def _separate(claim: Claim, gone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) bool: pixels that a losing claim keeps."""
    keep = ~gone
    left = np.flatnonzero(keep)
    if not len(left):
        return keep
    lost = cKDTree(np.column_stack([claim.rows[gone], claim.cols[gone]]))
    places = np.column_stack([claim.rows[left], claim.cols[left]])
    distance, _ = lost.query(places, p=np.inf, distance_upper_bound=FRINGE_PX + 0.5)
    fringe = np.isfinite(distance)
    for pixels in shapes.members(shapes.groups(claim.rows[left], claim.cols[left])):
        keep[left[pixels]] = 2 * int(fringe[pixels].sum()) < len(pixels)
    return keep
