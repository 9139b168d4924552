"""Several seeds: how far luck moves the figures, and which weights ship.

In: a training configuration and seeds. Out: a model folder per seed, and in the folder above the one whose mean average
precision on the validation chips is the median, with mean and spread over the seeds in its card.
"""

import json
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from models import loading, runtime
from models.card import ModelCard
from pipeline import disk
from pipeline.errors import ConfigError
from pipeline.learn import train
from pipeline.learn.store import Report
from pipeline.schema import KINDS

SPREAD = "mean and standard deviation over seeds"


def train_seeds(
    config: Path,
    out: Path,
    seeds: Sequence[int],
    *,
    instead: train.Instead | None = None,
    resume: bool = False,
    report: Report = print,
) -> ModelCard:
    """Train with each seed and choose the median.

    Args:
        config: like `configs/train.toml`.
        out: gets `seed-<n>/` for each, and the chosen model.
        seeds: at least one; of an even number the lower of the two in the middle is chosen.
        instead: of what the configuration says; its seed is not used.
        resume: go on where an earlier call stopped; seeds that are trained already are not trained again.
        report: called with lines of progress.

    Returns:
        The card of the chosen model, as written.

    Raises:
        ConfigError: a seed is given twice, or as for `train.train`.
        WriteError: the disk is full.
    """
    twice = sorted({seed for seed in seeds if list(seeds).count(seed) > 1})
    if twice:
        raise ConfigError(f"--seed {', '.join(map(str, twice))}: given more than once; give each seed once")
    cards = {}
    for seed in seeds:
        folder = out / f"seed-{seed}"
        own = replace(instead or train.Instead(), seed=seed)
        there = train.finished(config, folder, instead=own) if resume else None
        if there:
            cards[seed] = there
            continue
        report(f"seed {seed}")
        cards[seed] = train.train(config, folder, instead=own, resume=resume, report=report)
    ranked = sorted(seeds, key=lambda seed: (statistics.fmean(_precisions(cards[seed]).values()), seed))
    chosen = ranked[(len(ranked) - 1) // 2]
    card = cards[chosen]
    if len(seeds) > 1:
        card = card.model_copy(update={"metrics": card.metrics | {SPREAD: _spread(list(cards.values()))}})
    with disk.writing(out):
        for name in (loading.WEIGHTS, train.CURVES, "reliability.png"):
            shutil.copyfile(out / f"seed-{chosen}" / name, out / name)
        if card.onnx_sha256:
            shutil.copyfile(out / f"seed-{chosen}" / runtime.ONNX, out / runtime.ONNX)
    with disk.whole(out / loading.CARD) as file:
        file.write(card.model_dump_json(indent=2).encode() + b"\n")
    report(f"seed {chosen} of {', '.join(map(str, seeds))} is the median: {json.dumps(card.metrics.get(SPREAD, {}))}")
    return card


def _precisions(card: ModelCard) -> dict[str, float]:
    """Average precision per kind on the validation chips; 0 where a kind had nothing to measure on."""
    figures = next(iter(card.metrics.values()))
    return {kind: figures[kind]["average_precision"] or 0.0 for kind in KINDS}


def _spread(cards: list[ModelCard]) -> dict[str, object]:
    values = {kind: [_precisions(card)[kind] for card in cards] for kind in KINDS}
    return {"seeds": [card.seed for card in cards]} | {
        f"average_precision {kind}": [round(statistics.fmean(some), 4), round(statistics.stdev(some), 4)]
        for kind, some in values.items()
    }
