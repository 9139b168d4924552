"""Pixel classifiers of scikit-learn on the same inputs as the network: what can be had without looking at neighbours.

In: chips with labels. Out: a `PixelForest`, a method like any other. scikit-learn is only needed to fit one.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigError
from pipeline.evaluate.methods import Method
from pipeline.schema import KINDS
from pipeline.sensors import BANDS

Array = NDArray[np.float32]
Form = Literal["boosted", "random"]

_FILL = np.float32(-9)  # of missing bands, for forests that take no NaN: far from any reflectance


@dataclass(frozen=True, slots=True)
class PixelForest:
    """One fitted classifier per kind."""

    form: Form
    classifiers: dict[str, Any]
    """Kind to a classifier with `predict_proba`."""

    def score(self, before: Array, after: Array) -> dict[str, Array]:
        """Probability per kind and pixel.

        Args:
            before: (6, y, x) float32 reflectance, unit 1, NaN missing.
            after: the same shape.

        Returns:
            Kind to (y, x) float32; NaN where a 10 m band is missing on either date.
        """
        seen = np.isfinite(before[:4]).all(axis=0) & np.isfinite(after[:4]).all(axis=0)
        rows = features(before[:, seen], after[:, seen], form=self.form)
        scores = {}
        for kind, classifier in self.classifiers.items():
            scores[kind] = np.full(seen.shape, np.nan, np.float32)
            if len(rows):
                scores[kind][seen] = classifier.predict_proba(rows)[:, 1]
        return scores

    def method(self) -> Method:
        """As a method for the table."""
        return Method({"boosted": "gradient boosting", "random": "random forest"}[self.form], self.score, True)


def fit(
    pairs: NDArray[np.floating[Any]],
    labels: NDArray[np.int8],
    *,
    form: Form,
    seed: int,
    pixels: int = 200_000,
    threads: int = 1,
) -> PixelForest:
    """Fit a classifier per kind.

    Args:
        pairs: (chip, date, 6, y, x) reflectance, NaN missing; two dates.
        labels: (chip, kind, y, x) 1 changed, 0 not, -1 counts nowhere.
        form: `boosted` (histogram gradient boosting) or `random` (random forest).
        seed: of the sample of pixels and of the classifier.
        pixels: drawn for each kind, at most half of them changed.
        threads: of the random forest.

    Raises:
        ConfigError: scikit-learn is not installed, or a kind has no changed or no unchanged pixel.
    """
    rng = np.random.default_rng(seed)
    classifiers = {}
    for index, kind in enumerate(KINDS):
        chip, row, col = _sample(labels[:, index], pixels, kind, rng)
        values = np.asarray(pairs[chip, :, :, row, col], np.float32)  # (pixel, date, band)
        rows = features(values[:, 0].T, values[:, 1].T, form=form)
        classifiers[kind] = _classifier(form, seed, threads).fit(rows, labels[chip, index, row, col] == 1)
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


def _classifier(form: Form, seed: int, threads: int) -> Any:
    try:
        from sklearn import ensemble  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError as err:
        raise ConfigError("pixel classifiers need scikit-learn; install it with: pip install scikit-learn") from err
    if form == "boosted":
        return ensemble.HistGradientBoostingClassifier(max_iter=300, learning_rate=0.1, random_state=seed)
    return ensemble.RandomForestClassifier(300, min_samples_leaf=5, n_jobs=threads, random_state=seed)
