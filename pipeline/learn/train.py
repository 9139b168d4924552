"""Training, from top to bottom: chips, network, loss, loop, calibration, card.

In: a training configuration. Out: a folder with `card.json`, `weights.safetensors` and `curves.csv`, and what it takes
to go on after a stop. The same configuration and data give the same weights on the same kind of machine.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import swa_utils

from models import inputs, loading, registry
from models.card import Calibration, ModelCard, Network, Normalisation, Source, Terms
from pipeline.config import PATCH_PX
from pipeline.learn import grounds, scores, store
from pipeline.learn.settings import Settings, Split, read_settings
from pipeline.learn.store import Report, Stored
from pipeline.schema import KINDS
from pipeline.sensors import BANDS

COARSE = ("B11", "B12")

_COARSE_AT = inputs.coarse_indices(BANDS, COARSE)
_AVERAGED_SHARE = 0.05  # the weights that ship are a running average over about this share of all steps
_NORMALISING_CHIPS = 200


@dataclass(frozen=True, slots=True)
class _Run:
    """What all steps need to know."""

    settings: Settings
    normalisation: Normalisation
    out: Path
    report: Report


def train(config: Path, out: Path, *, resume: bool = False, report: Report = print) -> ModelCard:
    """Train a network and write it as a model folder.

    Args:
        config: like `configs/train.toml`.
        out: made if absent; `chips/` and `checkpoint.pt` in it are only needed to resume.
        resume: go on from the last whole epoch, if there is one.
        report: called with lines of progress.

    Returns:
        The card as written.

    Raises:
        ConfigError: the configuration, or a file of real ground that it names, is wrong.
    """
    settings = read_settings(config)
    torch.set_num_threads(settings.fit.threads)
    torch.manual_seed(settings.fit.seed)
    learn, valid = (_chips(split, config, out, settings, report) for split in ("train", "valid"))
    normalisation = _normalisation(learn)
    network = registry.build(settings.network.name, settings.network.parameters)
    network = network.to(memory_format=torch.channels_last)
    run = _Run(settings, normalisation, out, report)
    averaged = _fit(network, (learn, valid), run, resume=resume)

    logits, truth = _answers(averaged, valid, run)
    calibration, metrics = {}, {}
    for index, kind in enumerate(KINDS):
        known = truth[index] >= 0
        calibration[kind] = scores.fit_calibration(logits[index][known], truth[index][known] > 0)
        fitted = calibration[kind]
        probability = 1 / (1 + np.exp(-(logits[index][known] / fitted.temperature + fitted.bias)))
        metrics[kind] = scores.figures(probability, truth[index][known] > 0)
        report(f"{kind}: {metrics[kind]}")
    return loading.save(out, averaged, _facts(run, network, calibration, metrics))


def _chips(split: Split, config: Path, out: Path, settings: Settings, report: Report) -> Stored:
    root = config.parent / settings.data.root
    used = [entry for entry in settings.ground if entry.split == split] if settings.data.real_share > 0 else []
    places = tuple(grounds.read_ground(entry, root, source=str(config)) for entry in used)
    return store.stored_chips(out / "chips", split, settings=settings, places=places, report=report)


def _normalisation(chips: Stored) -> Normalisation:
    """Mean and deviation of each band over the first training chips."""
    values = chips.pairs[:_NORMALISING_CHIPS].astype(np.float32)
    mean, std = np.nanmean(values, axis=(0, 1, 3, 4)), np.nanstd(values, axis=(0, 1, 3, 4))
    return Normalisation(mean=tuple(round(float(v), 4) for v in mean), std=tuple(round(float(v), 4) for v in std))


def _fit(network: nn.Module, chips: tuple[Stored, Stored], run: _Run, *, resume: bool) -> nn.Module:
    """The loop: returns the running average of the weights."""
    settings, fit, (learn, valid) = run.settings, run.settings.fit, chips
    steps = max(1, len(learn.pairs) // fit.batch)
    average = swa_utils.get_ema_multi_avg_fn(_decay(steps * fit.epochs))  # type: ignore[no-untyped-call]
    averaged = swa_utils.AveragedModel(network, multi_avg_fn=average, use_buffers=True)
    optimiser = torch.optim.AdamW(network.parameters(), lr=fit.rate, weight_decay=fit.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, fit.rate, total_steps=steps * fit.epochs, pct_start=0.15)
    parts: dict[str, Any] = {"network": network, "averaged": averaged, "optimiser": optimiser, "schedule": schedule}
    start = _resumed(run.out / "checkpoint.pt", parts) if resume else 0
    for epoch in range(start, fit.epochs):
        network.train()
        rng = np.random.default_rng([fit.seed, epoch])
        order, total = rng.permutation(len(learn.pairs)), 0.0
        for step in range(steps):
            chosen = np.sort(order[step * fit.batch : (step + 1) * fit.batch])
            before, after, label = _batch(learn, chosen, run.normalisation, turn=int(rng.integers(8)))
            loss = change_loss(network(before, after), label, settings)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(network)
            total += loss.item()
        row = {
            "epoch": epoch + 1,
            "train_loss": total / steps,
            **_validated(averaged.module, valid, run),
        }
        _append(run.out / "curves.csv", row, fresh=epoch == 0)
        torch.save({"epoch": epoch + 1} | {k: v.state_dict() for k, v in parts.items()}, run.out / "checkpoint.pt")
        run.report(" ".join(f"{name} {value:.4g}" for name, value in row.items()))
    return averaged.module.eval()


def _decay(steps: int) -> float:
    return 1 - 1 / max(2.0, _AVERAGED_SHARE * steps)


def change_loss(logits: Tensor, label: Tensor, settings: Settings) -> Tensor:
    """Weighted cross-entropy and dice, each the mean over kinds.

    Args:
        logits: (n, kind, y, x).
        label: (n, kind, y, x) float: 1, 0, or -1 for pixels that do not count.
        settings: weights per kind, the border that does not count, the weight of the dice loss.
    """
    border = settings.data.border_px
    inner = (..., slice(border, logits.shape[-2] - border), slice(border, logits.shape[-1] - border))
    logits, label = logits[inner], label[inner]
    counts, truth = (label >= 0).float(), label.clamp(min=0)
    weight = torch.tensor([rule.weight for rule in settings.label.values()])[:, None, None]
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, pos_weight=weight, reduction="none")
    mean = (entropy * counts).sum((0, 2, 3)) / counts.sum((0, 2, 3)).clamp(min=1)
    chance = torch.sigmoid(logits) * counts
    overlap, size = (chance * truth).sum((0, 2, 3)), (chance + truth * counts).sum((0, 2, 3))
    dice = 1 - (2 * overlap + 1) / (size + 1)
    return (mean + settings.fit.dice * dice).mean()


def _batch(chips: Stored, chosen: NDArray[np.intp], normalisation: Normalisation, *, turn: int) -> tuple[Tensor, ...]:
    """Both dates as the network takes them, and labels, in one of eight orientations; missing pixels do not count."""
    pairs = chips.pairs[chosen].astype(np.float32)
    prepared = torch.stack([inputs.prepare(date, normalisation, coarse=_COARSE_AT) for pair in pairs for date in pair])
    prepared = prepared.reshape(len(pairs), 2, *prepared.shape[1:])
    label = torch.from_numpy(chips.labels[chosen].astype(np.float32))
    missing = prepared[:, :, len(BANDS)].amax(dim=1, keepdim=True) > 0
    label = torch.where(missing, -1.0, label)
    turned = [_turned(v, turn) for v in (prepared[:, 0], prepared[:, 1], label)]
    return tuple(v.contiguous(memory_format=torch.channels_last) for v in turned)


def _turned(values: Tensor, turn: int) -> Tensor:
    flipped = values.flip(-1) if turn >= 4 else values
    return torch.rot90(flipped, turn % 4, (-2, -1))


def _answers(network: nn.Module, chips: Stored, run: _Run) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """(kind, n) logits and labels of all pixels inside the chips' borders."""
    network.eval()
    border, side = run.settings.data.border_px, run.settings.data.chip_px
    inner = (..., slice(border, side - border), slice(border, side - border))
    logits, labels = [], []
    with torch.inference_mode():
        for number in range(len(chips.pairs)):
            before, after, label = _batch(chips, np.array([number]), run.normalisation, turn=0)
            logits.append(network(before, after)[inner][0].flatten(1).numpy())
            labels.append(label[inner][0].flatten(1).numpy().astype(np.int8))
    return np.concatenate(logits, axis=1), np.concatenate(labels, axis=1)


def _validated(network: nn.Module, chips: Stored, run: _Run) -> dict[str, float]:
    logits, labels = _answers(network, chips, run)
    row = {}
    for index, kind in enumerate(KINDS):
        known = labels[index] >= 0
        row[f"ap_{kind}"] = scores.average_precision(logits[index][known], labels[index][known] > 0)
    return row


def _resumed(path: Path, parts: dict[str, Any]) -> int:
    """Load the last checkpoint into `parts`; the number of whole epochs, 0 without one."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["epoch"])


def _append(path: Path, row: dict[str, Any], *, fresh: bool) -> None:
    with path.open("w" if fresh else "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow({name: f"{value:.6g}" for name, value in row.items()})


def _facts(
    run: _Run, network: nn.Module, calibration: dict[str, Calibration], metrics: dict[str, Any]
) -> dict[str, Any]:
    """The card without the fingerprint of the weights."""
    settings = run.settings
    card, real = settings.card, [entry for entry in settings.ground if entry.split == "train"]
    simulated = Source(
        name="simulated ground and injected changes", licence=card.licence, note="pipeline/simulate, pipeline/learn"
    )
    return {
        "name": card.name,
        "version": card.version,
        "network": Network(name=settings.network.name, parameters=settings.network.parameters),
        "bands": BANDS,
        "coarse_bands": COARSE,
        "inputs": "before: the normal, or an earlier look; after: a look. Surface reflectance, unit 1; missing is NaN, "
        "becomes 0 after normalising and 1 in a mask channel per date (pixel missing; 20 m bands missing).",
        "normalisation": run.normalisation,
        "stride": network.stride,
        "halo_px": network.halo_px,
        "patch_px": PATCH_PX,
        "kinds": KINDS,
        "calibration": calibration,
        "training_data": (simulated, *(Source(name=entry.name, licence=entry.licence) for entry in real)),
        "terms": Terms(licence=card.licence, allowed=("environment", "research", "enforcement"), text=card.terms),
        "metrics": {"validation chips: injected changes on places and seeds not trained on": metrics},
        "seed": settings.fit.seed,
        "created": card.created,
    }
