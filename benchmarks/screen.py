"""`python -m benchmarks.screen`: would a cheap screen before the network lose alerts, and what would it spare?

In: the public pairs under `../shared/data/pairs`, and the looks of real series in which nothing happened under
`../shared/data/series`. Out: per kind, the highest limit of a screen that keeps 99.5 % of the alerts that `vanwatch
detect` draws of the pairs, and the share of blocks that it then lets through, of the pairs and of quiet ground.

A screen scores every pixel without any network, at 10 m or on means of 2 x 2 (what 20 m overviews show) or 4 x 4. It
keeps an alert if one of its pixels reaches the limit, and lets a block through if one of its pixels does: what it lets
through of all observed blocks is what the network must still look at. No screen does with less than the blocks on which
the network by itself draws an alert.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio import features

from pipeline import config, grid
from pipeline.alerts import detections
from pipeline.detect import marks
from pipeline.detect.detector import Detector
from pipeline.detect.pair import change_pair
from pipeline.evaluate import alarms, places, series
from pipeline.evaluate.places import Place
from pipeline.grid import Window
from pipeline.schema import KINDS, Kind
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
SIDES = (1, 2, 4)
"""Pixels per axis that a screen takes the mean of before it looks."""
ANYWHERE = grid.granule("44QLH")
"""Whose grid the pairs are taken to lie on."""
_RED, _NIR, _SWIR = (BANDS.index(name) for name in ("B04", "B08", "B12"))


@dataclass(frozen=True, slots=True)
class Block:
    """One block of one pair."""

    scores: tuple[float, ...]
    """The largest of each screen; -inf where nothing is observed."""
    alerts: int
    """Alerts of the network by itself that lie on it in part."""
    loudest: tuple[float, ...]
    """The network's largest probability of each kind."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One alert that the network draws of a pair by itself."""

    kind: Kind
    scores: tuple[float, ...]
    """The largest of each screen on its pixels."""
    loudest: float
    """The network's largest probability of its kind there."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the network and the screens say of some pairs."""

    blocks: tuple[Block, ...]
    alerts: tuple[Drawn, ...]

    def __add__(self, other: "Seen") -> "Seen":
        """Both."""
        return Seen(self.blocks + other.blocks, self.alerts + other.alerts)


@dataclass(frozen=True, slots=True)
class Found:
    """What one screen would do for one kind."""

    screen: str
    kind: Kind
    alerts: int
    limit: float
    """Highest that keeps `RECALL` of the alerts."""
    let_through: float
    """Share of all observed blocks."""


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


def seen(place: Place, network: Detector, *, side: int = BLOCK_PX) -> Seen:
    """All blocks of a pair, and the alerts that the network draws of it."""
    probability = change_pair(place.before, place.after, detector=network)
    shape = probability.shape[1:]
    observed: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(probability))
    scores = [np.where(observed, np.nan_to_num(s, nan=-np.inf), -np.inf) for s in _scored(place.before, place.after)]
    drawn, covered = list[Drawn](), np.zeros((0, *shape), np.bool_)
    for kind, mask in _alerts(probability, network):
        loudest = float(np.nanmax(probability[KINDS.index(kind)][mask]))
        drawn.append(Drawn(kind, tuple(float(values[mask].max()) for values in scores), loudest))
        covered = np.concatenate([covered, mask[None]])
    blocks = []
    for row in range(0, shape[0], side):
        for col in range(0, shape[1], side):
            part = (slice(row, row + side), slice(col, col + side))
            if observed[part].any():
                alerts = int(covered[:, *part].any(axis=(1, 2)).sum())
                loudest_here = tuple(float(np.nanmax(kind[part])) for kind in probability)
                blocks.append(Block(tuple(float(values[part].max()) for values in scores), alerts, loudest_here))
    return Seen(tuple(blocks), tuple(drawn))


def _alerts(probability: Array, network: Detector) -> Iterator[tuple[Kind, NDArray[np.bool_]]]:
    """Kind and pixels of what `vanwatch detect` draws; whatever is too thin to hold a pixel's middle is left out."""
    rules, shape = config.Rules(), probability.shape[1:]
    marked = marks.single_look_marks(probability, rules.thresholds(network.card.thresholds), day=0)
    transform = ANYWHERE.transform(Window(0, 0, *shape))
    for detection in detections.find(marked, ANYWHERE, rules):
        outline = grid.reproject(detection.footprint, 4326, ANYWHERE.epsg)
        mask: NDArray[np.bool_] = features.geometry_mask([outline], shape, transform, invert=True)
        if mask.any():
            yield detection.kind, mask


def names() -> list[str]:
    """Of the screens, in the order of `Block.scores`."""
    return [f"{name}, {10 * side} m" for side in SIDES for name in SCREENS]


def _scored(before: Array, after: Array) -> Iterator[Array]:
    with np.errstate(all="ignore"):
        for side in SIDES:
            coarse = [_mean(values, side) for values in (before, after)]
            for screen in SCREENS.values():
                fine = np.repeat(np.repeat(screen(*coarse), side, axis=0), side, axis=1)
                yield fine[: before.shape[1], : before.shape[2]]


def _mean(values: Array, side: int) -> Array:
    bands, height, width = values.shape
    whole = np.pad(values, ((0, 0), (0, -height % side), (0, -width % side)), mode="edge")
    mean: Array = whole.reshape(bands, whole.shape[1] // side, side, whole.shape[2] // side, side).mean(axis=(2, 4))
    return mean


def judged(pairs: Seen) -> Iterator[Found]:
    """What each screen would do for each kind."""
    scores = np.array([block.scores for block in pairs.blocks])
    for kind in Kind:
        drawn = np.array([alert.scores for alert in pairs.alerts if alert.kind == kind])
        for index, screen in enumerate(names()) if len(drawn) else ():
            limit = _limit(drawn[:, index])
            yield Found(screen, kind, len(drawn), limit, float((scores[:, index] >= limit).mean()))


def together(blocks: Iterable[Block], rows: Iterable[Found]) -> float:
    """Share of the blocks that at least one of several screens lets through."""
    order, scores = names(), np.array([block.scores for block in blocks])
    through = [scores[:, order.index(row.screen)] >= row.limit for row in rows]
    return float(np.any(through, axis=0).mean())


def _limit(scores: NDArray[np.float64]) -> float:
    """The highest that keeps `RECALL` of the alerts."""
    return float(np.sort(scores)[int((1 - RECALL) * len(scores))])


def best(pairs: Seen) -> dict[Kind, Found]:
    """Per kind, the screen that lets the fewest blocks through."""
    least: dict[Kind, Found] = {}
    for row in judged(pairs):
        if row.kind not in least or row.let_through < least[row.kind].let_through:
            least[row.kind] = row
    return least


def own(pairs: Seen, blocks: Iterable[Block]) -> float:
    """Share of the blocks that the network itself would let through as a screen of each kind for the pairs.

    It is what a screen that has learned all that the network knows would need.
    """
    limits = np.full(len(KINDS), np.inf)
    for number, kind in enumerate(Kind):
        loudest = np.array([alert.loudest for alert in pairs.alerts if alert.kind == kind])
        limits[number] = _limit(loudest) if len(loudest) else np.inf
    return float((np.array([block.loudest for block in blocks]) >= limits).any(axis=1).mean())


def needed(blocks: Iterable[Block]) -> float:
    """Share of the blocks on which the network by itself draws an alert: no screen can do with less."""
    return float(np.mean([block.alerts > 0 for block in blocks]))


def quiet(folder: Path = SERIES, *, side: int = BLOCK_PX, every: int = 1) -> dict[str, Seen]:
    """The series against the normal of earlier looks; of each every so many looks."""
    network = Detector.load("vanwatch-s")
    found = {}
    for name, unfit in QUIET.items():
        if (folder / name / "items.json").exists():
            looks = series.against_normal(series.read_series(folder / name, unfit=unfit), name=name)[::every]
            found[name] = _all(looks, network, side=side)
    return found


def sets(pairs: Path = PAIRS, *, every: int = 1) -> dict[str, Seen]:
    """The public pairs, set by set; of each set every so many pairs."""
    network = Detector.load("vanwatch-s")
    return {
        name: _all(read(pairs / name)[::every], network)
        for name, read in SETS.items()
        if (pairs / name / "index.csv").exists()
    }


def _all(chosen: Iterable[Place], network: Detector, *, side: int = BLOCK_PX) -> Seen:
    return sum((seen(place, network, side=side) for place in chosen), start=Seen((), ()))


def main() -> None:
    """Measure and print."""
    known = sets()
    everything = sum(known.values(), start=Seen((), ()))
    for name, found in {**known, "all sets": everything}.items():
        print(f"\n{name}: {len(found.blocks)} blocks of {BLOCK_PX} px, alerts on {100 * needed(found.blocks):.1f} %")
        for row in judged(found):
            through = f"lets {100 * row.let_through:5.1f} % through"
            print(f"  {row.screen:<26}{row.kind:<10} limit {row.limit:7.3f}  {through} ({row.alerts} alerts)")
    if everything.alerts:
        _print_quiet(everything)


def _print_quiet(pairs: Seen) -> None:
    rows = best(pairs)
    for side in (BLOCK_PX, config.PATCH_PX):
        for name, found in quiet(side=side).items():
            shares = [f"{kind} {100 * together(found.blocks, [row]):.1f} %" for kind, row in rows.items()]
            print(f"\nquiet ground, {name}: {len(found.blocks)} blocks of up to {side} px")
            print(f"  the best screens above let through: {', '.join(shares)};", end=" ")
            print(f"any of them {100 * together(found.blocks, rows.values()):.1f} %")
            print(f"  the network itself as a screen {100 * own(pairs, found.blocks):.1f} %;", end=" ")
            print(f"it draws alerts of a single look on {100 * needed(found.blocks):.1f} %")


if __name__ == "__main__":
    main()
