"""`python -m benchmarks.screen`: would a cheap screen before the network lose alerts, and what would it spare?

In: the public pairs under `../shared/data/pairs`, and the looks of real series in which nothing happened under
`../shared/data/series`. Out: per kind, the share of the network's own detections that lie in blocks that a screen lets
through, against the share of blocks that it lets through, of the pairs and of quiet ground.

A screen scores every pixel without any network, at 10 m or on means of 2 x 2 (what 20 m overviews show); a block is let
through if one of its pixels reaches a limit. For every kind the limit is the highest that keeps 99.5 % of what the
network alone detects. What it then lets through of all observed blocks is what the network must still look at. No
screen that loses nothing does with less than the blocks in which the network says more than the least that is kept.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import config
from pipeline.detect.detector import Detector
from pipeline.detect.evidence import STEP
from pipeline.detect.pair import change_pair
from pipeline.evaluate import alarms, places, series
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
SERIES = Path("../shared/data/series")
QUIET = {"worldcereal-a": (), "boadella": alarms.BOADELLA_UNFIT}
"""Series in which nothing of our kinds happened, with the days whose clouds nobody classified."""
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
    loudest: tuple[float, ...]
    """The network's largest probability of each kind."""


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
    fallen: Array = np.fmax(*falls)
    return fallen


def brightness(before: Array, after: Array) -> Array:
    """(y, x) rise of red: bare soil, roofs and roads."""
    rise: Array = after[_RED] - before[_RED]
    return rise


SCREENS: dict[str, Callable[[Array, Array], Array]] = {
    "change vector": change_vector,
    "fall of vegetation": vegetation,
    "rise of red": brightness,
}


def blocks(place: Place, network: Detector, *, side: int = BLOCK_PX) -> Iterator[Block]:
    """All blocks of a pair, at 10 m and on means of 2 x 2."""
    thresholds = np.array([network.card.thresholds[kind] for kind in network.card.kinds], np.float32)
    probability = change_pair(place.before, place.after, detector=network)
    with np.errstate(invalid="ignore"):
        detected = probability >= thresholds[:, None, None]
    seen: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(probability))
    scores = [
        np.where(seen, np.nan_to_num(values, nan=-np.inf), -np.inf) for values in _scored(place.before, place.after)
    ]
    for row in range(0, seen.shape[0], side):
        for col in range(0, seen.shape[1], side):
            part = (slice(row, row + side), slice(col, col + side))
            if seen[part].any():
                counts = tuple(int(kind[part].sum()) for kind in detected)
                loudest = tuple(float(np.nanmax(kind[part])) for kind in probability)
                yield Block(place.group, tuple(float(values[part].max()) for values in scores), counts, loudest)


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
            limit = _limit(scores[:, index], pixels)
            through = float((scores[:, index] >= limit).mean())
            yield Found(screen, kind, int(pixels.sum()), limit, through, float((pixels > 0).mean()))


def together(found: list[Block], rows: Iterable[Found]) -> float:
    """Share of the blocks that at least one of several screens lets through."""
    order, scores = names(), np.array([block.scores for block in found])
    through = [scores[:, order.index(row.screen)] >= row.limit for row in rows]
    return float(np.any(through, axis=0).mean())


def _limit(scores: NDArray[np.float64], pixels: NDArray[np.int_]) -> float:
    """The highest that keeps `RECALL` of the pixels."""
    order = np.argsort(-scores, kind="stable")
    kept = np.cumsum(pixels[order]) / max(1, pixels.sum())
    return float(scores[order[min(int(np.searchsorted(kept, RECALL)), len(order) - 1)]])


def best(found: list[Block]) -> dict[str, Found]:
    """Per kind, the screen that lets the fewest blocks through."""
    least: dict[str, Found] = {}
    for row in judged(found):
        if row.kind not in least or row.let_through < least[row.kind].let_through:
            least[row.kind] = row
    return least


def own(found: list[Block], other: list[Block]) -> float:
    """Share of the blocks `other` that the network itself would let through as a screen of each kind for `found`.

    It is what a screen that has learned all that the network knows would need.
    """
    loudest, detected = (np.array([getattr(block, name) for block in found]) for name in ("loudest", "detected"))
    limits = [_limit(scores, pixels) for scores, pixels in zip(loudest.T, detected.T, strict=True)]
    return float((np.array([block.loudest for block in other]) >= limits).any(axis=1).mean())


def told(found: list[Block]) -> float:
    """Share of the blocks in which the network says more somewhere than the least that evidence keeps."""
    floor = 1 / (1 + np.exp(config.Evidence().look_bound - STEP / 2))
    return float(np.mean([max(block.loudest) > floor for block in found]))


def quiet(folder: Path = SERIES, *, side: int = BLOCK_PX, every: int = 1) -> dict[str, list[Block]]:
    """The blocks of the series against the normal of earlier looks; of each every so many looks."""
    network = Detector.load("vanwatch-s")
    found = {}
    for name, unfit in QUIET.items():
        if (folder / name / "items.json").exists():
            looks = series.against_normal(series.read_series(folder / name, unfit=unfit), name=name)[::every]
            found[name] = [block for place in looks for block in blocks(place, network, side=side)]
    return found


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
    everything = [block for each in known.values() for block in each]
    if everything:
        _print_quiet(everything)


def _print_quiet(pairs: list[Block]) -> None:
    rows = best(pairs)
    for side in (BLOCK_PX, config.PATCH_PX):
        for name, found in quiet(side=side).items():
            shares = [f"{kind} {100 * together(found, [row]):.1f} %" for kind, row in rows.items()]
            print(f"\nquiet ground, {name}: {len(found)} blocks of up to {side} px")
            print(f"  the best screens above let through: {', '.join(shares)};", end=" ")
            print(f"any of them {100 * together(found, rows.values()):.1f} %")
            print(f"  the network itself as a screen {100 * own(pairs, found):.1f} %;", end=" ")
            print(f"it says more than the least that is kept in {100 * told(found):.1f} %")


if __name__ == "__main__":
    main()
