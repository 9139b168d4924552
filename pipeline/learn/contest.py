"""`vanwatch evaluate`: a model against everything it must beat, on chips of test places and on real changes.

In: models, the training configuration and the folder of real data. Out: one table. What is fitted here is fitted to
training chips, thresholds come from other chips of training places, and injected changes are judged on test places.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline import disk
from pipeline.errors import ConfigError
from pipeline.evaluate import forest, places, table
from pipeline.evaluate.methods import Method
from pipeline.evaluate.places import Place
from pipeline.evaluate.results import Results
from pipeline.learn import grounds, store
from pipeline.learn.chips import IGNORED
from pipeline.learn.settings import Settings, Split, read_settings, simulated
from pipeline.learn.store import Report, Stored
from pipeline.schema import KINDS, Kind

TEST: Split = "test"
"""The split whose places are judged."""
_FITTED_CHIPS = 600  # the first of the training chips: more would not be fitted in a minute or two
_LIMIT_CHIPS = 100
_LIMIT_SEED = 7_000_003  # added to the chips' seed: thresholds come from chips that nothing was fitted to
_SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Contest:
    """What to run."""

    models: tuple[str, ...]
    """Folders in `models/weights/` or paths; the first is the one that others are compared with."""
    config: Path
    """Training configuration: where chips come from."""
    data: Path | None = None
    """Folder of real data; the configuration's if None."""
    simulated: bool = False
    """Without real data: on simulated test chips alone."""
    seed: int = 0
    """Of the bootstrap and of the fitted classifiers."""
    draws: int = 300
    """Of the bootstrap."""
    forms: tuple[forest.Form, ...] = ("boosted", "random")
    """Pixel classifiers to fit."""


def run(contest: Contest, out: Path, *, report: Report) -> Results:
    """Make chips, fit the classifiers, judge all methods, and write the table.

    Args:
        contest: what to run.
        out: folder for table.json, table.md and pictures; `chips/` in it is kept for the next time.
        report: called with lines of progress.

    Raises:
        ConfigError: the configuration is wrong or has no ground to test on, two models share a name, or `out` cannot
            be made.
        ModelError: a model cannot be used.
        RasterError: the real data cannot be read.
        WriteError: the disk is full.
    """
    settings = read_settings(contest.config)
    data = None if contest.simulated else contest.data or contest.config.parent / settings.data.root
    if data is None:
        settings = simulated(settings)
    else:
        table.check_data(data)
    if settings.data.real_share > 0 and TEST not in {entry.split for entry in settings.ground}:
        raise ConfigError(f"{contest.config}: ground: none has split '{TEST}'; add places that are never trained on")
    torch.set_num_threads(1)  # small cells gain nothing from more, and the answer is the same everywhere
    table.lineup(contest.models)  # a wrong one is found before minutes of work
    with disk.writing(out, ConfigError):
        out.mkdir(parents=True, exist_ok=True)
    with disk.writing(out):
        return _judged(contest, settings, data, out, report)


def _judged(contest: Contest, settings: Settings, data: Path | None, out: Path, report: Report) -> Results:
    chips = _Chips(settings, contest.config, data, out / "chips", report)
    extras = table.Extras(
        methods=fitted(chips.some("train", number=_FITTED_CHIPS), contest, report=report),
        injected=injected(chips.some(TEST, number=settings.data.test_chips), settings),
        training=_clearings(chips.some("train", number=_LIMIT_CHIPS, other_seed=_LIMIT_SEED), settings),
        draws=contest.draws,
        say=report,
    )
    return table.evaluate(contest.models, data, out, seed=contest.seed, extras=extras)


def fitted(chips: Stored, contest: Contest, *, report: Report) -> tuple[Method, ...]:
    """Pixel classifiers fitted to training chips."""
    found = []
    for form in contest.forms:
        found.append(forest.fit(chips.pairs, chips.labels, form=form, seed=contest.seed).method())
        report(f"{found[-1].name}: fitted to pixels of {len(chips.pairs)} training chips")
    return tuple(found)


def injected(chips: Stored, settings: Settings) -> tuple[tuple[Place, ...], ...]:
    """Chips as places, per kind. Each simulated one is a place of its own; those of one ground share a group.

    The edges of chips count nowhere: they lack the surroundings that a place has in production.
    """
    names = [name.decode() for name in chips.sources]
    groups = [f"{name}/{i}" if name == _SIMULATED else name for i, name in enumerate(names)]
    return places.from_chips(chips.pairs, _inner(chips.labels, settings.data.border_px), groups=groups)


def _clearings(chips: Stored, settings: Settings) -> tuple[Place, ...]:
    return injected(chips, settings)[KINDS.index(Kind.CLEARING)]


def _inner(labels: NDArray[np.int8], border_px: int) -> NDArray[np.int8]:
    """(chip, kind, y, x) labels that count nowhere at the edges."""
    inner = np.full(labels.shape, IGNORED, np.int8)
    core = (..., slice(border_px, labels.shape[-2] - border_px), slice(border_px, labels.shape[-1] - border_px))
    inner[core] = labels[core]
    return inner


@dataclass(frozen=True, slots=True)
class _Chips:
    """Where chips come from and where they are kept."""

    settings: Settings
    config: Path
    data: Path | None
    """Folder of real data; None where the settings name no real ground."""
    folder: Path
    report: Report

    def some(self, split: Split, *, number: int, other_seed: int = 0) -> Stored:
        """The first chips of a split, or of another random stream on the same places."""
        data, fields = self.settings.data, {"train": "chips", "valid": "valid_chips", "test": "test_chips"}
        update = {fields[split]: min(number, getattr(data, fields[split])), "seed": data.seed + other_seed}
        settings = self.settings.model_copy(update={"data": data.model_copy(update=update)})
        used = [entry for entry in settings.ground if entry.split == split and settings.data.real_share > 0]
        ground = tuple(grounds.read_ground(e, self.data, source=str(self.config)) for e in used if self.data)
        return store.stored_chips(self.folder, split, settings=settings, places=ground, report=self.report)
