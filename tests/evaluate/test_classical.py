import numpy as np
import pytest

from pipeline.evaluate import classical

ALL = [classical.dndvi, classical.dnbr, classical.cva, classical.cva_standardised, classical.irmad]


def _land(seed: int = 3, side: int = 40) -> np.ndarray:
    """Correlated bands of plausible land."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(0, 0.02, (6, 4))
    level = np.array([0.03, 0.05, 0.04, 0.25, 0.15, 0.08])[:, None]
    values = level + mixing @ rng.normal(0, 1, (4, side * side)) + rng.normal(0, 0.004, (6, side * side))
    return np.clip(values, 0.005, 1).reshape(6, side, side).astype(np.float32)


def _cleared(before: np.ndarray, where: tuple[slice, slice], seed: int = 4) -> np.ndarray:
    after = before + np.random.default_rng(seed).normal(0, 0.003, before.shape).astype(np.float32)
    bare = np.array([0.09, 0.12, 0.16, 0.22, 0.3, 0.24], np.float32)[:, None, None]
    after[:, *where] = bare + 0.1 * (after[:, *where] - before[:, *where])
    return after.astype(np.float32)


@pytest.mark.parametrize("method", ALL, ids=lambda method: method.__name__)
def test_scores_of_a_planted_clearing_are_higher_than_all_around(method):
    before = _land()
    score = method(before, _cleared(before, (slice(10, 16), slice(20, 27))))
    inside = np.zeros(score.shape, bool)
    inside[10:16, 20:27] = True
    assert score.dtype == np.float32
    assert np.median(score[inside]) > np.quantile(score[~inside], 0.99)


@pytest.mark.parametrize("method", ALL, ids=lambda method: method.__name__)
def test_scores_of_missing_pixels_are_missing_and_change_no_others_order(method):
    before = _land()
    after = _cleared(before, (slice(10, 16), slice(20, 27)))
    gappy = after.copy()
    gappy[5, :3] = np.nan
    gappy[:, 30, 30] = np.nan
    score = method(before, gappy)
    assert np.isnan(score[:3]).all()
    assert np.isnan(score[30, 30])
    assert np.isfinite(score).sum() == score.size - 3 * 40 - 1


def test_falls_of_indices_are_those_of_their_definition():
    before, after = np.full((6, 1, 1), 0.1, np.float32), np.full((6, 1, 1), 0.1, np.float32)
    before[3], after[3] = 0.4, 0.2
    assert classical.dndvi(before, after)[0, 0] == pytest.approx(0.3 / 0.5 - 0.1 / 0.3)
    after[5] = 0.3
    assert classical.dnbr(before, after)[0, 0] == pytest.approx(0.3 / 0.5 - -0.1 / 0.5)
    assert classical.cva(before, after)[0, 0] == pytest.approx(np.hypot(0.2, 0.2))


def test_dndvi_dates_swapped_shows_growth_as_no_clearing():
    before = _land()
    after = _cleared(before, (slice(10, 16), slice(20, 27)))
    np.testing.assert_allclose(classical.dndvi(after, before), -classical.dndvi(before, after), atol=1e-6)


def test_irmad_each_date_affinely_mixed_scores_the_same():
    """The method's defining property: any invertible affine map of a date's bands changes nothing."""
    rng = np.random.default_rng(8)
    before = _land()
    after = _cleared(before, (slice(10, 16), slice(20, 27)))
    plain = classical.irmad(before, after)
    mixed = [
        (np.einsum("ij,jyx->iyx", rng.normal(0, 1, (6, 6)), date) + rng.normal(0, 3, (6, 1, 1))).astype(np.float64)
        for date in (before.astype(np.float64), after.astype(np.float64))
    ]
    np.testing.assert_allclose(classical.irmad(*mixed), plain, rtol=1e-3, atol=1e-3)


def test_irmad_affine_change_everywhere_finds_the_clearing_only():
    before = _land()
    after = _cleared(before, (slice(10, 16), slice(20, 27)))
    hazy = (0.7 * after + 0.06).astype(np.float32)  # other sun and haze: no change at all
    score = classical.irmad(before, hazy)
    flagged = score > 100
    assert flagged[10:16, 20:27].all()
    assert flagged.sum() <= 6 * 7 + 2


def test_fit_irmad_first_round_is_the_generalised_eigenproblem_of_the_paper():
    """Oracle: canonical correlations as eigenvalues of Sxx^-1 Sxy Syy^-1 Syx."""
    x = _land().reshape(6, -1).astype(np.float64)
    y = (x[::-1] + np.random.default_rng(1).normal(0, 0.02, x.shape)).astype(np.float64)
    covariance = np.cov(np.concatenate([x, y]))
    xx, xy, yy = covariance[:6, :6], covariance[:6, 6:], covariance[6:, 6:]
    squared = np.linalg.eigvals(np.linalg.solve(xx, xy) @ np.linalg.solve(yy, xy.T)).real
    found = classical._correlate(classical._unit(x), classical._unit(y), np.ones(x.shape[1]))
    np.testing.assert_allclose(found.rho, np.sqrt(np.sort(squared)[::-1]), rtol=1e-5)


def test_fit_irmad_unchanged_noise_gives_no_change_probabilities_that_are_uniform():
    rng = np.random.default_rng(5)
    signal = rng.normal(0, 1, (6, 4000))
    x, y = signal + rng.normal(0, 0.3, signal.shape), signal + rng.normal(0, 0.3, signal.shape)
    first = classical._correlate(classical._unit(x), classical._unit(y), np.ones(4000))
    unit = [classical._unit(v) for v in (x, y)]
    probability = classical._no_change(classical._chi_square(first, *unit), bands=6)
    assert np.quantile(probability, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.03)


@pytest.mark.parametrize("side", [5, 6, 9])
def test_irmad_small_chips_never_fail(side):
    before = _land(side=side)
    score = classical.irmad(before, _cleared(before, (slice(1, 3), slice(1, 3))))
    assert np.isfinite(score).all() if side * side >= 30 else np.isnan(score).all()


def test_irmad_repeated_and_constant_bands_never_fail():
    before = _land()
    before[1], before[2] = before[0], 0.1
    assert np.isfinite(classical.irmad(before, before)).all()


def test_irmad_large_places_are_fitted_on_part_and_scored_whole():
    before = _land(side=240)
    after = _cleared(before, (slice(10, 30), slice(20, 40)))
    score = classical.irmad(before, after)
    assert np.isfinite(score).all()
    assert np.median(score[10:30, 20:40]) > np.quantile(score[50:], 0.999)
