import math

import numpy as np
import pytest

from pipeline.evaluate import bootstrap


def test_draw_weights_each_draw_has_as_many_groups_and_the_seed_decides():
    weights = bootstrap.draw_weights(7, draws=50, seed=3)
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()
    np.testing.assert_array_equal(weights, bootstrap.draw_weights(7, draws=50, seed=3))
    assert (weights != bootstrap.draw_weights(7, draws=50, seed=4)).any()


def test_interval_of_a_mean_has_the_width_of_theory():
    values = np.random.default_rng(1).normal(0, 1, 400)
    weights = bootstrap.draw_weights(400, draws=2000, seed=1)
    found = bootstrap.interval(weights @ values / 400)
    assert found.high - found.low == pytest.approx(2 * 1.96 / 20, rel=0.1)


def test_interval_of_nothing_is_not_a_number():
    assert math.isnan(bootstrap.interval(np.array([np.nan])).low)
    assert bootstrap.interval(np.array([np.nan, 2.0])).low == 2.0
