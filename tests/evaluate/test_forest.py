import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.evaluate import forest
from pipeline.schema import KINDS


def _chips(seed: int, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Chips on which each kind is another change of spectrum."""
    rng = np.random.default_rng(seed)
    pairs = rng.normal(0.2, 0.02, (count, 2, 6, 24, 24))
    labels = np.zeros((count, len(KINDS), 24, 24), np.int8)
    for index, band in enumerate((2, 3, 0)):
        rows = slice(6 * index + 1, 6 * index + 5)
        pairs[:, 1, band, rows, 4:20] += 0.2
        labels[:, index, rows, 4:20] = 1
    labels[:, :, 23] = -1
    return pairs.astype(np.float16), labels


def test_features_hold_both_dates_differences_and_falls():
    before, after = np.full((6, 2), 0.1, np.float32), np.full((6, 2), 0.2, np.float32)
    after[5, 1] = np.nan
    rows = forest.features(before, after, form="boosted")
    assert rows.shape == (2, 21)
    np.testing.assert_allclose(rows[0, 12:18], 0.1, rtol=1e-5)
    assert np.isnan(rows[1]).sum() == 3
    assert np.isfinite(forest.features(before, after, form="random")).all()


@pytest.mark.parametrize("form", ["boosted", "random"])
def test_fit_learns_kinds_apart_and_misses_what_is_missing(form):
    pytest.importorskip("sklearn", reason="pixel classifiers need scikit-learn")
    fitted = forest.fit(*_chips(1), form=form, seed=3, pixels=2000)
    pairs, labels = _chips(2, 1)
    before, after = (date.astype(np.float32) for date in pairs[0])
    after[0, 0, 0] = np.nan
    scores = fitted.method().score(before, after)
    for index, kind in enumerate(KINDS):
        assert np.isnan(scores[kind][0, 0])
        changed = labels[0, index] == 1
        assert scores[kind][changed].mean() > 0.9 > 0.1 > np.nanmean(scores[kind][~changed])
    again = forest.fit(*_chips(1), form=form, seed=3, pixels=2000).score(before, after)
    np.testing.assert_array_equal(again["camp"], scores["camp"])


def test_fit_without_changed_pixels_names_the_kind():
    pairs, labels = _chips(1)
    labels[:, 1] = 0
    with pytest.raises(ConfigError, match=r"no changed pixel of camp|scikit-learn"):
        forest.fit(pairs, labels, form="boosted", seed=1, pixels=500)
