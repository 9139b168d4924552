import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models import loading
from pipeline.detect import detector as detectors
from pipeline.detect.detector import STEP, Detector
from pipeline.errors import ModelError


def test_load_unknown_model_names_what_there_is(tmp_path: Path, save_model: Callable[[Path], None]) -> None:
    save_model(tmp_path / "known")
    with pytest.raises(ModelError, match="there are: known"):
        Detector.load("unknwon", weights_folder=tmp_path)


def test_load_named_model_is_found(tmp_path: Path, save_model: Callable[[Path], None]) -> None:
    save_model(tmp_path / "known")
    assert Detector.load("known", weights_folder=tmp_path).model_id.startswith("random-0+")


def test_load_changed_weights_is_a_model_error(tmp_path: Path, save_model: Callable[[Path], None]) -> None:
    save_model(tmp_path)
    weights = tmp_path / loading.WEIGHTS
    weights.write_bytes(weights.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="sha256"):
        Detector.load(str(tmp_path))


def test_load_missing_weights_is_a_model_error(tmp_path: Path, save_model: Callable[[Path], None]) -> None:
    save_model(tmp_path)
    (tmp_path / loading.WEIGHTS).unlink()
    with pytest.raises(ModelError, match=rf"/{loading.WEIGHTS}: not readable .*copy the model's folder whole"):
        Detector.load(str(tmp_path))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bands", ["B03", "B02", "B04", "B08", "B11", "B12"]),
        ("kinds", ["clearing", "track", "camp"]),
        ("patch_px", 512),
        ("colour", "red"),
    ],
)
def test_load_card_that_does_not_fit_is_a_model_error(
    tmp_path: Path, save_model: Callable[[Path], None], key: str, value: Any
) -> None:
    save_model(tmp_path)
    path = tmp_path / loading.CARD
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(ModelError, match=key):
        Detector.load(str(tmp_path))


def test_load_rewritten_calibration_changes_the_answers(tmp_path: Path, save_model: Callable[[Path], None]) -> None:
    save_model(tmp_path)
    path = tmp_path / loading.CARD
    rng = np.random.default_rng(0)
    dates = rng.uniform(0, 0.5, (2, 6, 320, 320)).astype(np.float32)
    plain = Detector.load(str(tmp_path)).cell(*dates)
    values = json.loads(path.read_text())
    values["calibration"]["camp"] = {"temperature": 1.0, "bias": 2.0}
    path.write_text(json.dumps(values))
    raised = Detector.load(str(tmp_path)).cell(*dates)
    np.testing.assert_array_equal(plain[[0, 2]], raised[[0, 2]])
    odds = np.log(plain[1].clip(1e-3, 0.999) / (1 - plain[1].clip(1e-3, 0.999)))
    inner = (plain[1] > 0.1) & (plain[1] < 0.9)
    np.testing.assert_allclose(raised[1][inner], 1 / (1 + np.exp(-odds - 2))[inner], atol=0.003)


def test_cell_answers_are_on_the_step(detector: Detector) -> None:
    rng = np.random.default_rng(0)
    dates = rng.uniform(0, 0.5, (2, 6, 320, 320)).astype(np.float32)
    steps = detector.cell(*dates).astype(np.float64) / STEP
    np.testing.assert_array_equal(steps, np.rint(steps))


def test_cached_model_is_loaded_once(tmp_path: Path, save_model: Callable[[Path], None]) -> None:
    save_model(tmp_path)
    assert detectors.cached(str(tmp_path)) is detectors.cached(str(tmp_path))


def test_d16_model_without_onnx_runs_torch_on_one_thread(tmp_path: Path, save_model: Callable[[Path], None]) -> None:
    """Else each of a machine's workers takes all of its cores, and some networks answer otherwise."""
    save_model(tmp_path)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        detectors.Detector.load(str(tmp_path))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
