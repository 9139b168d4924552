"""What the card says about a trained network: calibration, thresholds from a budget of false alerts, and figures.

In: logits and labels on chips that were not trained on. Out: a `Proof`, its picture, and the facts of a card. Knows no
training.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import special
from torch import nn

from models import inputs
from models.card import Calibration, Network, Normalisation, Source, Terms
from pipeline import config
from pipeline.config import PATCH_PX
from pipeline.evaluate import metrics, objects
from pipeline.grid import RESOLUTION_M
from pipeline.learn import scores
from pipeline.learn.settings import Net, Settings
from pipeline.learn.store import Report
from pipeline.schema import KINDS
from pipeline.sensors import BANDS

Array = NDArray[np.float32]

COARSE = ("B11", "B12")
"""Bands of 20 m, whose absence alone makes no pixel missing."""
MOST_SURE = 0.95
"""A threshold is never set higher: evidence adds up over looks, and one look is not asked to decide alone."""
LEAST_SURE = 0.2
"""Nor lower: below it a pixel is far more likely unchanged than changed, whatever the budget allows."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was measured on one kind each, in the order of `KINDS`."""

    calibration: dict[str, Calibration]
    thresholds: dict[str, float]
    """Probability at which unchanged ground keeps to the budget of false alerts."""
    reliability: dict[str, metrics.Reliability]
    figures: dict[str, dict[str, Any]]


def precisions(logits: Array, truth: NDArray[np.int8]) -> dict[str, float]:
    """Average precision of each kind; arguments as for `certify`."""
    return {
        f"ap_{kind}": scores.average_precision(logits[i][truth[i] >= 0], truth[i][truth[i] >= 0] > 0)
        for i, kind in enumerate(KINDS)
    }


def certify(logits: Array, truth: NDArray[np.int8], *, settings: Settings, report: Report) -> Proof:
    """Fit calibration, set thresholds and measure.

    Args:
        logits: (kind, chip, y, x).
        truth: the same shape: 1 changed, 0 not, -1 counts nowhere.
        settings: the budget.
        report: called with a line per kind.
    """
    calibration, thresholds, reliability, figures = {}, {}, {}, {}
    unchanged = (truth == 0).all(axis=0)  # a camp taken for a clearing is no false alert, but one of another kind
    for index, kind in enumerate(KINDS):
        known = truth[index] >= 0
        changed = truth[index][known] > 0
        fitted = scores.fit_calibration(logits[index][known], changed)
        probability = special.expit(logits[index] / np.float32(fitted.temperature) + np.float32(fitted.bias))
        stable = np.where(unchanged, probability, np.float32(np.nan))
        thresholds[kind], alerts = _threshold(list(stable), kind, settings.fit.alerts_per_1000_km2)
        claims = metrics.reliability(metrics.rank(probability[known], changed))
        calibration[kind], reliability[kind] = fitted, claims
        figures[kind] = scores.figures(probability[known], changed) | {
            "expected_calibration_error": round(claims.expected_error, 5),
            "false_alerts_per_1000_km2_and_look_at_threshold": alerts,
            "reliability": _table(claims),
        }
        told = {name: value for name, value in figures[kind].items() if name != "reliability"}
        report(f"{kind}: threshold {thresholds[kind]:.3f}, {told}")
    return Proof(calibration, thresholds, reliability, figures)


def _threshold(stable: list[Array], kind: str, budget: float) -> tuple[float, float]:
    """The lowest threshold within the budget and the bounds, and the alerts per 1,000 km2 and look that it raises."""
    min_px = round(getattr(config.Rules(), kind).min_area_m2 / RESOLUTION_M**2)
    area_km2 = sum(int(np.isfinite(score).sum()) for score in stable) * RESOLUTION_M**2 / 1e6
    lowest = objects.threshold_for_alerts(stable, min_px=min_px, max_alerts=budget * area_km2 / 1000)
    threshold = round(float(np.clip(lowest, LEAST_SURE, MOST_SURE)), 3)
    alerts = sum(objects.count_alerts(score >= threshold, min_px=min_px) for score in stable)
    return threshold, round(1000 * alerts / area_km2, 1) if area_km2 else 0.0


def _table(claims: metrics.Reliability) -> list[list[float | None]]:
    """Rows of claimed probability, share that changed, pixels; empty bins are left out."""
    rows = zip(claims.claimed, claims.happened, claims.weight, strict=True)
    return [[round(float(c), 4), round(float(h), 4), int(n)] for c, h, n in rows if n > 0]


def draw(proof: Proof, path: Path) -> None:
    """The reliability diagram of all kinds as PNG."""
    with matplotlib.rc_context({"font.size": 9}):
        figure = Figure(figsize=(9, 3.2), layout="constrained", dpi=110)
        for index, (kind, claims) in enumerate(proof.reliability.items()):
            axes = figure.add_subplot(1, len(proof.reliability), index + 1)
            axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
            axes.plot(claims.claimed, claims.happened, marker="o", markersize=4, color="#b5471b")
            axes.axvline(proof.thresholds[kind], color="#2a6f97", linewidth=1, linestyle="--")
            axes.set(title=f"{kind}: ECE {claims.expected_error:.4f}", xlabel="probability", xlim=(0, 1), ylim=(0, 1))
        figure.axes[0].set_ylabel("share that changed")
        figure.savefig(path, metadata={"Software": None})


def parameters(net: Net) -> dict[str, int | str]:
    """What the network is built with: what the configuration says, and as many channels as a date has."""
    return {"in_channels": len(BANDS) + inputs.MASKS + len(net.indices)} | net.parameters


def _kept(net: Net) -> dict[str, int | str]:
    """Without the weights that training started from: the card's own take their place."""
    return {name: value for name, value in parameters(net).items() if name != "pretrained"}


def facts(network: nn.Module, normalisation: Normalisation, proof: Proof, settings: Settings) -> dict[str, Any]:
    """The card without the fingerprint of the weights."""
    card, real = settings.card, [entry for entry in settings.ground if entry.split == "train"]
    simulated = Source(
        name="simulated ground and injected changes", licence=card.licence, note="pipeline/simulate, pipeline/learn"
    )
    return {
        "name": card.name,
        "version": card.version,
        "network": Network(name=settings.network.name, parameters=_kept(settings.network)),
        "bands": BANDS,
        "coarse_bands": COARSE,
        "indices": settings.network.indices,
        "inputs": "before: the normal, or an earlier look; after: a look. Surface reflectance, unit 1; missing is NaN, "
        "becomes 0 after normalising and 1 in a mask channel per date (pixel missing; 20 m bands missing).",
        "normalisation": normalisation,
        "stride": network.stride,
        "halo_px": network.halo_px,
        "patch_px": PATCH_PX,
        "kinds": KINDS,
        "calibration": proof.calibration,
        "thresholds": proof.thresholds,
        "training_data": (simulated, *(Source(name=entry.name, licence=entry.licence) for entry in real)),
        "terms": Terms(licence=card.licence, allowed=("environment", "research", "enforcement"), text=card.terms),
        "metrics": {"validation chips: injected changes on places and seeds not trained on": proof.figures},
        "seed": settings.fit.seed,
        "created": card.created,
    }
