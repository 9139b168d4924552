"""The network, loaded once per process and run on cells of a fixed size, one at a time.

In: reflectance of two dates. Out: calibrated probabilities. Knows no scenes and no tiles.

A batch of one and a fixed cell make the answer the same to the last bit, whatever the tile size or the worker; what
little is left in the last digits is rounded away.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special

import models
from models import card as cards
from models import inputs, runtime
from models.card import ModelCard
from pipeline.config import PATCH_PX
from pipeline.errors import ModelError
from pipeline.schema import KINDS
from pipeline.sensors import BANDS

Array = NDArray[np.float32]

STEP = 1 / 4096
"""Probabilities are rounded to multiples of this."""

WEIGHTS_FOLDER = Path(models.__file__).parent / "weights"


@dataclass(frozen=True, slots=True)
class Detector:
    """A network with its card, ready to run."""

    card: ModelCard
    run: runtime.Run

    @classmethod
    def load(cls, model: str, *, weights_folder: Path = WEIGHTS_FOLDER, on_gpu: bool = False) -> "Detector":
        """Read a model.

        Args:
            model: a folder in `weights_folder`, or a path to such a folder.
            weights_folder: where named models lie.
            on_gpu: run it there, in half precision.

        Raises:
            ModelError: there is no such model, its card is wrong, its weights are not the card's, or it does not fit
                this pipeline's bands, kinds and cells; there is no GPU.
        """
        try:
            folder = _folder(model, weights_folder)
            card = cards.read_card(folder / cards.CARD)
        except (OSError, ValueError) as err:
            raise ModelError(str(err)) from err
        for name, wanted in (("bands", BANDS), ("kinds", KINDS), ("patch_px", PATCH_PX)):
            if getattr(card, name) != wanted:
                raise ModelError(f"model {model!r}: {name} is {getattr(card, name)}, the pipeline needs {wanted}")
        try:
            return cls(card, runtime.of_folder(folder, card, on_gpu=on_gpu))
        except OSError as err:
            text = f"{err.filename or folder}: not readable ({err.strerror or err}); copy the model's folder whole"
            raise ModelError(text) from err
        except ValueError as err:
            raise ModelError(str(err)) from err

    @property
    def halo_px(self) -> int:
        """Pixels that must be known around a window."""
        return self.card.halo_px

    @property
    def model_id(self) -> str:
        """Name, version and fingerprint, as alerts carry it."""
        return self.card.model_id

    def missing(self, reflectance: Array) -> NDArray[np.bool_]:
        """(y, x) bool: pixels of (band, y, x) that count as not observed."""
        return inputs.missing_pixels(reflectance, coarse=self._coarse)

    def cell(self, before: Array, after: Array) -> Array:
        """Probabilities of one cell.

        Args:
            before: (band, y, x) float32 reflectance, NaN missing; `patch_px` plus the halo on each side.
            after: the same shape.

        Returns:
            (kind, patch_px, patch_px) float32; NaN where either date is not observed.
        """
        halo, side = self.halo_px, self.card.patch_px
        core = (..., slice(halo, halo + side), slice(halo, halo + side))
        logits = self.run(self._prepared(before), self._prepared(after))
        probability = self._calibrated(runtime.middle(logits, side)[0])
        unseen = self.missing(before[core]) | self.missing(after[core])
        return np.where(unseen, np.float32(np.nan), probability)

    @property
    def _coarse(self) -> tuple[int, ...]:
        return inputs.coarse_indices(self.card.bands, self.card.coarse_bands)

    def _prepared(self, reflectance: Array) -> Array:
        indices = inputs.index_bands(self.card.bands, self.card.indices)
        return inputs.prepare(reflectance, self.card.normalisation, coarse=self._coarse, indices=indices)[None]

    def _calibrated(self, logits: Array) -> Array:
        rules = [self.card.calibration[kind] for kind in self.card.kinds]
        temperature = np.array([rule.temperature for rule in rules])[:, None, None]
        bias = np.array([rule.bias for rule in rules])[:, None, None]
        probability = special.expit(logits.astype(np.float64) / temperature + bias)
        rounded: Array = (np.rint(probability / STEP) * STEP).astype(np.float32)
        return rounded


@lru_cache(maxsize=4)
def cached(model: str, *, on_gpu: bool = False) -> Detector:
    """The detector of a model, loaded once per process; errors as for `Detector.load`."""
    return Detector.load(model, on_gpu=on_gpu)


def _folder(model: str, weights_folder: Path) -> Path:
    named, given = weights_folder / model, Path(model)
    for folder in (named, given):
        if (folder / cards.CARD).is_file():
            return folder
    there = sorted(path.parent.name for path in weights_folder.glob(f"*/{cards.CARD}"))
    raise ValueError(f"model {model!r}: no {cards.CARD} in {named} or {given}; there are: {', '.join(there) or 'none'}")
