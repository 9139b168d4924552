import numpy as np
import pytest

from pipeline.sensors import BANDS
from pipeline.simulate import optics


def _wave(period_px: float, length: int, size: int) -> np.ndarray:
    """A wave along x on the fine grid, averaged over each fine pixel; period in native pixels of `size` x 10 m."""
    omega = 2 * np.pi / (period_px * size * optics.FACTOR)
    edges = np.arange(length + 1)
    return ((np.sin(omega * edges[1:]) - np.sin(omega * edges[:-1])) / omega).astype(np.float32)


@pytest.mark.parametrize("band", BANDS)
def test_observe_wave_at_nyquist_has_published_mtf(band):
    index, length = BANDS.index(band), 64 * optics.FACTOR
    size = 1 if index < 4 else 2
    fine = np.broadcast_to(_wave(2.0, length, size), (6, 16, length)).astype(np.float32)
    # the crests lie on pixel edges; half a pixel of shift puts them on pixel centres, where sampling sees them whole
    native = optics.observe(fine, shift_px=(0.0, 0.5 * size))
    seen = native.ten[index] if index < 4 else native.twenty[index - 4]
    inner = seen[0, 6:-6]
    amplitude = (inner.max() - inner.min()) / 2
    own_blur = np.sinc(0.5 / (size * optics.FACTOR)) ** 2  # the fine grid's squares: in the wave and in the weights
    assert amplitude == pytest.approx(optics.MTF_NYQUIST[band] * own_blur, abs=0.003)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.3, -0.7)])
@pytest.mark.parametrize("factor", [1, 2, 4])
def test_observe_single_bright_spot_keeps_its_energy(shift, factor):
    fine = np.zeros((6, 24 * factor, 24 * factor), np.float32)
    fine[:, 11 * factor : 12 * factor, 13 * factor : 14 * factor] = 1
    native = optics.observe(fine, factor=factor, shift_px=shift)
    np.testing.assert_allclose(native.ten.sum(axis=(1, 2)), 1, rtol=2e-4)
    np.testing.assert_allclose(native.twenty.sum(axis=(1, 2)) * 4, 1, rtol=2e-4)


def test_observe_flat_landscape_stays_flat_to_the_edge():
    native = optics.observe(np.full((6, 64, 64), 0.25, np.float32), shift_px=(0.4, 0.1))
    np.testing.assert_allclose(native.stacked(), 0.25, atol=1e-6)


def test_observe_shift_moves_content_down_and_right():
    rng = np.random.default_rng(1)
    fine = np.repeat(np.repeat(rng.random((6, 32, 32), np.float32), 8, axis=1), 8, axis=2)
    still = optics.observe(fine).ten
    moved = optics.observe(fine, shift_px=(1.0, 2.0)).ten
    np.testing.assert_allclose(moved[:, 8:-8, 8:-8], still[:, 7:-9, 6:-10], atol=1e-6)


def test_observe_wrong_shape_says_so():
    with pytest.raises(ValueError, match="multiples of 8"):
        optics.observe(np.zeros((6, 60, 64), np.float32))


def test_upsample_against_scipy_zoom():
    from scipy import ndimage

    values = np.random.default_rng(0).random((2, 7, 9), np.float32)
    expected = [ndimage.zoom(v, 2, order=1, mode="nearest", grid_mode=True) for v in values]
    np.testing.assert_allclose(optics.upsample(values), expected, atol=1e-6)


def test_inject_nothing_changes_nothing():
    real = np.random.default_rng(0).random((6, 40, 40), np.float32)
    done = optics.inject(real, np.zeros((160, 160), np.float32), np.full(6, 0.3, np.float32))
    np.testing.assert_array_equal(done.reflectance, real)
    assert not done.label.any()


def test_inject_full_cover_is_the_target_inside_and_untouched_far_off():
    real = np.full((6, 64, 64), 0.05, np.float32)
    fraction = np.zeros((128, 128), np.float32)
    fraction[32:96, 32:96] = 1
    target = np.linspace(0.1, 0.6, 6).astype(np.float32)
    done = optics.inject(real, fraction, target, at=(16, 20))
    np.testing.assert_allclose(
        done.reflectance[:, 30:34, 34:38], target[:, None, None].repeat(4, 1).repeat(4, 2), atol=1e-3
    )
    np.testing.assert_array_equal(done.reflectance[:, :12], real[:, :12])
    assert done.label.sum() == 16 * 16
    assert done.label[24:40, 28:44].all()


def test_inject_equals_observing_the_changed_landscape():
    rng = np.random.default_rng(3)
    fine = np.repeat(np.repeat(rng.random((6, 1, 1), np.float32), 128, 1), 128, 2)
    fraction = (rng.random((128, 128)) > 0.7).astype(np.float32)
    fraction[:32], fraction[-32:], fraction[:, :32], fraction[:, -32:] = 0, 0, 0, 0
    target = rng.random((6, 128, 128), np.float32)
    expected = optics.observe(fine * (1 - fraction) + target * fraction).stacked()
    done = optics.inject(optics.observe(fine).stacked(), fraction, target)
    np.testing.assert_allclose(done.reflectance, expected, atol=1e-5)


def test_inject_beyond_the_frame_is_cut_off():
    real = np.full((6, 20, 20), 0.1, np.float32)
    done = optics.inject(real, np.ones((64, 64), np.float32), np.full(6, 0.5, np.float32), at=(-8, 12))
    assert done.label[:8, 12:].all()
    assert done.label.sum() == 8 * 8
    away = optics.inject(real, np.ones((64, 64), np.float32), np.full(6, 0.5, np.float32), at=(40, 0))
    np.testing.assert_array_equal(away.reflectance, real)


def test_inject_odd_position_is_refused():
    with pytest.raises(ValueError, match="even"):
        optics.inject(
            np.zeros((6, 8, 8), np.float32), np.zeros((16, 16), np.float32), np.zeros(6, np.float32), at=(1, 0)
        )


def test_add_noise_has_published_snr_at_the_reference():
    levels = np.array([optics.REFERENCE[b] for b in BANDS], np.float32)[:, None, None]
    flat = optics.Native(np.broadcast_to(levels[:4], (4, 200, 200)), np.broadcast_to(levels[4:], (2, 200, 200)))
    noisy = optics.add_noise(flat, rng=np.random.default_rng(0))
    measured = [*(levels[:4, 0, 0] / noisy.ten.std(axis=(1, 2))), *(levels[4:, 0, 0] / noisy.twenty.std(axis=(1, 2)))]
    np.testing.assert_allclose(measured, [optics.SNR[b] for b in BANDS], rtol=0.03)


def test_quantise_keeps_zero_for_no_data_alone():
    values = np.array([np.nan, -0.05, 0.0, 0.1234, 9.0], np.float32)
    assert optics.quantise(values).tolist() == [0, 1, 1, 1234, 65535]
    assert optics.quantise(values, added_dn=1000).tolist() == [0, 500, 1000, 2234, 65535]
