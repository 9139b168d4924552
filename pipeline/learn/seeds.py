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
        resume: go on where an earlier call stopped; seeds that have a card already are not trained again.
        report: called with lines of progress.

    Returns:
        The card of the chosen model, as written.

    Raises:
        ConfigError: as for `train.train`.
    """
    cards = {}
    for seed in seeds:
        folder = out / f"seed-{seed}"
        if resume and (folder / loading.CARD).exists():
            cards[seed] = loading.load(folder)[0]
            continue
        report(f"seed {seed}")
        own = replace(instead or train.Instead(), seed=seed)
        cards[seed] = train.train(config, folder, instead=own, resume=resume, report=report)
    ranked = sorted(seeds, key=lambda seed: (statistics.fmean(_precisions(cards[seed]).values()), seed))
    chosen = ranked[(len(ranked) - 1) // 2]
    card = cards[chosen]
    if len(seeds) > 1:
        card = card.model_copy(update={"metrics": card.metrics | {SPREAD: _spread(list(cards.values()))}})
    for name in (loading.WEIGHTS, train.CURVES, "reliability.png"):
        shutil.copyfile(out / f"seed-{chosen}" / name, out / name)
    if card.onnx_sha256:
        shutil.copyfile(out / f"seed-{chosen}" / runtime.ONNX, out / runtime.ONNX)
    (out / loading.CARD).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
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
