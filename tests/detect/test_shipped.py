"""The weights that ship, on ground made here: what is planted is found, and what is benign is not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models import loading
from pipeline.detect import detector as detectors
from pipeline.detect import pair
from pipeline.detect.detector import WEIGHTS_FOLDER, Detector
from pipeline.schema import KINDS
from pipeline.simulate import canvas, optics, shapes, spectra

Array = NDArray[np.float32]
SIDE = 192


@pytest.fixture(scope="module")
def shipped() -> Detector:
    return detectors.cached("vanwatch-s")


def _forest(seed: int) -> Array:
    """A wood with crowns, the same for the same seed."""
    rng = np.random.default_rng(seed)
    grain = 0.06 * rng.standard_normal((SIDE, SIDE), np.float32) + 0.05 * canvas.noise((SIDE, SIDE), 6.0, rng)
    return (spectra.typical("evergreen")[:, None, None] * np.exp(grain)).astype(np.float32)


def _noisy(values: Array, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    noise = 0.001 + 0.01 * values
    return (values + noise * rng.standard_normal(values.shape, np.float32)).astype(np.float32)


def _planted(kind: str) -> shapes.Planted:
    rng = np.random.default_rng(6)
    if kind == "clearing":
        return shapes.clearing(rng, centre=(96, 96), area_ha=2.0, outline="rectangle", cover="bare", kept=0.0)
    if kind == "camp":
        return shapes.camp(rng, centre=(96, 96), area_ha=0.8)
    return shapes.track(rng, centre=(96, 96), length_m=900, width_m=14)


def _injected(kind: str) -> tuple[Array, Array, NDArray[np.bool_]]:
    forest, planted = _forest(1), _planted(kind)
    changed = optics.inject(forest, planted.coverage, planted.target(), at=(planted.row, planted.col))
    return _noisy(forest, 2), _noisy(changed.reflectance, 3), changed.label >= 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_shipped_model_finds_what_was_planted_and_little_else(shipped: Detector, kind: str) -> None:
    before, after, truth = _injected(kind)
    found = pair.change_pair(before, after, detector=shipped)
    shown = found[KINDS.index(kind)] >= 0.5
    assert shown[truth].mean() > 0.5
    far = ~truth
    for _ in range(3):
        far[1:-1, 1:-1] &= far[:-2, 1:-1] & far[2:, 1:-1] & far[1:-1, :-2] & far[1:-1, 2:]
    assert (found[:, far] >= 0.5).mean() < 0.002


@pytest.mark.parametrize("kind", KINDS)
def test_shipped_model_dates_swapped_shows_no_clearing(shipped: Detector, kind: str) -> None:
    before, after, _ = _injected(kind)
    assert (pair.change_pair(after, before, detector=shipped)[0] >= 0.5).mean() < 0.001


@pytest.mark.parametrize("gain", [0.85, 1.0, 1.15])
def test_shipped_model_same_ground_under_another_sun_is_quiet(shipped: Detector, gain: float) -> None:
    forest = _forest(1)
    found = pair.change_pair(_noisy(forest, 2), _noisy(gain * forest, 3), detector=shipped)
    assert (found >= 0.5).mean() < 0.0005


def test_shipped_model_missing_swir_still_finds_the_clearing(shipped: Detector) -> None:
    before, after, truth = _injected("clearing")
    after[4:] = np.nan
    found = pair.change_pair(before, after, detector=shipped)
    assert (found[0] >= 0.5)[truth].mean() > 0.4


def test_shipped_model_is_small_and_allows_every_use(shipped: Detector) -> None:
    assert (WEIGHTS_FOLDER / "vanwatch-s" / loading.WEIGHTS).stat().st_size < 2_000_000
    assert all(shipped.card.terms.permits(use) for use in ("environment", "research", "enforcement"))
