"""Trials without labelled pixels: whole scenes, and false alerts where nothing was cleared.

In: the folder of real data and methods with their thresholds. Out: rows of the table. Nothing is tuned here.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate import places, series, trials
from pipeline.evaluate.methods import Lineup, score_places
from pipeline.evaluate.places import Place
from pipeline.evaluate.results import Row, Thresholds
from pipeline.evaluate.trials import Draws

Array = NDArray[np.float32]

TOGETHER = "quiet places together"
"""Trial of the places below that are a look after a normal, or two composites."""
MINING = "amazon, mining"
_AMAZON = "amazon natural"
_NATURAL = "natural_change"
_SCENES = {
    MINING: {"mining_emergence"},
    "amazon, mining and other human activity": {"mining_emergence", "human_activity"},
}
BOADELLA_UNFIT = (date(2020, 1, 13), date(2020, 1, 18), date(2020, 1, 23))  # hazy, cloudy, cloudy: its README


def judge(
    data: Path, lineup: Lineup, limits: Thresholds, *, draws: Draws, say: Callable[[str], None]
) -> tuple[Row, ...]:
    """All of these trials.

    Args:
        data: folder with `pairs/` and `series/`.
        lineup: the methods, the first of which is the one that others are compared with.
        limits: method to name of the threshold to its value, set elsewhere.
        draws: of the bootstrap.
        say: called with lines of progress.

    Raises:
        RasterError: the data cannot be read.
    """
    amazon = places.read_amazon(data / "pairs" / "amazon")
    rows: list[Row] = []
    parts: list[tuple[Sequence[Place], trials.Maps]] = []
    for trial, quiet in _quiet(data).items():
        maps = trials.same_pixels(score_places(lineup, quiet), quiet)
        rows += trials.alarm_trial(trial, maps, quiet, thresholds=limits, draws=draws)
        say(f"{trial}: {len(quiet)} looks judged")
        if "look after look" not in trial:  # the same looks once more
            parts.append((quiet, maps))
    maps = trials.same_pixels(score_places(lineup, amazon), amazon)
    rows += _scenes(amazon, maps, limits, draws)
    natural = _kept(amazon, maps, {_NATURAL})
    rows += trials.alarm_trial(_AMAZON, natural[1], natural[0], thresholds=limits, draws=draws)
    say(f"amazon: {len(amazon)} scenes judged")
    parts.append(natural)
    together = [place for quiet, _ in parts for place in quiet]
    joined = {method.name: [score for _, part in parts for score in part[method.name]] for method in lineup}
    return (*rows, *trials.alarm_trial(TOGETHER, joined, together, thresholds=limits, draws=draws))


def _quiet(data: Path) -> dict[str, Sequence[Place]]:
    """Trials on places where nothing was cleared."""
    farm = series.read_series(data / "series" / "worldcereal-a")
    water = series.read_series(data / "series" / "boadella", unfit=BOADELLA_UNFIT)
    return {
        "portugal": places.read_unlabelled(data / "pairs" / "portugal"),
        "worldcereal-a, look after look": series.consecutive(farm, name="worldcereal-a"),
        "worldcereal-a, look after normal": series.against_normal(farm, name="worldcereal-a"),
        "boadella, look after look": series.consecutive(water, name="boadella"),
        "boadella, look after normal": series.against_normal(water, name="boadella"),
    }


def _scenes(amazon: Sequence[Place], maps: trials.Maps, limits: Thresholds, draws: Draws) -> list[Row]:
    """Whole scenes, by the share of flagged pixels and by the mean score."""
    rows: list[Row] = []
    for trial, changed in _SCENES.items():
        judged, some = _kept(amazon, maps, changed | {_NATURAL})
        values = {method: _statistics(scores, limits[method]) for method, scores in some.items()}
        rows += trials.scene_trial(trial, values, judged, changed=changed, draws=draws)
    return rows


def _statistics(scores: Sequence[Array], limits: Mapping[str, float]) -> dict[str, Array]:
    """(scene,) of each statistic."""
    flagged = {
        f"flagged {key}": np.array([np.mean(score[np.isfinite(score)] >= limit) for score in scores], np.float32)
        for key, limit in limits.items()
    }
    return {"mean score": np.array([np.nanmean(score) for score in scores], np.float32)} | flagged


def _kept(amazon: Sequence[Place], maps: trials.Maps, labels: set[str]) -> tuple[Sequence[Place], trials.Maps]:
    kept = [index for index, place in enumerate(amazon) if place.scene_label in labels]
    return [amazon[i] for i in kept], {method: [scores[i] for i in kept] for method, scores in maps.items()}
