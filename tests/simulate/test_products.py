import numpy as np
import pytest

from pipeline.simulate.optics import Native
from pipeline.simulate.products import Rendered


def _native(value: float) -> Native:
    ten = np.full((4, 4, 4), value, np.float32) + np.arange(16, dtype=np.float32).reshape(4, 4) / 1e4
    return Native(ten, np.full((2, 2, 2), value, np.float32))


def test_numbers_repeated_block_is_mirrored_without_seams_and_first_block_differs():
    done = Rendered(_native(0.2), np.full((2, 2), 4, np.uint8), (150.0, 50.0), repeats=3, elsewhere=_native(0.1))
    whole = done.numbers(0, added_dn=1000)
    assert whole.shape == (12, 12)
    assert whole[0, 0] == 3000
    np.testing.assert_array_equal(whole[:, 7], whole[:, 8])
    np.testing.assert_array_equal(whole[7], whole[8])
    assert done.class_map().shape == (6, 6)


@pytest.mark.parametrize("added", [0, 1000])
def test_numbers_single_block_is_the_block(added):
    done = Rendered(_native(0.2), np.full((2, 2), 4, np.uint8), (150.0, 50.0))
    assert done.numbers(4, added_dn=added).tolist() == [[2000 + added] * 2] * 2
