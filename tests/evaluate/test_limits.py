import numpy as np

from pipeline.evaluate import limits
from pipeline.evaluate.methods import Method
from pipeline.evaluate.places import CHANGED, STABLE, Place
from pipeline.schema import KINDS, Kind

VALUES = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(100, 100)
BLANK = np.zeros((6, 100, 100), np.float32)


def _method(*, probabilistic: bool) -> Method:
    own = {"clearing": 0.4, "camp": 0.5, "track": 0.6} if probabilistic else {}
    return Method("m", lambda before, after: dict.fromkeys(KINDS, VALUES), probabilistic, own)


def _place(label: np.ndarray) -> Place:
    return Place("p", "g", Kind.CLEARING, BLANK, BLANK, label.astype(np.uint8))


def test_training_thresholds_share_of_training_pixels_is_flagged():
    suburb = _place(np.zeros((100, 100)))
    found = limits.training_thresholds((_method(probabilistic=True),), [suburb])["m"]
    assert (found["at 1% of suburbs"] <= VALUES).sum() == 100
    assert (found["at 5% of suburbs"] <= VALUES).sum() == 500
    assert found["at its own"] == 0.4
    assert set(found) == {"at 1% of suburbs", "at 5% of suburbs", "at its own"}


def test_training_thresholds_half_of_injected_clearings_is_found():
    label = np.full((100, 100), STABLE)
    label[40:60] = CHANGED
    found = limits.training_thresholds((_method(probabilistic=False),), [_place(np.zeros((100, 100)))], [_place(label)])
    assert (VALUES[40:60] >= found["m"]["at 50% of clearings"]).mean() == 0.5
    assert "at its own" not in found["m"]
