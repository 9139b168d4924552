"""The table: all methods on the same pixels in one run, with intervals.

In: models and the folder of real data. Out: figures, and files for people and machines. Thresholds come from
places that models may train on, never from the places judged. Nothing is tuned on these.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.errors import ConfigError, RasterError
from pipeline.evaluate import alarms, limits, metrics, pictures, places, report, sizes, trials
from pipeline.evaluate import methods as ways
from pipeline.evaluate.methods import Lineup, Method
from pipeline.evaluate.places import Place
from pipeline.evaluate.results import Results, Row
from pipeline.evaluate.trials import Draws

_PAIRS = ("us-suburbs", "czech", "amazon", "portugal")
_SERIES = ("worldcereal-a", "boadella")
_INJECTED = "injected "
_MISTAKES_AT = 0.01  # share of stable pixels flagged in the pictures


@dataclass(frozen=True, slots=True)
class Extras:
    """What else takes part."""

    methods: tuple[Method, ...] = ()
    """Beside the models and the classical detectors: fitted classifiers, peers."""
    injected: tuple[tuple[Place, ...], ...] = ()
    """Places with injected changes that no model was trained on (`places.from_chips`): per kind the same pixels in the
    same order, each kind with its own labels."""
    training: tuple[Place, ...] = ()
    """Chips of training places with injected clearings, for thresholds."""
    draws: int = 300
    """Of the bootstrap."""
    say: Callable[[str], None] = field(default=ways.silent)
    """Called with lines of progress."""


def evaluate(
    models: Sequence[str], data: Path | None, out: Path, *, seed: int, extras: Extras | None = None
) -> Results:
    """Put models and everything they must beat to the same trials, and write the table.

    Args:
        models: folders in `models/weights/` or paths; the first is the one that others are compared with.
        data: folder with `pairs/` and `series/`; None leaves out all that is judged on real places.
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
    if data:
        check_data(data)
    out.mkdir(parents=True, exist_ok=True)
    extras = extras or Extras()
    draws = Draws(extras.draws, seed)
    methods = lineup(models, extras.methods)
    suburbs = places.read_unlabelled(data / "pairs" / "us-suburbs") if data else ()
    thresholds = limits.training_thresholds(methods, suburbs, extras.training)
    extras.say("thresholds set on training places")
    rows: list[Row] = []
    curves: dict[str, dict[str, metrics.Curve]] = {}
    claims: dict[str, dict[str, metrics.Reliability]] = {}
    for variants in _labelled(data, extras.injected):
        scored = ways.score_places(methods, next(iter(variants.values())), say=extras.say)
        for trial, judged in variants.items():
            maps = trials.same_pixels(scored, judged)
            found = _judge_pixels(trial, judged, maps, methods, draws)
            rows += found[0]
            curves[trial], claims[trial] = found[1:]
            first = methods[0].name
            limit = metrics.threshold_at(curves[trial][first], false_share=_MISTAKES_AT)
            pictures.draw_mistakes(judged, maps[first], out / f"{report.slug(trial)}-mistakes.png", threshold=limit)
            extras.say(f"{trial}: {len(judged)} places judged")
    if data:
        rows += alarms.judge(data, methods, thresholds, draws=draws, say=extras.say)
    results = Results(tuple(rows), thresholds, curves, claims, seed)
    report.write(results, out)
    return results


def check_data(data: Path) -> None:
    """Look for the folders of real data before any work.

    Raises:
        RasterError: one is missing.
    """
    for name in (*(f"pairs/{pair}" for pair in _PAIRS), *(f"series/{one}" for one in _SERIES)):
        if not (data / name).is_dir():
            raise RasterError(
                f"{data / name}: no such folder; real data do not come with Vanwatch: name their folder with --data, "
                "or judge on simulated ground alone with --simulated"
            )


def lineup(models: Sequence[str], others: Sequence[Method] = ()) -> Lineup:
    """All methods under names of their own: models whose cards bear the same name go by what the user called them.

    Raises:
        ModelError: a model cannot be used.
        ConfigError: two methods share a name.
    """
    networks = [ways.of_model(model) for model in models]
    names = [network.name for network in networks]
    own = [
        replace(network, name=model) if names.count(network.name) > 1 else network
        for network, model in zip(networks, models, strict=True)
    ]
    found = (*own, *others, *ways.classical_methods())
    twice = sorted({method.name for method in found if [m.name for m in found].count(method.name) > 1})
    if twice:
        raise ConfigError(f"methods share the name {', '.join(twice)}; name each of them once")
    return found


def _judge_pixels(
    trial: str, judged: Sequence[Place], maps: trials.Maps, lineup: Lineup, draws: Draws
) -> tuple[tuple[Row, ...], dict[str, metrics.Curve], dict[str, metrics.Reliability]]:
    claims = {method.name for method in lineup if method.probabilistic}
    rows = trials.pixel_trial(trial, maps, judged, claims=claims, draws=draws)
    if trial.startswith(_INJECTED):
        rows += sizes.size_trial(f"{trial}, one false alert per 100 km2", maps, judged, draws=draws)
    ranked = {method: trials.ranked_pixels(scores, judged) for method, scores in maps.items()}
    curves = {method: metrics.curve(pixels) for method, pixels in ranked.items()}
    return rows, curves, {m: metrics.reliability(pixels) for m, pixels in ranked.items() if m in claims}


def _labelled(data: Path | None, injected: Sequence[Sequence[Place]]) -> list[dict[str, Sequence[Place]]]:
    """Trials with labelled pixels, those together whose places differ in the label only."""
    own: dict[str, Sequence[Place]] = {f"{_INJECTED}{group[0].kind}": group for group in injected if group}
    found = [own] if own else []
    if data:
        czech = places.read_czech(data / "pairs" / "czech")
        found.append({"czech": czech, "czech, edges left out": places.without_edges(czech)})
    return found
