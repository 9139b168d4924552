"""How good probabilities are, and what makes them honest.

In: logits and labels of pixels. Out: figures, and a calibration per kind.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from models.card import Calibration

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


def average_precision(score: Array, truth: Mask) -> float:
    """Area under the precision-recall curve, as the mean precision at each hit; NaN without positives.

    Args:
        score: (n,) the higher the surer; ties count as found together.
        truth: (n,) bool.
    """
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    hits = np.cumsum(truth[order])[last].astype(np.float64)
    if not len(hits) or hits[-1] == 0:
        return float("nan")
    precision = hits / (last + 1)
    return float(np.sum(np.diff(hits, prepend=0.0) * precision) / hits[-1])


def recall_at(score: Array, truth: Mask, *, false_share: float) -> float:
    """Share of positives above the score that only `false_share` of the negatives exceed; NaN without either."""
    if truth.all() or not truth.any():
        return float("nan")
    limit = np.quantile(score[~truth], 1 - false_share)
    return float((score[truth] > limit).mean())


def fit_calibration(logit: Array, truth: Mask) -> Calibration:
    """Temperature and bias that make sigmoid(logit / temperature + bias) fit the truth best (cross-entropy).

    Args:
        logit: (n,).
        truth: (n,) bool; without both outcomes the logits are left as they are.

    Source: Platt (1999), "Probabilistic outputs for support vector machines".
    """
    if truth.all() or not truth.any():
        return Calibration()
    x, y = torch.from_numpy(logit.astype(np.float64)), torch.from_numpy(truth.astype(np.float64))
    free = torch.zeros(2, dtype=torch.float64, requires_grad=True)  # log of 1 / temperature, bias
    fitter = torch.optim.LBFGS([free], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        fitter.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(x * free[0].exp() + free[1], y)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    fitter.step(closure)  # type: ignore[no-untyped-call]
    scale, bias = free.detach().tolist()
    return Calibration(temperature=round(math.exp(-scale), 4), bias=round(bias, 4))


def figures(probability: Array, truth: Mask) -> dict[str, float | None]:
    """What the card says about one kind: average precision, recall at 0.1 % false pixels, and both rates at 0.5.

    None where there was nothing to measure on.
    """
    shown = probability >= 0.5
    found = int((shown & truth).sum())
    return {
        "average_precision": _known(average_precision(probability, truth)),
        "recall_at_0.1pct_false": _known(recall_at(probability, truth, false_share=1e-3)),
        "precision_at_0.5": round(found / max(1, int(shown.sum())), 4),
        "recall_at_0.5": round(found / max(1, int(truth.sum())), 4),
        "positive_share": round(float(truth.mean()), 6),
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
