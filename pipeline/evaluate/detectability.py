"""How small a change is found: shares of injected changes by kind, size and contrast, with intervals.

In: injected changes and whether they were found, and alerts where nothing was injected. Out: figures. Knows no pixels
and no files.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scipy import special

SIZES: dict[str, tuple[float, ...]] = {
    "clearing": (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
    "camp": (0.04, 0.06, 0.1, 0.2, 0.5, 1.0, 2.0),
    "track": (3.0, 5.0, 8.0, 12.0, 20.0),
}
"""Edges of the classes of size: hectares inside the outline, for tracks metres of width."""
UNITS = {"clearing": "ha", "camp": "ha", "track": "m wide"}
CONTRASTS: dict[str, tuple[float, float]] = {
    "faint": (0.0, 0.04),
    "middling": (0.04, 0.08),
    "strong": (0.08, math.inf),
}
"""Classes of contrast: root mean square over the bands of the mean step in reflectance inside the outline."""
GROUNDS = ("woods", "open land")
FLOOR_HA = 0.06
"""Six pixels of 10 m: of anything smaller an alert is possible, no more."""
PIXEL_M = 10.0
LEVELS = (0.5, 0.9)
"""Recall for which the smallest size is told."""
MIN_CHANGES = 10
"""A class with fewer changes tells nothing about the smallest size."""
_Z = 1.959964  # two-sided 95 % of the normal distribution


@dataclass(frozen=True, slots=True)
class Trial:
    """One injected change and what was said about it."""

    kind: str
    size: float
    """In the unit of its kind."""
    contrast: float
    """Reflectance, unit 1; see `CONTRASTS`."""
    ground: str
    """In `GROUNDS`."""
    found: tuple[bool, ...]
    """After 1, 2 ... looks: an alert of its kind overlaps it."""
    found_any: tuple[bool, ...]
    """Likewise, by an alert of any kind."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Alerts on the same looks without any injection."""

    kind: str
    looks: int
    alerts: int
    km2: float
    """Observed, added over looks where each was judged alone."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the changes of one class of size were found."""

    low: float
    high: float
    """Class of size, in the unit of its kind."""
    changes: int
    found: int
    recall: float
    """NaN without changes."""
    recall_low: float
    recall_high: float
    """95 % interval."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Alerts per 1,000 km2 and look where nothing was injected."""

    kind: str
    looks: int
    alerts: int
    km2: float
    rate: float
    rate_low: float
    rate_high: float
    """95 % interval."""


@dataclass(frozen=True, slots=True)
class Group:
    """A curve: some of the changes of one kind, found in one way."""

    kind: str
    name: str
    """`all`, or a class of contrast or of ground."""
    looks: int
    any_kind: bool
    shares: tuple[Share, ...]
    smallest: tuple[float | None, ...]
    """For each of `LEVELS`: the smallest size found so often, in the unit of the kind; None if no class is."""


def wilson(found: int, changes: int) -> tuple[float, float]:
    """95 % interval of a share; (0, 1) without any changes.

    Source: Wilson (1927), JASA 22:209.
    """
    if not changes:
        return 0.0, 1.0
    share, spread = found / changes, _Z**2 / changes
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def rate(quiet: Quiet) -> Rate:
    """Alerts per 1,000 km2 with the exact 95 % interval of a count.

    Source: Garwood (1936), Biometrika 28:437.
    """
    per = 1000 / quiet.km2 if quiet.km2 > 0 else math.nan
    low = float(special.gammaincinv(quiet.alerts, 0.025)) if quiet.alerts else 0.0
    high = float(special.gammaincinv(quiet.alerts + 1, 0.975))
    return Rate(quiet.kind, quiet.looks, quiet.alerts, quiet.km2, quiet.alerts * per, low * per, high * per)


def groups(trials: Sequence[Trial], *, looks: Sequence[int]) -> tuple[Group, ...]:
    """All curves: per kind and number of looks, as its kind and as any; contrast and ground after the most looks.

    Args:
        trials: of all kinds.
        looks: numbers of looks after which recall is told, ascending.
    """
    made = []
    for kind in SIZES:
        mine = [trial for trial in trials if trial.kind == kind]
        for count, any_kind in itertools.product(looks, (False, True)):
            made.append(_group(mine, kind, "all", count, any_kind=any_kind))
        for name, (low, high) in CONTRASTS.items():
            part = [trial for trial in mine if low <= trial.contrast < high]
            made.append(_group(part, kind, name, max(looks), any_kind=False))
        for name in GROUNDS:
            part = [trial for trial in mine if trial.ground == name]
            made.append(_group(part, kind, name, max(looks), any_kind=False))
    return tuple(made)


def _group(trials: Sequence[Trial], kind: str, name: str, looks: int, *, any_kind: bool) -> Group:
    def hit(trial: Trial) -> bool:
        return (trial.found_any if any_kind else trial.found)[looks - 1]

    known = [trial for trial in trials if len(trial.found) >= looks]
    shares = tuple(_share(known, low, high, hit) for low, high in itertools.pairwise(SIZES[kind]))
    return Group(kind, name, looks, any_kind, shares, tuple(smallest(shares, level) for level in LEVELS))


def _share(trials: Sequence[Trial], low: float, high: float, hit: Callable[[Trial], bool]) -> Share:
    inside = [hit(trial) for trial in trials if low <= trial.size < high]
    found = sum(inside)
    recall = found / len(inside) if inside else math.nan
    return Share(low, high, len(inside), found, recall, *wilson(found, len(inside)))


def smallest(shares: Sequence[Share], level: float) -> float | None:
    """The lower edge of the smallest class found at `level`, by itself and together with all larger ones.

    Classes with fewer than `MIN_CHANGES` changes are not asked. None if no class is found so often.
    """
    told = [share for share in shares if share.changes >= MIN_CHANGES]
    for number, share in enumerate(told):
        larger = told[number:]
        together = sum(item.found for item in larger) / sum(item.changes for item in larger)
        if share.recall >= level and together >= level:
            return share.low
    return None


@dataclass(frozen=True, slots=True)
class Report:
    """How small a change is found in one AOI."""

    aoi: str
    as_of: str
    model: str
    seed: int
    looks: int
    """The most looks of a tile."""
    scenes: tuple[str, ...]
    """Looks that were used."""
    tiles: int
    tiles_of_aoi: int
    min_area_ha: dict[str, float]
    """Kind to the smallest area that the profile's rules accept."""
    min_length_m: float
    """Shortest track that they accept."""
    thresholds: dict[str, float]
    unplaced: int
    """Changes for which there was no room, or no clear look."""
    failed: tuple[str, ...]
    """Tiles that could not be read, each with its reason."""
    problems: tuple[str, ...]
    """What went wrong besides: catalogues and scenes of the history."""
    groups: tuple[Group, ...]
    rates: tuple[Rate, ...]
    trials: tuple[Trial, ...]

    def group(self, kind: str, name: str = "all", *, looks: int | None = None, any_kind: bool = False) -> Group:
        """One curve; by default after the most looks.

        Raises:
            KeyError: there is no such curve.
        """
        wanted = (kind, name, self.looks if looks is None else looks, any_kind)
        for item in self.groups:
            if (item.kind, item.name, item.looks, item.any_kind) == wanted:
                return item
        raise KeyError(wanted)
