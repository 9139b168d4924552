"""Training, from top to bottom: chips, network, loss, loop, calibration, card.

In: a training configuration. Out: a folder with `card.json`, `weights.safetensors`, `curves.csv` and `reliability.png`,
and what it takes to go on after a stop. The same configuration and data give the same weights on the same kind of
machine. Lightning drives the loop, on a GPU where there is one.
"""

import csv
import logging
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, RichProgressBar, WeightAveraging
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import swa_utils
from torch.utils.data import DataLoader, Dataset, Sampler

from models import inputs, loading, registry
from models.card import ModelCard, Normalisation
from pipeline import disk
from pipeline.errors import ConfigError
from pipeline.learn import certificate, grounds, store, taking_up
from pipeline.learn.grounds import Ground
from pipeline.learn.settings import Net, Settings, Split, read_settings, simulated
from pipeline.learn.store import Report, Stored
from pipeline.sensors import BANDS

CURVES = "curves.csv"
_COARSE_AT = inputs.coarse_indices(BANDS, certificate.COARSE)
_AVERAGED_SHARE = 0.05  # the weights that ship are a running average over about this share of all steps
_NORMALISING_CHIPS = 200
_VALID_BATCH = 8

Batch = tuple[Tensor, Tensor, Tensor]
"""Both dates (n, channels, y, x) as the network takes them, and labels (n, kind, y, x): 1, 0, or -1 for no loss."""


@dataclass(frozen=True, slots=True)
class Instead:
    """What a run does otherwise than its configuration says; None and empty leave it."""

    seed: int | None = None
    """Of the first weights and of the order of the chips."""
    network: str = ""
    """Name in `models.registry`, built with its default parameters; the card takes the name too."""
    epochs: int | None = None
    simulated: bool = False
    """On simulated ground only."""

    def applied(self, settings: Settings) -> Settings:
        """The settings with these changes."""
        settings = simulated(settings) if self.simulated else settings
        fit = {"seed": self.seed, "epochs": self.epochs}
        changed = settings.fit.model_copy(update={name: value for name, value in fit.items() if value is not None})
        parts: dict[str, Any] = {"fit": changed}
        if self.network:
            parts["network"] = Net(name=self.network, indices=settings.network.indices)
            name = f"{self.network}-simulated" if self.simulated else self.network
            parts["card"] = settings.card.model_copy(update={"name": name})
        return settings.model_copy(update=parts)


_AS_CONFIGURED = Instead()


def train(
    config: Path, out: Path, *, instead: Instead = _AS_CONFIGURED, resume: bool = False, report: Report = print
) -> ModelCard:
    """Train a network and write it as a model folder.

    Args:
        config: like `configs/train.toml`.
        out: made if absent; `last.ckpt` in it is only needed to resume. Chips lie in `chips/` beside it, for all runs.
        instead: of what the configuration says.
        resume: go on from the last whole epoch, if there is one.
        report: called with lines of progress.

    Returns:
        The card as written.

    Raises:
        ConfigError: the configuration, the network, or a file of real ground that it names, is wrong; `out` cannot be
            made; or what is to be taken up was begun with other settings, or is damaged.
        WriteError: the disk is full.
    """
    settings = instead.applied(read_settings(config))
    torch.set_num_threads(settings.fit.threads)
    _built(settings, config)  # a wrong one is told before chips are made for minutes
    if settings.fit.accelerator == "gpu" and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        raise ConfigError(f"{config}: fit.accelerator: no GPU that torch can use is here; write auto or cpu")
    places = [_places(split, config, settings) for split in ("train", "valid")]
    taking_up.begin(out, settings, resume=resume)
    with disk.writing(out):
        return _trained(settings, config, places, out, resume=resume, report=report)


def finished(config: Path, out: Path, *, instead: Instead) -> ModelCard | None:
    """The card of a model that an earlier run has written there; None where it came to no end, or is not whole.

    Raises:
        ConfigError: it was made with other settings.
    """
    taking_up.compare(out, instead.applied(read_settings(config)))
    try:
        return loading.load(out)[0]
    except (OSError, ValueError):
        return None


def _trained(
    settings: Settings, config: Path, places: list[tuple[Ground, ...]], out: Path, *, resume: bool, report: Report
) -> ModelCard:
    torch.manual_seed(settings.fit.seed)
    splits: tuple[Split, Split] = ("train", "valid")
    learn, valid = (
        store.stored_chips(out.parent / "chips", split, settings=settings, places=some, report=report)
        for split, some in zip(splits, places, strict=True)
    )
    normalisation = _normalisation(learn)
    network = _built(settings, config)
    task = ChangeTask(network.to(memory_format=torch.channels_last), settings, out, report)
    learned, judged = (Batches(stored, normalisation, settings.network) for stored in (learn, valid))
    loaders = [_loader(learned, settings, fresh=True), _loader(judged, settings, fresh=False)]
    _quiet()
    trainer = _trainer(settings, out, steps=len(loaders[0]))
    last = out / taking_up.CHECKPOINT
    start = last if resume and last.exists() else None
    trainer.fit(task, loaders[0], loaders[1], ckpt_path=start, weights_only=True)

    logits, truth = answers(network.cpu().eval(), judged, settings)
    proof = certificate.certify(logits, truth, settings=settings, report=report)
    certificate.draw(proof, out / "reliability.png")
    facts = certificate.facts(network, normalisation, proof, settings)
    try:
        return loading.save(out, network, facts, exported=settings.fit.export)
    except ValueError as err:  # hours of training are not lost for the want of a faster runtime
        report(f"{err}; the model is written all the same, and runs by torch")
        return loading.save(out, network, facts)


def _built(settings: Settings, config: Path) -> nn.Module:
    try:
        return registry.build(settings.network.name, certificate.parameters(settings.network))
    except ValueError as err:
        raise ConfigError(f"{config}: network: {err}") from err


def _places(split: str, config: Path, settings: Settings) -> tuple[Ground, ...]:
    """Real ground of a split; errors as for `train`."""
    root = config.parent / settings.data.root
    used = [entry for entry in settings.ground if entry.split == split] if settings.data.real_share > 0 else []
    return tuple(grounds.read_ground(entry, root, source=str(config)) for entry in used)


def _normalisation(stored: Stored) -> Normalisation:
    """Mean and deviation of each band over the first training chips."""
    values = stored.pairs[:_NORMALISING_CHIPS].astype(np.float32)
    mean, std = np.nanmean(values, axis=(0, 1, 3, 4)), np.nanstd(values, axis=(0, 1, 3, 4))
    return Normalisation(mean=tuple(round(float(v), 4) for v in mean), std=tuple(round(float(v), 4) for v in std))


class Batches(Dataset[Batch]):
    """Chips by many numbers at a time, in one of eight orientations; missing pixels count in no loss."""

    def __init__(self, stored: Stored, normalisation: Normalisation, net: Net) -> None:
        """Keep them; chips are read from disk when asked for."""
        self.stored, self.normalisation = stored, normalisation
        self.indices = inputs.index_bands(BANDS, net.indices)

    def __len__(self) -> int:
        return len(self.stored.pairs)

    def __getitem__(self, chosen: tuple[NDArray[np.intp], int]) -> Batch:
        numbers, turn = chosen
        pairs = self.stored.pairs[numbers].astype(np.float32)
        dates = [self._prepared(date) for pair in pairs for date in pair]
        prepared = torch.from_numpy(np.stack(dates)).reshape(len(pairs), 2, -1, *pairs.shape[-2:])
        label = torch.from_numpy(self.stored.labels[numbers].astype(np.float32))
        missing = prepared[:, :, len(BANDS)].amax(dim=1, keepdim=True) > 0
        label = torch.where(missing, -1.0, label)
        turned = [_turned(v, turn) for v in (prepared[:, 0], prepared[:, 1], label)]
        return turned[0], turned[1], turned[2]

    def _prepared(self, date: NDArray[np.float32]) -> NDArray[np.float32]:
        return inputs.prepare(date, self.normalisation, coarse=_COARSE_AT, indices=self.indices)


def _turned(values: Tensor, turn: int) -> Tensor:
    flipped = values.flip(-1) if turn >= 4 else values
    return torch.rot90(flipped, turn % 4, (-2, -1)).contiguous(memory_format=torch.channels_last)


class Order(Sampler[tuple[NDArray[np.intp], int]]):
    """Numbers of chips for each batch and how they are turned: shuffled anew each epoch, or all in order, unturned."""

    def __init__(self, chips_there: int, batch: int, *, seed: int | None) -> None:
        """`seed` None: in order, the last batch may be smaller."""
        self.chips_there, self.batch, self.seed, self.epoch = chips_there, batch, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Told by Lightning, also after a resume."""
        self.epoch = epoch

    def __len__(self) -> int:
        return max(1, self.chips_there // self.batch) if self.seed is not None else -(-self.chips_there // self.batch)

    def __iter__(self) -> Iterator[tuple[NDArray[np.intp], int]]:
        numbers = np.arange(self.chips_there)
        rng = np.random.default_rng([self.seed or 0, self.epoch])
        if self.seed is not None:
            numbers = rng.permutation(numbers)
        for step in range(len(self)):
            chosen = np.sort(numbers[step * self.batch : (step + 1) * self.batch])
            yield chosen, int(rng.integers(8)) if self.seed is not None else 0


def _loader(batches: Batches, settings: Settings, *, fresh: bool) -> DataLoader[Batch]:
    fit = settings.fit
    order = Order(len(batches), fit.batch if fresh else _VALID_BATCH, seed=fit.seed if fresh else None)
    keep = {"persistent_workers": True} if fit.workers else {}
    return DataLoader(batches, sampler=order, batch_size=None, num_workers=fit.workers, **keep)  # type: ignore[arg-type]


class ChangeTask(lightning.LightningModule):
    """Loss, optimiser and schedule of a change network; average precision of the averaged weights after each epoch."""

    def __init__(self, network: nn.Module, settings: Settings, out: Path, report: Report) -> None:
        """`out` gets a line of `curves.csv` per epoch, `report` the same in words."""
        super().__init__()
        self.network, self.settings, self.out, self.report = network, settings, out, report
        self.losses: list[float] = []
        self.ranked: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        """The loss of one batch."""
        before, after, label = batch
        loss = change_loss(self.network(before, after), label, self.settings)
        self.losses.append(float(loss.detach()))
        return loss

    def validation_step(self, batch: Batch, _index: int) -> None:
        """Logits and labels inside the chips' borders."""
        self.ranked.append(_inner(self.network, batch, self.settings))

    def on_validation_epoch_end(self) -> None:
        """One line of the curves."""
        logits, truth = _joined(self.ranked)
        row: dict[str, float] = {"epoch": self.current_epoch + 1, "train_loss": float(np.mean(self.losses))}
        row |= certificate.precisions(logits, truth)
        _append(self.out / CURVES, row)
        self.report(" ".join(f"{name} {value:.4g}" for name, value in row.items()))
        self.losses.clear()
        self.ranked.clear()

    def configure_optimizers(self) -> Any:
        """AdamW with one cycle of the rate over all steps."""
        fit = self.settings.fit
        optimiser = torch.optim.AdamW(self.network.parameters(), lr=fit.rate, weight_decay=fit.decay)
        steps = int(self.trainer.estimated_stepping_batches)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, fit.rate, total_steps=steps, pct_start=0.15)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}


class _Averaged(WeightAveraging):
    """Also of a run that is taken up when all its epochs are done: for such a one Lightning ends no training."""

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """The weights that ship are the average."""
        self.on_train_end(trainer, pl_module)


def _trainer(settings: Settings, out: Path, *, steps: int) -> lightning.Trainer:
    fit = settings.fit
    decay = 1 - 1 / max(2.0, _AVERAGED_SHARE * steps * fit.epochs)
    average = swa_utils.get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    followers: list[Callback] = [
        _Averaged(multi_avg_fn=average),
        ModelCheckpoint(
            dirpath=out,
            filename=Path(taking_up.CHECKPOINT).stem,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        ),
    ]
    on_terminal = sys.stderr.isatty()
    return lightning.Trainer(
        accelerator=fit.accelerator,
        devices=1,
        max_epochs=fit.epochs,
        gradient_clip_val=1.0,
        deterministic="warn",
        num_sanity_val_steps=0,
        plugins=[taking_up.WholeCheckpoints()],
        callbacks=[*followers, *([RichProgressBar()] if on_terminal else [])],
        enable_progress_bar=on_terminal,
        enable_model_summary=False,
        logger=False,
        default_root_dir=out,
    )


def _quiet() -> None:
    """Lightning's tips are for those who write training code, not for those who run ours."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\..*")


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
    weight = torch.tensor([rule.weight for rule in settings.label.values()], device=logits.device)[:, None, None]
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, pos_weight=weight, reduction="none")
    mean = (entropy * counts).sum((0, 2, 3)) / counts.sum((0, 2, 3)).clamp(min=1)
    chance = torch.sigmoid(logits) * counts
    overlap, size = (chance * truth).sum((0, 2, 3)), (chance + truth * counts).sum((0, 2, 3))
    dice = 1 - (2 * overlap + 1) / (size + 1)
    return (mean + settings.fit.dice * dice).mean()


def answers(network: nn.Module, batches: Batches, settings: Settings) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Logits and labels inside the borders of all chips, in order.

    Returns:
        (kind, chip, y, x) float32 and int8; labels 1, 0, or -1 for pixels that do not count.
    """
    order = Order(len(batches), _VALID_BATCH, seed=None)
    with torch.inference_mode():
        return _joined([_inner(network, batches[chosen], settings) for chosen in order])


def _inner(network: nn.Module, batch: Batch, settings: Settings) -> tuple[Tensor, Tensor]:
    before, after, label = batch
    border, side = settings.data.border_px, settings.data.chip_px
    inner = (..., slice(border, side - border), slice(border, side - border))
    return network(before, after)[inner].float().cpu(), label[inner].to(torch.int8).cpu()


def _joined(parts: list[tuple[Tensor, Tensor]]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Parts of (n, kind, y, x) as (kind, chip, y, x)."""
    logits, truth = (np.concatenate([part[i].contiguous().numpy() for part in parts]) for i in (0, 1))
    return logits.swapaxes(0, 1), truth.swapaxes(0, 1)


def _append(path: Path, row: dict[str, float]) -> None:
    """Add a line to the curves; what an earlier, stopped run said of this epoch and later ones goes."""
    earlier: list[dict[str, Any]] = []
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            earlier = [old for old in csv.DictReader(file) if int(old["epoch"]) < row["epoch"]]
    aside = path.with_suffix(".part")
    with aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerows([*earlier, {name: f"{value:.6g}" for name, value in row.items()}])
    aside.replace(path)
