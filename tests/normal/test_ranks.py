import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pipeline.normal import ranks


@given(
    npst.arrays(
        np.float32,
        st.tuples(st.integers(1, 21), st.integers(1, 3), st.integers(1, 4)),
        elements=st.one_of(st.just(np.inf), st.floats(-0.125, 2, width=32)),
    )
)
def test_robust_any_stack_same_bits_as_nanmedian(stack: np.ndarray) -> None:
    holes = np.where(np.isinf(stack), np.float32(np.nan), stack)
    seen = np.isfinite(stack).any(axis=0)
    median, deviation = ranks.robust(stack)
    expected = np.full(seen.shape, np.nan, np.float32)
    expected[seen] = np.nanmedian(holes[:, seen], axis=0)
    np.testing.assert_array_equal(median, expected)
    expected[seen] = np.nanmedian(np.abs(holes - expected)[:, seen], axis=0)
    np.testing.assert_array_equal(deviation, expected)


@pytest.mark.parametrize("size", range(1, 13))
def test_ordered_all_zero_one_inputs_sorted(size: int) -> None:
    # a network that sorts every sequence of zeros and ones sorts everything (Knuth, TAOCP 3, 5.3.4, theorem Z)
    inputs = (np.arange(2**size)[None, :] >> np.arange(size)[:, None] & 1).astype(np.float32)
    np.testing.assert_array_equal(ranks._ordered(inputs), np.sort(inputs, axis=0))
