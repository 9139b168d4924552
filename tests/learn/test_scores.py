import numpy as np
import pytest
from scipy import special

from models.card import Calibration
from pipeline.learn import scores


def _slow_average_precision(score: np.ndarray, truth: np.ndarray) -> float:
    total, last = 0.0, 0.0
    for limit in sorted(set(score.tolist()), reverse=True):
        shown = score >= limit
        recall = (shown & truth).sum() / truth.sum()
        total += (recall - last) * (shown & truth).sum() / shown.sum()
        last = recall
    return total


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_with_ties_equals_the_slow_way(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score, truth = rng.integers(0, 12, 200).astype(np.float32), rng.random(200) < 0.2
    assert scores.average_precision(score, truth) == pytest.approx(_slow_average_precision(score, truth))


def test_average_precision_perfect_is_one_and_without_positives_nan() -> None:
    score = np.arange(4, dtype=np.float32)
    assert scores.average_precision(score, score > 1) == 1
    assert np.isnan(scores.average_precision(score, score > 9))


def test_recall_at_counts_what_exceeds_the_allowed_negatives() -> None:
    score = np.concatenate([np.arange(100), [98.5, 99.5, 10.0, 200.0]]).astype(np.float32)
    truth = np.arange(104) >= 100
    assert scores.recall_at(score, truth, false_share=0.0) == 0.5


def test_fit_calibration_finds_the_temperature_and_bias_that_made_the_outcomes() -> None:
    rng = np.random.default_rng(1)
    logit = rng.normal(-1, 3, 50_000).astype(np.float32)
    truth = rng.random(len(logit)) < special.expit(logit / 2.0 - 0.7)
    fitted = scores.fit_calibration(logit, truth)
    assert fitted.temperature == pytest.approx(2.0, rel=0.05)
    assert fitted.bias == pytest.approx(-0.7, abs=0.06)


def test_fit_calibration_one_outcome_leaves_logits_alone() -> None:
    assert scores.fit_calibration(np.ones(4, np.float32), np.zeros(4, bool)) == Calibration()
