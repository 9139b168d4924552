from pathlib import Path

import numpy as np
import pytest

from pipeline.detect import detector
from pipeline.detect.pair import change_pair
from pipeline.evaluate import methods
from pipeline.evaluate.methods import Method
from pipeline.schema import KINDS

SHIPPED = Path(__file__).parents[2] / "models" / "weights" / "vanwatch-s"


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="no weights are shipped yet")
@pytest.mark.parametrize("shape", [(30, 52), (48, 48), (257, 90)])
def test_of_model_small_places_get_the_answer_of_whole_cells(shape):
    rng = np.random.default_rng(2)
    before, after = (rng.uniform(0.02, 0.4, (6, *shape)).astype(np.float32) for _ in range(2))
    after[:, 3:6, 3:6] = np.nan
    expected = change_pair(before, after, detector=detector.cached("vanwatch-s"))
    found = methods.of_model("vanwatch-s").score(before, after)
    np.testing.assert_allclose(np.stack(list(found.values())), expected, atol=1.5 * detector.STEP)


def test_any_kind_highest_score_counts_and_missing_stays_missing():
    layers = {kind: np.full((2, 2), 0.1 * number, np.float32) for number, kind in enumerate(KINDS)}
    layers[KINDS[1]][0, 0] = 0.9
    for layer in layers.values():
        layer[1, 1] = np.nan
    method = methods.any_kind(Method("m", lambda before, after: layers))
    scores = method.score(np.zeros((6, 2, 2), np.float32), np.zeros((6, 2, 2), np.float32))
    assert set(scores) == set(KINDS)
    np.testing.assert_allclose(scores[KINDS[0]], [[0.9, 0.2], [0.2, np.nan]])


def test_score_places_says_what_was_scored():
    lines: list[str] = []
    assert methods.score_places((Method("m", lambda before, after: {}),), [], say=lines.append) == {"m": ()}
    assert lines == ["m: 0 places scored"]
