"""Pixel classifiers of scikit-learn on the same inputs as the network: what can be had without looking at neighbours.

In: chips with labels. Out: a `PixelForest`, a method like any other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn import ensemble

from pipeline.errors import ConfigError
from pipeline.evaluate.methods import Method
from pipeline.schema import KINDS
from pipeline.sensors import BANDS

Array = NDArray[np.float32]
Form = Literal["boosted", "random"]

PIXELS: dict[Form, int] = {"boosted": 200_000, "random": 60_000}
"""What is fitted in about half a minute per kind."""

_FILL = np.float32(-9)  # of missing bands, for forests that take no NaN: far from any reflectance


@dataclass(frozen=True, slots=True)
class PixelForest:
    """One fitted classifier per kind."""

    form: Form
    classifiers: dict[str, Any]
    """Kind to a classifier with `predict_proba`."""

    def score(self, before: Array, after: Array) -> Mapping[str, Array]:
        """Probability per kind and pixel.

        Args:
            before: (6, y, x) float32 reflectance, unit 1, NaN missing.
            after: the same shape.

        Returns:
            Kind to (y, x) float32; NaN where a 10 m band is missing on either date.
        """
        return _Answers(self, before, after)

    def method(self) -> Method:
        """As a method for the table."""
        return Method({"boosted": "gradient boosting", "random": "random forest"}[self.form], self.score, True)


@dataclass(frozen=True, slots=True)
class _Answers(Mapping[str, Array]):
    """Kind to probabilities, each worked out when it is asked for: most trials ask for one kind, and trees are slow."""

    forest: PixelForest
    before: Array
    after: Array

    def __getitem__(self, kind: str) -> Array:
        before, after = self.before, self.after
        seen = np.isfinite(before[:4]).all(axis=0) & np.isfinite(after[:4]).all(axis=0)
        scores = np.full(seen.shape, np.nan, np.float32)
        if seen.any():
            rows = features(before[:, seen], after[:, seen], form=self.forest.form)
            scores[seen] = self.forest.classifiers[kind].predict_proba(rows)[:, 1]
        return scores

    def __iter__(self) -> Iterator[str]:
        return iter(self.forest.classifiers)

    def __len__(self) -> int:
        return len(self.forest.classifiers)


def fit(
    pairs: NDArray[np.floating[Any]],
    labels: NDArray[np.int8],
    *,
    form: Form,
    seed: int,
    pixels: int = 0,
    kinds: tuple[str, ...] = KINDS,
) -> PixelForest:
    """Fit a classifier per kind.

    Args:
        pairs: (chip, date, 6, y, x) reflectance, NaN missing; two dates.
        labels: (chip, kind, y, x) 1 changed, 0 not, -1 counts nowhere.
        form: `boosted` (histogram gradient boosting) or `random` (random forest).
        seed: of the sample of pixels and of the classifier.
        pixels: drawn for each kind, at most half of them changed; 0 for those of `PIXELS`.
        kinds: names of the labels' kinds.

    Raises:
        ConfigError: a kind has no changed or no unchanged pixel.
    """
    rng = np.random.default_rng(seed)
    classifiers = {}
    for index, kind in enumerate(kinds):
        chip, row, col = _sample(labels[:, index], pixels or PIXELS[form], kind, rng)
        values = np.asarray(pairs[chip, :, :, row, col], np.float32)  # (pixel, date, band)
        rows = features(values[:, 0].T, values[:, 1].T, form=form)
        classifiers[kind] = _classifier(form, seed).fit(rows, labels[chip, index, row, col] == 1)
    return PixelForest(form, classifiers)


def features(before: Array, after: Array, *, form: Form) -> Array:
    """Both dates, their difference, and the indices' falls.

    Args:
        before: (6, pixel) reflectance.
        after: the same shape.
        form: `random` has missing values filled.

    Returns:
        (pixel, feature) float32.
    """
    indices = [_index(before, low) - _index(after, low) for low in ("B04", "B11", "B12")]
    rows = np.concatenate([before, after, after - before, np.stack(indices)]).T.astype(np.float32)
    return rows if form == "boosted" else np.where(np.isnan(rows), _FILL, rows)


def _index(values: Array, low: str) -> Array:
    nir, other = values[BANDS.index("B08")], values[BANDS.index(low)]
    index: Array = (nir - other) / np.maximum(nir + other, np.float32(0.02))
    return index


def _sample(label: NDArray[np.int8], pixels: int, kind: str, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
    """Places (chip, row, col) of pixels to learn from: all classes as they come, but changed ones at most by half."""
    changed, unchanged = (np.flatnonzero(label == value) for value in (1, 0))
    if not len(changed) or not len(unchanged):
        raise ConfigError(f"chips hold no {'changed' if not len(changed) else 'unchanged'} pixel of {kind}; make more")
    some = rng.permutation(changed)[: pixels // 2]
    others = rng.permutation(unchanged)[: pixels - len(some)]
    return np.unravel_index(np.sort(np.concatenate([some, others])), label.shape)


def _classifier(form: Form, seed: int) -> Any:
    if form == "boosted":
        return ensemble.HistGradientBoostingClassifier(max_iter=300, learning_rate=0.1, random_state=seed)
    return ensemble.RandomForestClassifier(100, min_samples_leaf=10, random_state=seed)
