"""`vanwatch evaluate --benchmark oscd`: the Onera Satellite Change Detection set, as a benchmark only.

In: the folder of the set as published. Out: figures on its full test images. Its images are top-of-atmosphere
reflectance and its labels are urban change of any kind, so our models, made for surface reflectance and three kinds,
are judged far from home. Nothing that ships may be trained on it: its licence forbids commercial use.

Source: Daudt et al. (2018), "Urban change detection for multispectral Earth observation using convolutional neural
networks", doi:10.1109/IGARSS.2018.8518015; read with torchgeo's dataset, whole images and not its data module's crops.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torchgeo.datasets import OSCD, DatasetNotFoundError

from pipeline import disk
from pipeline.errors import ConfigError, RasterError
from pipeline.evaluate import folds, folds_report, forest, methods
from pipeline.evaluate.folds import Benchmarked
from pipeline.evaluate.methods import Method, Scores
from pipeline.evaluate.places import CHANGED, STABLE, Place
from pipeline.learn.store import Report
from pipeline.schema import Kind
from pipeline.sensors import BANDS, SENTINEL2

Array = NDArray[np.float32]

LICENCE = "OSCD: CC-BY-NC-SA 4.0 (IEEE GRSS, Onera); a benchmark only, never training data of what ships"
BAND_SETS = {6: BANDS, 13: (*BANDS, *(band for band in OSCD.all_bands if band not in BANDS))}
"""Ours come first in both, so that methods that know only these take the first six."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What to run."""

    name: str
    """Only `oscd` is known."""
    root: Path | None
    """Folder that holds the set's folders."""
    bands: int = 6
    """6 or 13; networks use six in any case."""
    seeds: int = 5
    """How often the training images are dealt into those to fit to and those that thresholds come from."""
    models: tuple[str, ...] = ("vanwatch-s",)


def run(benchmark: Benchmark, out: Path, *, report: Report) -> Benchmarked:
    """Judge models and classical detectors as they are, and gradient boosting fitted to the training images.

    Args:
        benchmark: what to run.
        out: folder for oscd.json and oscd.md.
        report: called with lines of progress.

    Raises:
        ConfigError: the benchmark is unknown, its folder is not named, the number of bands is neither 6 nor 13, or
            `out` cannot be made.
        ModelError: a model cannot be used.
        RasterError: the set cannot be read.
        WriteError: the disk is full.
    """
    if benchmark.name != "oscd" or benchmark.root is None:
        raise ConfigError(f"--benchmark {benchmark.name}: known is oscd; give its folder with --root")
    if benchmark.bands not in BAND_SETS:
        raise ConfigError(f"--bands {benchmark.bands}: expected 6 or 13")
    report(LICENCE)
    models = [_of_six_bands(methods.any_kind(methods.of_model(model))) for model in benchmark.models]
    training, test = (read(benchmark.root, split, bands=benchmark.bands) for split in ("train", "test"))
    if len(training) < 2:
        raise RasterError(f"{benchmark.root}: {len(training)} training images; at least 2 are needed")
    report(f"{len(training)} training and {len(test)} test images read")
    with disk.writing(out, ConfigError):
        out.mkdir(parents=True, exist_ok=True)
    lineup = (*models, *methods.classical_methods())
    figures = folds.measure(lineup, [_boosted], (training, test), seeds=benchmark.seeds)
    found = Benchmarked("oscd", LICENCE, benchmark.bands, benchmark.seeds, len(training), len(test), tuple(figures))
    with disk.writing(out):
        folds_report.write(found, out)
    return found


def read(root: Path, split: str, *, bands: int) -> tuple[Place, ...]:
    """Whole images, by region.

    Args:
        root: folder that holds the set's folders.
        split: `train` or `test`, as published.
        bands: 6 or 13.

    Raises:
        RasterError: there is no such set, or an image cannot be read.
    """
    try:
        images = OSCD(str(root), split=split, bands=BAND_SETS[bands])
        order = sorted(range(len(images)), key=lambda index: str(images.files[index]["region"]))
        found = tuple(_place(images, index) for index in order)
    except DatasetNotFoundError as err:
        raise RasterError(f"{root}: no OSCD here; unpack its three archives there") from err
    except (OSError, IndexError, ValueError, RuntimeError) as err:
        raise RasterError(f"{root}: OSCD's {split} part is not readable: {err}; unpack its archives again") from err
    if not found:
        raise RasterError(f"{root}: OSCD's {split} part holds no image; unpack its archives again")
    return found


def _place(images: OSCD, index: int) -> Place:
    sample, region = images[index], str(images.files[index]["region"])
    digital = sample["image"].numpy()
    missing = (digital[:, : len(BANDS)] == SENTINEL2.nodata).any(axis=1, keepdims=True)
    before, after = np.where(missing, np.float32(np.nan), digital * np.float32(SENTINEL2.scale))
    label = np.where(sample["mask"][0].numpy() > 0, np.uint8(CHANGED), np.uint8(STABLE))
    return Place(region, region, Kind.CLEARING, before, after, label)


def _of_six_bands(method: Method) -> Method:
    def score(before: Array, after: Array) -> Scores:
        return method.score(before[: len(BANDS)], after[: len(BANDS)])

    return replace(method, score=score)


def _boosted(training: Sequence[Place], seed: int) -> Method:
    """Gradient boosting on all pixels of the training images, which differ in size, as one long row."""
    pairs = np.stack(
        [
            np.concatenate([date.reshape(len(date), 1, -1) for date in dates], axis=2)
            for dates in ([place.before for place in training], [place.after for place in training])
        ]
    )
    label = np.concatenate([place.label.reshape(1, 1, -1) for place in training], axis=2) == CHANGED
    kind = Kind.CLEARING.value
    fitted = forest.fit(pairs[None], label[None].astype(np.int8), form="boosted", seed=seed, kinds=(kind,))
    return methods.any_kind(replace(fitted.method(), name="boosting, fitted here"))
