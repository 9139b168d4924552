"""The table: all methods on the same pixels in one run, with intervals.

In: models and the folder of real data. Out: figures, and files for people and machines. Thresholds come from
places that models may train on, never from the places judged. Nothing is tuned on these.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import config
from pipeline.errors import ConfigError
from pipeline.evaluate import methods as ways
from pipeline.evaluate import metrics, places, report, series, sizes, trials
from pipeline.evaluate.methods import Method
from pipeline.evaluate.places import Place
from pipeline.evaluate.results import Results, Row, Thresholds
from pipeline.evaluate.trials import Draws

Array = NDArray[np.float32]
Lineup = tuple[Method, ...]
Scored = dict[str, tuple[Mapping[str, Array], ...]]

_INJECTED = "injected "
_NATURAL = "natural_change"
_SCENES = {
    "amazon, mining": {"mining_emergence"},
    "amazon, mining and other human activity": {"mining_emergence", "human_activity"},
}
_BOADELLA_UNFIT = (date(2020, 1, 13), date(2020, 1, 18), date(2020, 1, 23))  # hazy, cloudy, cloudy: its README


def _silent(line: str) -> None:
    """Progress for those who do not want any."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What else takes part."""

    methods: tuple[Method, ...] = ()
    """Beside the models and the classical detectors: fitted classifiers, peers."""
    injected: tuple[tuple[Place, ...], ...] = ()
    """Places with injected changes that no model was trained on (`places.from_chips`): per kind the same pixels in the
    same order, each kind with its own labels."""
    draws: int = 300
    """Of the bootstrap."""
    say: Callable[[str], None] = field(default=_silent)
    """Called with lines of progress."""


def evaluate(models: Sequence[str], data: Path, out: Path, *, seed: int, extras: Extras | None = None) -> Results:
    """Put models and everything they must beat to the same trials, and write the table.

    Args:
        models: folders in `models/weights/` or paths; the first is the one that others are compared with.
        data: folder with `pairs/` and `series/`.
        out: folder for table.json, table.md and plots.
        seed: of the bootstrap.
        extras: further methods and places.

    Returns:
        All figures.

    Raises:
        ModelError: a model cannot be used.
        ConfigError: two methods share a name.
        RasterError: the data cannot be read.
    """
    extras = extras or Extras()
    draws = Draws(extras.draws, seed)
    lineup = _lineup(models, extras.methods)
    limits = training_thresholds(lineup, places.read_unlabelled(data / "pairs" / "us-suburbs"))
    rows: list[Row] = []
    curves: dict[str, dict[str, metrics.Curve]] = {}
    claims: dict[str, dict[str, metrics.Reliability]] = {}
    for variants in _labelled(data, extras.injected):
        scored = score_places(lineup, next(iter(variants.values())), say=extras.say)
        for trial, judged in variants.items():
            found = _judge_pixels(trial, judged, scored, lineup, draws)
            rows += found[0]
            curves[trial], claims[trial] = found[1:]
            extras.say(f"{trial}: {len(judged)} places judged")
    for trial, quiet in _quiet(data).items():
        maps = trials.same_pixels(score_places(lineup, quiet, say=extras.say), quiet)
        rows += trials.alarm_trial(trial, maps, quiet, thresholds=limits, draws=draws)
        extras.say(f"{trial}: {len(quiet)} looks judged")
    rows += _amazon(places.read_amazon(data / "pairs" / "amazon"), lineup, limits, draws)
    results = Results(tuple(rows), limits, curves, claims, seed)
    report.write(results, out)
    return results


def _lineup(models: Sequence[str], others: Sequence[Method]) -> Lineup:
    """All methods under names of their own: models whose cards bear the same name go by what the user called them."""
    networks = [ways.of_model(model) for model in models]
    names = [network.name for network in networks]
    own = [
        replace(network, name=model) if names.count(network.name) > 1 else network
        for network, model in zip(networks, models, strict=True)
    ]
    lineup = (*own, *others, *ways.classical_methods())
    twice = sorted({method.name for method in lineup if [m.name for m in lineup].count(method.name) > 1})
    if twice:
        raise ConfigError(f"methods share the name {', '.join(twice)}; name each of them once")
    return lineup


def score_places(lineup: Lineup, judged: Sequence[Place], *, say: Callable[[str], None] = _silent) -> Scored:
    """Every method's scores on every place."""
    scored: Scored = {}
    for method in lineup:
        scored[method.name] = tuple(method.score(place.before, place.after) for place in judged)
        say(f"{method.name}: {len(judged)} places scored")
    return scored


def training_thresholds(lineup: Lineup, training: Sequence[Place]) -> Thresholds:
    """Scores that 1 % and 5 % of the pixels of training places exceed; for probabilities also the profiles' default.

    Args:
        lineup: the methods.
        training: places that models may train on; what changed on them counts as unchanged here, for all methods alike.
    """
    maps = trials.same_pixels(score_places(lineup, training), training)
    limits: Thresholds = {}
    for method in lineup:
        score = np.concatenate([values[np.isfinite(values)] for values in maps[method.name]])
        curve = metrics.curve(metrics.rank(score, np.zeros(len(score), np.bool_)))
        limits[method.name] = {
            f"at {share:.0%} of suburbs": metrics.threshold_at(curve, false_share=share) for share in trials.FLAGGED
        }
        if method.probabilistic:
            limits[method.name]["at profile"] = config.Rules().clearing.threshold
    return limits


def _judge_pixels(
    trial: str, judged: Sequence[Place], scored: Scored, lineup: Lineup, draws: Draws
) -> tuple[tuple[Row, ...], dict[str, metrics.Curve], dict[str, metrics.Reliability]]:
    claims = {method.name for method in lineup if method.probabilistic}
    maps = trials.same_pixels(scored, judged)
    rows = trials.pixel_trial(trial, maps, judged, claims=claims, draws=draws)
    if trial.startswith(_INJECTED):
        rows += sizes.size_trial(f"{trial}, one false alert per 100 km2", maps, judged, draws=draws)
    ranked = {method: trials.ranked_pixels(scores, judged) for method, scores in maps.items()}
    curves = {method: metrics.curve(pixels) for method, pixels in ranked.items()}
    return rows, curves, {m: metrics.reliability(pixels) for m, pixels in ranked.items() if m in claims}


def _labelled(data: Path, injected: Sequence[Sequence[Place]]) -> list[dict[str, Sequence[Place]]]:
    """Trials with labelled pixels, those together whose places differ in the label only."""
    czech = places.read_czech(data / "pairs" / "czech")
    own = {f"{_INJECTED}{group[0].kind}": group for group in injected if group}
    return [*([own] if own else []), {"czech": czech, "czech, edges left out": places.without_edges(czech)}]


def _quiet(data: Path) -> dict[str, Sequence[Place]]:
    """Trials on places where nothing was cleared."""
    farm = series.read_series(data / "series" / "worldcereal-a")
    water = series.read_series(data / "series" / "boadella", unfit=_BOADELLA_UNFIT)
    return {
        "portugal": places.read_unlabelled(data / "pairs" / "portugal"),
        "worldcereal-a, look after look": series.consecutive(farm, name="worldcereal-a"),
        "worldcereal-a, look after normal": series.against_normal(farm, name="worldcereal-a"),
        "boadella, look after look": series.consecutive(water, name="boadella"),
        "boadella, look after normal": series.against_normal(water, name="boadella"),
    }


def _amazon(chips: Sequence[Place], lineup: Lineup, limits: Thresholds, draws: Draws) -> list[Row]:
    """Whole scenes, by the share of flagged pixels and by the mean score; and false alerts on the natural ones."""
    maps = trials.same_pixels(score_places(lineup, chips), chips)
    values = {
        method: {"mean score": np.array([np.nanmean(score) for score in scores], np.float32)}
        | {
            f"flagged {key}": np.array([np.mean(score[np.isfinite(score)] >= limit) for score in scores], np.float32)
            for key, limit in limits[method].items()
        }
        for method, scores in maps.items()
    }
    rows: list[Row] = []
    for trial, changed in _SCENES.items():
        kept = [i for i, chip in enumerate(chips) if chip.scene_label in changed | {_NATURAL}]
        some = {m: {key: column[kept] for key, column in columns.items()} for m, columns in values.items()}
        rows += trials.scene_trial(trial, some, [chips[i] for i in kept], changed=changed, draws=draws)
    kept = [i for i, chip in enumerate(chips) if chip.scene_label == _NATURAL]
    natural = {method: [scores[i] for i in kept] for method, scores in maps.items()}
    quiet = [chips[i] for i in kept]
    rows += trials.alarm_trial("amazon natural", natural, quiet, thresholds=limits, draws=draws)
    return rows
