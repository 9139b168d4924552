import numpy as np
import pytest

from pipeline.detect import pair
from pipeline.detect.detector import Detector
from pipeline.errors import RasterError


def _dates(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(4).uniform(0, 0.4, (2, 6, height, width)).astype(np.float32)


def test_change_pair_odd_size_answers_every_pixel(detector: Detector) -> None:
    before, after = _dates(301, 37)
    after[:, 5, 6] = np.nan
    found = pair.change_pair(before, after, detector=detector)
    assert found.shape == (3, 301, 37)
    assert np.isnan(found[:, 5, 6]).all()
    assert np.isfinite(found).sum() == 3 * (301 * 37 - 1)


def test_change_pair_cropped_at_a_cell_is_the_same_beyond_the_halo(detector: Detector) -> None:
    before, after = _dates(256, 400)
    whole = pair.change_pair(before, after, detector=detector)
    part = pair.change_pair(before[:, :, 256:], after[:, :, 256:], detector=detector)
    halo = detector.halo_px
    np.testing.assert_array_equal(whole[:, :, 256 + halo :], part[:, :, halo:])


def test_change_pair_all_missing_is_all_nan(detector: Detector) -> None:
    before, after = _dates(64, 64)
    assert np.isnan(pair.change_pair(before, np.full_like(after, np.nan), detector=detector)).all()


def test_change_pair_different_grids_is_refused(detector: Detector) -> None:
    before, after = _dates(64, 64)
    with pytest.raises(RasterError, match="one grid"):
        pair.change_pair(before, after[:, 1:], detector=detector)
