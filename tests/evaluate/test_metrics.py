"""Every figure against a slow, obvious oracle."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluate import metrics


def _cases(seed: int, n: int, levels: int):
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.3
    score = np.round(rng.random(n) * levels + 0.3 * levels * truth).astype(np.float32) / np.float32(1.3 * levels)
    return score, truth, rng.integers(0, 4, n).astype(np.int32)


cases = st.builds(_cases, st.integers(0, 10_000), st.integers(1, 60), st.sampled_from([2, 7, 1000]))


def _oracle(score, truth, weight):
    """(recall, precision, false share, f1) at every distinct score, one threshold at a time."""
    rows = []
    for threshold in sorted(set(score.tolist()), reverse=True):
        flagged = score >= threshold
        hits, false = weight[flagged & truth].sum(), weight[flagged & ~truth].sum()
        changed, stable = weight[truth].sum(), weight[~truth].sum()
        rows.append(
            (
                hits / changed if changed else math.nan,
                hits / (hits + false) if hits + false else 1.0,
                false / stable if stable else math.nan,
                2 * hits / (changed + hits + false) if changed else math.nan,
            )
        )
    return rows


@given(cases)
def test_figures_any_scores_equal_one_threshold_at_a_time(case):
    score, truth, group = case
    weights = np.array([0.0, 1.0, 2.0, 1.0])
    rows = _oracle(score, truth, weights[group])
    found = metrics.curve(metrics.rank(score, truth, group=group), weights=weights)
    changed, stable = weights[group][truth].sum() > 0, weights[group][~truth].sum() > 0
    if not changed:
        assert math.isnan(metrics.average_precision(found))
        assert math.isnan(metrics.best_f1(found))
        return
    recalls = [0.0] + [row[0] for row in rows]
    step = sum((now - before) * row[1] for before, now, row in zip(recalls, recalls[1:], rows, strict=False))
    assert metrics.average_precision(found) == pytest.approx(step)
    assert metrics.best_f1(found) == pytest.approx(max(row[3] for row in rows))
    if stable:
        within = [row[0] for row in rows if row[2] <= 0.2]
        assert metrics.recall_at(found, false_share=0.2) == pytest.approx(max(within, default=0.0))


@given(cases)
def test_roc_auc_any_scores_equal_the_share_of_ordered_pairs(case):
    score, truth, group = case
    found = metrics.roc_auc(metrics.curve(metrics.rank(score, truth, group=group)))
    pairs = [(a > b) + 0.5 * (a == b) for a in score[truth] for b in score[~truth]]
    assert math.isnan(found) if not pairs else found == pytest.approx(np.mean(pairs))


@given(cases)
def test_reliability_any_probabilities_equal_bin_after_bin(case):
    score, truth, _ = case
    found = metrics.reliability(metrics.rank(score, truth), bins=5)
    error = 0.0
    for index in range(5):
        inside = np.array([min(int(float(p) * 5), 4) == index for p in score])
        assert found.weight[index] == inside.sum()
        if inside.any():
            assert found.claimed[index] == pytest.approx(float(score[inside].astype(np.float64).mean()))
            assert found.happened[index] == pytest.approx(truth[inside].mean())
            error += inside.mean() * abs(float(score[inside].astype(np.float64).mean()) - truth[inside].mean())
    assert found.expected_error == pytest.approx(error)


@given(cases)
def test_figures_doubled_weights_change_nothing(case):
    score, truth, group = case
    ranked = metrics.rank(score, truth, group=group)
    once, twice = metrics.curve(ranked), metrics.curve(ranked, weights=np.full(4, 2.0))
    for figure in (metrics.average_precision, metrics.roc_auc, metrics.best_f1):
        assert figure(once) == pytest.approx(figure(twice), nan_ok=True)


def test_figures_scikit_learn_agrees():
    sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: the slow oracles stand alone")
    score, truth, _ = _cases(1, 4000, 50)
    found = metrics.curve(metrics.rank(score, truth))
    assert metrics.average_precision(found) == pytest.approx(sk.average_precision_score(truth, score))
    assert metrics.roc_auc(found) == pytest.approx(sk.roc_auc_score(truth, score))


def test_threshold_at_ties_never_exceed_the_share():
    score = np.array([0.9, 0.5, 0.5, 0.1], np.float32)
    found = metrics.curve(metrics.rank(score, np.zeros(4, bool)))
    assert metrics.threshold_at(found, false_share=0.5) == pytest.approx(0.9)
    assert metrics.threshold_at(found, false_share=0.75) == pytest.approx(0.5)
    assert metrics.threshold_at(found, false_share=0.1) == math.inf


def test_rank_of_nan_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        metrics.rank(np.array([np.nan], np.float32), np.array([True]))


def test_rank_of_nothing_gives_no_figures():
    found = metrics.curve(metrics.rank(np.zeros(0, np.float32), np.zeros(0, bool)))
    assert math.isnan(metrics.average_precision(found))
    assert math.isnan(metrics.threshold_at(found, false_share=0.1))


@given(cases)
def test_best_threshold_gives_the_best_f1(case):
    score, truth, _ = case
    found = metrics.curve(metrics.rank(score, truth))
    if not truth.any():
        assert math.isnan(metrics.best_threshold(found))
        return
    flagged = score >= metrics.best_threshold(found)
    assert 2 * (flagged & truth).sum() / (truth.sum() + flagged.sum()) == pytest.approx(metrics.best_f1(found))


@given(cases, st.sampled_from([0.1, 0.5, 1.0]))
def test_threshold_for_is_the_highest_that_finds_enough(case, recall):
    score, truth, _ = case
    found = metrics.curve(metrics.rank(score, truth))
    if not truth.any():
        assert math.isnan(metrics.threshold_for(found, recall=recall))
        return
    limit = metrics.threshold_for(found, recall=recall)
    assert (score[truth] >= limit).mean() >= recall
    assert (score[truth] > limit).mean() < recall
