import math

import numpy as np
import pytest

from pipeline.evaluate import folds
from pipeline.evaluate.methods import Method
from pipeline.evaluate.places import CHANGED, STABLE, Place
from pipeline.schema import KINDS, Kind


def _place(name: str, seed: int) -> Place:
    """The first band of the later date is the truth, scaled; the second is the truth times a number per place."""
    rng = np.random.default_rng(seed)
    truth = rng.random((30, 30)) < 0.2
    after = np.zeros((6, 30, 30), np.float32)
    after[0] = truth + rng.normal(0, 0.05, truth.shape)
    after[1] = (seed + 1) * truth
    return Place(name, "one", Kind.CLEARING, np.zeros_like(after), after, np.where(truth, CHANGED, STABLE))


def _band(index: int, name: str) -> Method:
    return Method(name, lambda before, after: dict.fromkeys(KINDS, after[index]))


def _parts(test: int = 3) -> tuple[list[Place], list[Place]]:
    return [_place(f"a{i}", i) for i in range(5)], [_place(f"b{i}", i) for i in range(test)]


def test_measure_threshold_of_training_images_is_used_on_test_images():
    figures = folds.measure((_band(0, "sharp"), _band(1, "drifts")), (), _parts(), seeds=4)
    found = {(row.method, row.figure): row for row in figures}
    assert found["sharp", "F1"].mean == pytest.approx(1.0, abs=0.01)
    assert found["sharp", "F1"].low <= found["sharp", "F1"].mean <= found["sharp", "F1"].high
    assert found["drifts", "AP"].mean == 1.0  # any threshold above 0 would do
    assert found["drifts", "AP"].spread == 0.0


def test_measure_fits_see_neither_test_images_nor_those_of_the_threshold():
    seen: list[tuple[set[str], int]] = []

    def fit(training, seed):
        seen.append(({place.id for place in training}, seed))
        return _band(0, "fitted")

    training, test = _parts()
    figures = folds.measure((), (fit,), (training, test), seeds=3)
    assert [seed for _, seed in seen] == [0, 1, 2]
    for seed, (names, _) in enumerate(seen):
        tuned, fitted = folds.deal(training, seed=seed)
        assert names == {training[i].id for i in fitted}
        assert (len(tuned), len(fitted)) == (2, 3)
        assert sorted(tuned + fitted) == [0, 1, 2, 3, 4]
    assert {row.method for row in figures} == {"fitted"}
    assert len({tuple(sorted(names)) for names, _ in seen}) > 1


def test_measure_one_test_image_claims_no_interval():
    figures = folds.measure((_band(0, "sharp"),), (), _parts(test=1), seeds=1)
    assert all(math.isnan(row.low) for row in figures)
    assert all(row.spread == 0.0 for row in figures)


@pytest.mark.parametrize("count", [2, 3, 14])
def test_deal_both_parts_hold_something(count):
    tuned, fitted = folds.deal(_parts()[0][:1] * count, seed=0)
    assert tuned
    assert fitted
