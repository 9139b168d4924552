"""`python -m benchmarks.screen`: would a cheap screen before the network lose alerts, and what would it spare?

In: the public pairs under `../shared/data/pairs`, and the looks of the simulated granule where there are some. Out:
per kind, the share of the network's own detections that lie in blocks that a screen lets through, against the share of
blocks that it lets through.

A screen scores every pixel without any network, at 10 m or on means of 2 x 2 (what 20 m overviews show); a block is let
through if one of its pixels reaches a limit. For every kind the limit is the highest that keeps 99.5 % of what the
network alone detects. What it then lets through of all observed blocks is what the network must still look at.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.detect.detector import Detector
from pipeline.detect.pair import change_pair
from pipeline.evaluate import places
from pipeline.evaluate.places import Place
from pipeline.schema import KINDS
from pipeline.sensors import BANDS, normalised_difference

Array = NDArray[np.float32]
PAIRS = Path("../shared/data/pairs")
SETS = {
    "czech": places.read_czech,
    "amazon": places.read_amazon,
    "us-suburbs": places.read_unlabelled,
    "portugal": places.read_unlabelled,
}
RECALL = 0.995
BLOCK_PX = 64
_RED, _NIR, _SWIR = (BANDS.index(name) for name in ("B04", "B08", "B12"))


@dataclass(frozen=True, slots=True)
class Block:
    """One block of one pair."""

    group: str
    scores: tuple[float, ...]
    """The largest of each screen; -inf where nothing is observed."""
    detected: tuple[int, ...]
    """Pixels of each kind that the network detects by itself."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one screen would do for one kind."""

    screen: str
    kind: str
    detected_px: int
    limit: float
    """Highest that keeps `RECALL` of the detected pixels."""
    let_through: float
    """Share of all observed blocks."""
    needed: float
    """Share of blocks in which the network detects the kind: no screen can do with less."""


def change_vector(before: Array, after: Array) -> Array:
    """(y, x) length of the change in all bands, in their spread over the pair."""
    spread = np.nanstd(before, axis=(1, 2), keepdims=True) + np.float32(1e-3)
    length: Array = np.sqrt(np.nan_to_num(((after - before) / spread) ** 2).mean(axis=0))
    return length


def vegetation(before: Array, after: Array) -> Array:
    """(y, x) fall of NDVI or of NBR, whichever fell more."""
    falls = [
        normalised_difference(before[_NIR], before[low]) - normalised_difference(after[_NIR], after[low])
        for low in (_RED, _SWIR)
    ]
    return np.fmax(*falls)


def brightness(before: Array, after: Array) -> Array:
    """(y, x) rise of red: bare soil, roofs and roads."""
    rise: Array = after[_RED] - before[_RED]
    return rise


SCREENS: dict[str, Callable[[Array, Array], Array]] = {
    "change vector": change_vector,
    "fall of vegetation": vegetation,
    "rise of red": brightness,
}


def blocks(place: Place, network: Detector) -> Iterator[Block]:
    """All blocks of a pair, at 10 m and on means of 2 x 2."""
    thresholds = np.array([network.card.thresholds[kind] for kind in network.card.kinds], np.float32)
    probability = change_pair(place.before, place.after, detector=network)
    with np.errstate(invalid="ignore"):
        detected = probability >= thresholds[:, None, None]
    seen = np.isfinite(probability).all(axis=0)
    scores = [
        np.where(seen, np.nan_to_num(values, nan=-np.inf), -np.inf) for values in _scored(place.before, place.after)
    ]
    for row in range(0, seen.shape[0], BLOCK_PX):
        for col in range(0, seen.shape[1], BLOCK_PX):
            part = (slice(row, row + BLOCK_PX), slice(col, col + BLOCK_PX))
            if seen[part].any():
                counts = tuple(int(kind[part].sum()) for kind in detected)
                yield Block(place.group, tuple(float(values[part].max()) for values in scores), counts)


def names() -> list[str]:
    """Of the screens, in the order of `Block.scores`."""
    return [f"{name}, {metres} m" for metres in (10, 20) for name in SCREENS]


def _scored(before: Array, after: Array) -> Iterator[Array]:
    with np.errstate(all="ignore"):
        for screen in SCREENS.values():
            yield screen(before, after)
        coarse = [_halved(values) for values in (before, after)]
        for screen in SCREENS.values():
            fine = np.repeat(np.repeat(screen(*coarse), 2, axis=0), 2, axis=1)
            yield fine[: before.shape[1], : before.shape[2]]


def _halved(values: Array) -> Array:
    bands, height, width = values.shape
    even = np.pad(values, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    quarters = even.reshape(bands, even.shape[1] // 2, 2, even.shape[2] // 2, 2)
    mean: Array = quarters.mean(axis=(2, 4))
    return mean


def judged(found: list[Block]) -> Iterator[Found]:
    """What each screen would do for each kind."""
    scores = np.array([block.scores for block in found])
    detected = np.array([block.detected for block in found])
    for index, screen in enumerate(names()):
        for number, kind in enumerate(KINDS):
            pixels = detected[:, number]
            if not pixels.any():
                continue
            order = np.argsort(-scores[:, index], kind="stable")
            kept = np.cumsum(pixels[order]) / pixels.sum()
            limit = float(scores[order[int(np.searchsorted(kept, RECALL))], index])
            through = float((scores[:, index] >= limit).mean())
            yield Found(screen, kind, int(pixels.sum()), limit, through, float((pixels > 0).mean()))


def together(found: list[Block], rows: Iterable[Found]) -> float:
    """Share of the blocks that at least one of several screens lets through."""
    order, scores = names(), np.array([block.scores for block in found])
    through = [scores[:, order.index(row.screen)] >= row.limit for row in rows]
    return float(np.any(through, axis=0).mean())


def sets(pairs: Path = PAIRS, *, every: int = 1) -> dict[str, list[Block]]:
    """The blocks of the public pairs, set by set; of each set every so many pairs."""
    network = Detector.load("vanwatch-s")
    found = {}
    for name, read in SETS.items():
        if (pairs / name / "index.csv").exists():
            found[name] = [block for place in read(pairs / name)[::every] for block in blocks(place, network)]
    return found


def main() -> None:
    """Measure and print."""
    known = sets()
    for name, found in {**known, "all sets": [block for each in known.values() for block in each]}.items():
        print(f"\n{name}: {len(found)} blocks of {BLOCK_PX} px")
        for row in judged(found):
            print(
                f"  {row.screen:<26}{row.kind:<10} limit {row.limit:7.3f}  lets {100 * row.let_through:5.1f} % through,"
                f" detections lie in {100 * row.needed:5.1f} % ({row.detected_px} px)"
            )


if __name__ == "__main__":
    main()
