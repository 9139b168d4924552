from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.learn import certificate, settings
from pipeline.schema import KINDS

Logits = NDArray[np.float32]


@pytest.fixture
def rules(tiny: Path) -> settings.Settings:
    return settings.read_settings(tiny)


@pytest.fixture
def judged() -> tuple[Logits, NDArray[np.int8]]:
    """Logits twice as sure as they should be, and what happened: probabilities are sigmoid(logit / 2)."""
    rng = np.random.default_rng(1)
    honest = rng.normal(-4, 2, (3, 6, 64, 64)).astype(np.float32)
    truth = (rng.random(honest.shape) < 1 / (1 + np.exp(-honest))).astype(np.int8)
    truth[:, :, :2] = -1
    return 2 * honest, truth


def _silent(_line: str) -> None:
    pass


def test_certify_finds_the_temperature_and_leaves_little_calibration_error(
    judged: tuple[Logits, NDArray[np.int8]], rules: settings.Settings
) -> None:
    proof = certificate.certify(*judged, settings=rules, report=_silent)
    for kind in KINDS:
        assert proof.calibration[kind].temperature == pytest.approx(2, rel=0.05)
        assert proof.calibration[kind].bias == pytest.approx(0, abs=0.1)
        assert proof.figures[kind]["expected_calibration_error"] < 0.01


def test_certify_smaller_budget_gives_higher_thresholds_within_bounds(
    judged: tuple[Logits, NDArray[np.int8]], rules: settings.Settings
) -> None:
    def thresholds(budget: float) -> list[float]:
        fit = rules.fit.model_copy(update={"alerts_per_1000_km2": budget})
        proof = certificate.certify(*judged, settings=rules.model_copy(update={"fit": fit}), report=_silent)
        return [proof.thresholds[kind] for kind in KINDS]

    few, some, many = thresholds(0.001), thresholds(30_000), thresholds(1e9)
    assert few == [certificate.MOST_SURE] * 3 or all(a >= b for a, b in zip(few, some, strict=True))
    assert all(a >= b for a, b in zip(some, many, strict=True))
    assert few != many
    assert all(certificate.LEAST_SURE <= value <= certificate.MOST_SURE for value in (*few, *some, *many))


def test_draw_writes_the_same_picture_twice(
    judged: tuple[Logits, NDArray[np.int8]], rules: settings.Settings, tmp_path: Path
) -> None:
    proof = certificate.certify(*judged, settings=rules, report=_silent)
    for name in ("one.png", "two.png"):
        certificate.draw(proof, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_certify_camp_taken_for_a_clearing_is_no_false_alert_on_unchanged_ground(rules: settings.Settings) -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(-6, 1, (3, 4, 64, 64)).astype(np.float32)
    truth = np.zeros(logits.shape, np.int8)
    truth[1, :, 8:24, 8:24] = 1
    truth[0, :, 40:56, 40:56] = 1
    logits[0, :, 8:24, 8:24] = logits[0, :, 40:56, 40:56] = 6
    confused = certificate.certify(logits, truth, settings=rules, report=_silent)
    truth[1] = 0
    wrong = certificate.certify(logits, truth, settings=rules, report=_silent)
    assert confused.thresholds["clearing"] == certificate.LEAST_SURE
    assert wrong.thresholds["clearing"] > certificate.LEAST_SURE
