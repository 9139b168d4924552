"""Counted pixels against the pixels themselves."""

import numpy as np
import pytest

from pipeline.evaluate import metrics, tally


def _ranked(pixels: int, levels: int | None) -> metrics.Ranked:
    rng = np.random.default_rng(3)
    truth = rng.random(pixels) < 0.05
    score = rng.random(pixels) ** np.where(truth, 0.5, 2)
    score = np.round(score * levels) / levels if levels else score
    return metrics.rank(score.astype(np.float32), truth, group=rng.integers(0, 5, pixels).astype(np.int32))


WEIGHTS = np.array([2.0, 0, 1, 1, 1])


def test_curve_few_scores_is_that_of_the_pixels():
    ranked = _ranked(5000, 50)
    counted, whole = tally.tally(ranked, groups=5), metrics.curve(ranked, weights=WEIGHTS)
    found = tally.curve(counted, WEIGHTS)
    np.testing.assert_allclose(found.hits, whole.hits)
    np.testing.assert_allclose(found.false, whole.false)
    np.testing.assert_array_equal(found.threshold, whole.threshold)


@pytest.mark.parametrize(
    "figure",
    [
        metrics.average_precision,
        metrics.roc_auc,
        metrics.best_f1,
        lambda curve: metrics.recall_at(curve, false_share=0.01),
    ],
)
def test_curve_many_scores_gives_the_same_figures_to_a_thousandth(figure):
    ranked = _ranked(60_000, None)
    counted = tally.tally(ranked, groups=5)
    assert len(counted.threshold) < 5000
    expected = figure(metrics.curve(ranked, weights=WEIGHTS))
    assert figure(tally.curve(counted, WEIGHTS)) == pytest.approx(expected, abs=1e-3)


def test_reliability_is_that_of_the_pixels():
    ranked = _ranked(5000, None)
    found = tally.reliability(tally.tally(ranked, groups=5), WEIGHTS)
    assert found.expected_error == pytest.approx(metrics.reliability(ranked, weights=WEIGHTS).expected_error)


def test_tally_group_without_pixels_counts_nothing():
    counted = tally.tally(_ranked(300, 10), groups=6)
    assert counted.hits.shape == (len(counted.threshold), 6)
    assert counted.hits[:, 5].sum() == counted.false[:, 5].sum() == 0
