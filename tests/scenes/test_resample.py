import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.scenes import resample

RNG = np.random.default_rng(3)


def test_doubled_plane_stays_a_plane() -> None:
    rows, cols = np.mgrid[:20, :30].astype(np.float32)
    fine_rows, fine_cols = (np.mgrid[:40, :60] - 0.5) / 2  # pixel centres
    expected = 0.25 + fine_rows * 0.01 - fine_cols * 0.02
    found = resample.doubled((0.25 + rows * 0.01 - cols * 0.02).astype(np.float32))
    assert found.dtype == np.float32
    assert np.allclose(found[2:-2, 2:-2], expected[2:-2, 2:-2], atol=1e-6)


def test_doubled_is_like_scipy_zoom_on_the_same_centres() -> None:
    values = RNG.random((17, 23), dtype=np.float32)
    expected = ndimage.zoom(values, 2, order=1, grid_mode=True, mode="nearest")
    assert np.allclose(resample.doubled(values)[1:-1, 1:-1], expected[1:-1, 1:-1], atol=1e-6)


def test_doubled_missing_pixel_hides_itself_only() -> None:
    values = np.full((5, 5), 0.3, np.float32)
    values[2, 2] = np.nan
    found = resample.doubled(values)
    assert np.isnan(found[4:6, 4:6]).all()
    assert np.isnan(found).sum() == 4
    assert np.allclose(found[np.isfinite(found)], 0.3)


def test_doubled_keeps_the_mean() -> None:
    values = RNG.random((40, 40), dtype=np.float32)
    found = resample.doubled(np.pad(values, 1, mode="reflect"))[2:-2, 2:-2]
    assert found.mean() == pytest.approx(values.mean(), abs=0.01)


def test_repeated_is_nearest() -> None:
    assert resample.repeated(np.array([[1, 2]], np.uint8)).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


@given(row=st.integers(-5, 5), col=st.integers(-5, 5))
def test_shifted_by_whole_pixels_moves_pixels_exactly(row: int, col: int) -> None:
    values = RNG.random((2, 40, 44), dtype=np.float32)
    values[:, 9 + row, 12 + col] = np.nan  # does not spread
    found = resample.shifted(values, row_px=row, col_px=col, margin=8)
    assert np.array_equal(found, values[:, 8 + row : 32 + row, 8 + col : 36 + col], equal_nan=True)


@given(row=st.floats(-1.5, 1.5), col=st.floats(-1.5, 1.5))
def test_shifted_smooth_image_is_the_image_elsewhere(row: float, col: float) -> None:
    rows, cols = np.mgrid[:60, :60].astype(np.float64)
    image = lambda r, c: 0.3 + 0.1 * np.sin(r / 4) * np.cos(c / 5)  # noqa: E731
    found = resample.shifted(image(rows, cols).astype(np.float32), row_px=row, col_px=col, margin=5)
    assert np.abs(found - image(rows + row, cols + col)[5:-5, 5:-5]).max() < 1e-3


def test_shifted_missing_pixel_hides_its_neighbours() -> None:
    values = np.ones((20, 20), np.float32)
    values[10, 10] = np.nan
    assert np.isnan(resample.shifted(values, row_px=0.5, col_px=0, margin=5)).sum() == 4
    assert np.isnan(resample.shifted(values, row_px=0.5, col_px=-0.5, margin=5)).sum() == 16


def test_shifted_with_too_small_a_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="margin 3 is too small"):
        resample.shifted(np.zeros((20, 20), np.float32), row_px=1.5, col_px=0, margin=3)
