"""What a rule makes of a whole series of looks: alerts over time, true and false.

In: the looks of some tiles, planted events, a rule. Out: a `Score`. Shapes, smallest sizes and the share of a shape
that must be confirmed are those of a night, for every rule alike; only what a pixel remembers differs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from statistics import median

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline import config, grid
from pipeline.alerts import detections
from pipeline.evaluate.rules import Rule, Series, Stage
from pipeline.schema import KINDS, MARK, Detection

NEAR_M = 30.0
"""An alert so near to a planted event is about it."""
_EPOCH = date(1970, 1, 1)
_FIRM = 5.0  # stands for the evidence of a confirmed pixel, whatever the rule; half of a shape must have it


@dataclass(frozen=True, slots=True)
class TileLooks:
    """All looks of one tile, oldest first."""

    granule: grid.Granule
    window: grid.Window
    days: tuple[int, ...]
    """Since 1970-01-01."""
    probability: NDArray[np.float32]
    """(look, kind, y, x); NaN not seen."""
    weight: NDArray[np.uint8]
    """(look, y, x) in the code of `detect.weight`."""
    owned: NDArray[np.bool_]
    """(y, x): what the tile answers for."""


@dataclass(frozen=True, slots=True)
class Planted:
    """An event that should be found."""

    kind: str
    start: date
    geometry: BaseGeometry
    """WGS84."""


@dataclass(slots=True)
class _Alert:
    """One place over time."""

    kind: str
    shape: BaseGeometry
    """In metres."""
    first: int
    confirmed: int | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """How a rule did on one series."""

    confirmed_false: int
    possible_false: int
    """Ever possible, never confirmed, about no planted event."""
    missed: int
    """Planted events that were never confirmed."""
    planted: int
    to_possible: tuple[int, ...] = field(default=())
    """Days from the start of an event to its first alert, event by event."""
    to_confirmed: tuple[int, ...] = field(default=())

    def delays(self) -> tuple[str, str]:
        """Medians for people."""
        return tuple(f"{median(days):.0f}" if days else "-" for days in (self.to_possible, self.to_confirmed))  # type: ignore[return-value]


def judge(tiles: Sequence[TileLooks], planted: Sequence[Planted], rule: Rule, profile: config.Profile) -> Score:
    """Run a rule over the looks of one area and count.

    Args:
        tiles: of one or more granules.
        planted: what happened; empty for series in which nothing did.
        rule: judged.
        profile: gives smallest sizes.

    Thresholds are 0.5 unless the profile says otherwise.
    """
    thresholds = profile.rules.thresholds(dict.fromkeys(KINDS, 0.5))
    possible: dict[int, int] = {}
    confirmed: dict[int, int] = {}
    false: list[_Alert] = []
    for granule in sorted({tile.granule for tile in tiles}):
        mine = [tile for tile in tiles if tile.granule == granule]
        around = [grid.reproject(item.geometry, 4326, granule.epsg).buffer(NEAR_M) for item in planted]
        for alert in _alerts(mine, granule, rule, profile, thresholds):
            hit = [number for number, event in enumerate(around) if event.intersects(alert.shape)]
            for number in hit:
                start = (planted[number].start - _EPOCH).days
                if alert.first >= start:
                    possible[number] = min(possible.get(number, 1 << 30), alert.first - start)
                if alert.confirmed is not None and alert.confirmed >= start:
                    confirmed[number] = min(confirmed.get(number, 1 << 30), alert.confirmed - start)
            if not hit:
                false.append(alert)
    return Score(
        confirmed_false=sum(alert.confirmed is not None for alert in false),
        possible_false=sum(alert.confirmed is None for alert in false),
        missed=len(planted) - len(confirmed),
        planted=len(planted),
        to_possible=tuple(possible[n] for n in sorted(possible)),
        to_confirmed=tuple(confirmed[n] for n in sorted(confirmed)),
    )


def _alerts(
    tiles: Sequence[TileLooks],
    granule: grid.Granule,
    rule: Rule,
    profile: config.Profile,
    thresholds: tuple[float, float, float],
) -> list[_Alert]:
    """Shapes after every look, those that overlap linked."""
    days = sorted({day for tile in tiles for day in tile.days})
    by_day: dict[int, list[NDArray[np.void]]] = {day: [] for day in days}
    for tile in tiles:
        for day, marks in _marks(tile, rule, thresholds):
            by_day[day].append(marks)
    alerts: list[_Alert] = []
    for day in days:
        if by_day[day]:
            found = detections.find(np.concatenate(by_day[day]), granule, profile.rules)
            alerts = _linked(alerts, found, day, granule)
    return alerts


def _marks(
    tile: TileLooks, rule: Rule, thresholds: tuple[float, float, float]
) -> Iterable[tuple[int, NDArray[np.void]]]:
    """A tile's marks after each of its looks."""
    stages: dict[int, tuple[NDArray[np.intp], NDArray[np.intp], list[Stage]]] = {}
    for kind, threshold in enumerate(thresholds):
        with np.errstate(invalid="ignore"):
            ever = (tile.probability[:, kind] >= min(threshold, 0.5)).any(axis=0) & tile.owned
        row, col = np.nonzero(ever)
        values = tile.probability[:, kind, row, col].astype(np.float64)
        weight = tile.weight[:, row, col]
        stages[kind] = row, col, rule(Series(tile.days, values, weight, threshold, kind))
    for number, day in enumerate(tile.days):
        parts = []
        for kind, (row, col, told) in stages.items():
            stage = told[number]
            at = np.flatnonzero(stage.possible)
            part = np.zeros(len(at), MARK)
            part["row"], part["col"], part["kind"] = row[at] + tile.window.row, col[at] + tile.window.col, kind
            part["hits"], part["first_day"], part["last_day"], part["z"] = 1, day, day, np.nan
            part["log_odds"] = np.where(stage.confirmed[at], _FIRM, 1.0)
            parts.append(part)
        yield day, np.concatenate(parts)


def _linked(alerts: list[_Alert], found: Iterable[Detection], day: int, granule: grid.Granule) -> list[_Alert]:
    """Tonight's shapes carried into the alerts that they overlap, whatever their kind."""
    for item in found:
        shape = grid.reproject(item.footprint, 4326, granule.epsg)
        done = day if item.log_odds >= _FIRM else None
        joined = [alert for alert in alerts if alert.shape.intersects(shape)]
        rest = [alert for alert in alerts if not alert.shape.intersects(shape)]
        dates = [alert.confirmed for alert in joined if alert.confirmed is not None]
        first = min([day, *(alert.first for alert in joined)])
        whole = shapely.union_all([shape, *(alert.shape for alert in joined)])
        confirmed = min(dates) if dates else done
        alerts = [*rest, _Alert(item.kind.value, whole, first, confirmed)]
    return alerts
