"""Chips on disk: made once, in order, and read as memory maps while training.

In: the training configuration and grounds. Out: `Stored` arrays. A run that was stopped goes on where it was.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from pipeline import disk, progress
from pipeline.learn import benign, chips, grounds, landscapes, palette
from pipeline.learn.chips import Chip
from pipeline.learn.grounds import Ground
from pipeline.learn.settings import Settings, Split
from pipeline.schema import KINDS
from pipeline.sensors import BANDS
from pipeline.simulate import canvas, optics, outlines, shapes, spectra

Report = Callable[[str], None]

_LINES = 10  # of progress
_NAME_BYTES = 48  # of a source
_MAKERS = (chips, benign, grounds, landscapes, palette, canvas, optics, outlines, shapes, spectra)


@dataclass(frozen=True, slots=True)
class Stored:
    """All chips of one split."""

    pairs: NDArray[np.float16]
    """(chip, date, 6, y, x) reflectance, NaN missing."""
    labels: NDArray[np.int8]
    """(chip, kind, y, x) 1 changed, 0 not, -1 counts in no loss."""
    sources: NDArray[np.bytes_]
    """(chip,) where the ground of each is from."""


@dataclass(frozen=True, slots=True)
class _Made(Dataset[Chip]):
    """Lets a DataLoader make chips in other processes, in order."""

    make: Callable[[int], Chip]
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, index: int) -> Chip:
        return self.make(self.start + index)


def stored_chips(
    folder: Path, split: Split, *, settings: Settings, places: tuple[Ground, ...], report: Report
) -> Stored:
    """Chips of a split, made as far as they are not there.

    Args:
        folder: chips lie in a subfolder named after what they were made from.
        split: training, validation or test.
        settings: numbers, size and seed.
        places: real ground of this split.
        report: called with lines of progress.

    Raises:
        OSError: the folder cannot be written, or has no room for all of them.
        WriteError: how far it came cannot be noted.
    """
    data = settings.data
    count = {"train": data.chips, "valid": data.valid_chips, "test": data.test_chips}[split]
    place = folder / f"{split}-{count}-{_fingerprint(settings)}"
    place.mkdir(parents=True, exist_ok=True)
    side = data.chip_px
    pairs = _opened(place / "pairs.npy", (count, 2, len(BANDS), side, side), np.float16)
    labels = _opened(place / "labels.npy", (count, len(KINDS), side, side), np.int8)
    sources = _opened(place / "sources.npy", (count,), np.dtype(f"S{_NAME_BYTES}"))
    done_file = place / "done"
    done = int(done_file.read_text()) if done_file.exists() else 0
    make = partial(chips.make_chip, settings=settings, grounds=places, split=split)
    processes = min(data.workers, len(os.sched_getaffinity(0)))
    made = iter(DataLoader(_Made(make, done, count), batch_size=None, num_workers=processes))  # forks before any bar
    with progress.bar(f"{split} chips", count, done=done) as step:
        for number, chip in enumerate(made, start=done):
            pairs[number] = np.stack([chip.before, chip.after])
            labels[number] = chip.label
            sources[number] = chip.source.encode()[:_NAME_BYTES]
            step()
            if (number + 1) % max(1, count // _LINES) == 0 or number + 1 == count:
                pairs.flush()
                labels.flush()
                sources.flush()
                with disk.whole(done_file) as file:
                    file.write(str(number + 1).encode())
                report(f"{split} chips: {number + 1} of {count}")
    return Stored(pairs, labels, sources)


def _opened(path: Path, shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> "np.memmap[Any, Any]":
    if path.exists():
        return open_memmap(path, mode="r+")
    aside = path.with_suffix(".part")
    try:  # a full disk is an error here, and no broken bus when a page of the map is written
        open_memmap(aside, mode="w+", dtype=dtype, shape=shape)
        with aside.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return open_memmap(path, mode="r+")


def _fingerprint(settings: Settings) -> str:
    """Changes with everything that chips depend on, the code that makes them included."""
    parts = settings.model_dump(include={"data", "label", "ground"}, mode="json")
    for name in ("root", "workers", "chips", "valid_chips", "test_chips"):
        parts["data"].pop(name)
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for module in _MAKERS:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:12]
