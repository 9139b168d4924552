import math

import numpy as np
import pytest

from pipeline.evaluate import objects


def test_object_scores_share_of_pixels_is_the_threshold_at_which_it_is_found():
    changed = np.zeros((8, 8), bool)
    changed[0, 0:4] = True
    changed[4:6, 4:6] = True
    changed[6, 6] = True  # touches the square by a corner: one object
    changed[7, 0] = True  # too small
    score = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    for share in (0.0, 0.3, 0.5, 1.0):
        found = objects.object_scores(score, changed, min_px=2, share=share)
        for part, highest in zip((np.s_[0, 0:4], None), found, strict=True):
            inside = score[part] if part else np.append(score[4:6, 4:6].ravel(), score[6, 6])
            needed = max(1, math.ceil(share * len(inside)))
            assert (inside >= highest).sum() == needed
    assert objects.object_sizes(changed).tolist() == [4, 5, 1]


def test_object_scores_missing_pixels_are_never_flagged():
    changed = np.ones((1, 4), bool)
    score = np.array([[np.nan, np.nan, np.nan, 0.4]], np.float32)
    assert objects.object_scores(score, changed, min_px=1, share=0.0)[0] == np.float32(0.4)
    assert objects.object_scores(score, changed, min_px=1, share=0.5)[0] == -np.inf


def test_object_scores_without_objects_are_none():
    assert objects.object_scores(np.zeros((3, 3), np.float32), np.zeros((3, 3), bool), min_px=1, share=0.3).shape == (
        0,
    )


def test_count_alerts_corners_join_and_small_ones_do_not_count():
    flagged = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1]], bool)
    assert objects.count_alerts(flagged, min_px=1) == 3
    assert objects.count_alerts(flagged, min_px=2) == 1
    assert objects.count_alerts(~np.ones((2, 2), bool), min_px=1) == 0


def test_threshold_for_alerts_keeps_the_budget_and_is_low():
    rng = np.random.default_rng(2)
    scores = [rng.random((40, 40)).astype(np.float32) for _ in range(3)]
    limit = objects.threshold_for_alerts(scores, min_px=2, max_alerts=5)
    assert sum(objects.count_alerts(score >= limit, min_px=2) for score in scores) <= 5
    assert sum(objects.count_alerts(score >= limit - 0.05, min_px=2) for score in scores) > 5


def test_threshold_for_alerts_without_a_budget_lets_no_alert_pass():
    scores = [np.zeros((10, 10), np.float32)]
    assert objects.threshold_for_alerts(scores, min_px=1, max_alerts=0) == math.inf
    assert objects.threshold_for_alerts([], min_px=1, max_alerts=3) == math.inf


@pytest.mark.parametrize("seed", range(3))
def test_threshold_for_alerts_more_budget_is_never_a_higher_threshold(seed):
    scores = [np.random.default_rng(seed).random((30, 30)).astype(np.float32)]
    limits = [objects.threshold_for_alerts(scores, min_px=2, max_alerts=budget) for budget in (0, 1, 3, 9)]
    assert limits == sorted(limits, reverse=True)


def test_count_alerts_those_that_reach_into_the_excused_do_not_count():
    flagged = np.zeros((10, 10), bool)
    flagged[1:4, 1:4] = flagged[6:9, 6:9] = True
    excused = np.zeros((10, 10), bool)
    assert objects.count_alerts(flagged, min_px=4, excused=excused) == 2
    excused[3:5, 3:5] = True
    assert objects.count_alerts(flagged, min_px=4, excused=excused) == 1
