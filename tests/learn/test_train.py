import csv
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

from models import inputs, loading, registry, runtime, siamese
from pipeline.detect.detector import Detector
from pipeline.errors import ConfigError
from pipeline.learn import settings, taking_up, train
from pipeline.learn.train import Instead
from pipeline.sensors import BANDS


def _silent(_line: str) -> None:
    pass


def test_train_few_steps_lowers_the_loss(trained: Path) -> None:
    with (trained / "curves.csv").open() as file:
        losses = [float(row["train_loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 4
    assert losses[-1] < losses[0]


def test_train_again_gives_the_same_bytes(trained: Path, tiny: Path, tmp_path: Path) -> None:
    train.train(tiny, tmp_path / "run", report=_silent)
    for file in (loading.WEIGHTS, loading.CARD, "curves.csv"):
        assert (tmp_path / "run" / file).read_bytes() == (trained / file).read_bytes()


def test_train_other_seed_gives_other_weights(trained: Path, tiny: Path, tmp_path: Path) -> None:
    train.train(tiny, tmp_path / "run", instead=Instead(seed=5, epochs=1), report=_silent)
    assert (tmp_path / "run" / loading.WEIGHTS).read_bytes() != (trained / loading.WEIGHTS).read_bytes()


def test_train_result_is_a_model_the_detector_takes(trained: Path) -> None:
    card = Detector.load(str(trained)).card
    assert card.terms.permits("enforcement")
    assert card.halo_px == 32
    assert set(card.calibration) == set(card.kinds)


def test_train_stopped_and_resumed_gives_the_same_weights(trained: Path, tiny: Path, tmp_path: Path) -> None:
    def stop(line: str) -> None:
        if line.startswith("epoch 3"):
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        train.train(tiny, tmp_path / "run", report=stop)
    lines: list[str] = []
    train.train(tiny, tmp_path / "run", resume=True, report=lines.append)
    assert [line.split()[1] for line in lines if line.startswith("epoch")] == ["3", "4"]
    for file in (loading.WEIGHTS, "curves.csv"):
        assert (tmp_path / "run" / file).read_bytes() == (trained / file).read_bytes()


def test_train_stopped_after_its_last_epoch_and_resumed_gives_the_same_weights(
    trained: Path, tiny: Path, tmp_path: Path
) -> None:
    def stop(line: str) -> None:
        if line.startswith("clearing: threshold"):
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        train.train(tiny, tmp_path / "run", report=stop)
    train.train(tiny, tmp_path / "run", resume=True, report=_silent)
    for file in (loading.WEIGHTS, loading.CARD):
        assert (tmp_path / "run" / file).read_bytes() == (trained / file).read_bytes()


def test_train_network_that_is_not_there_is_a_config_error(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\.toml: network: network 'no' is unknown"):
        train.train(tiny, tmp_path / "run", instead=Instead(network="no"), report=_silent)
    tiny.write_text(tiny.read_text().replace("width = 8", "width = -8"))
    with pytest.raises(ConfigError, match=r"train\.toml: network: .*-8"):
        train.train(tiny, tmp_path / "run", report=_silent)
    assert os.listdir(tmp_path) == [tiny.name]  # told before any chip was made


def test_train_wrong_valid_ground_is_told_before_any_chip_is_made(tiny: Path, tmp_path: Path) -> None:
    ground = '\n[[ground]]\nname = "{0}"\nfiles = ["{0}.tif"]\nlicence = "x"\nsplit = "{0}"\n'
    text = tiny.read_text().replace("real_share = 0.0", "real_share = 0.01")
    tiny.write_text(text + ground.format("train") + ground.format("valid"))
    profile = {"driver": "GTiff", "width": 64, "height": 64, "count": 6, "dtype": "uint16"} | {
        "transform": Affine.scale(10)
    }
    with rasterio.open(tmp_path / "train.tif", "w", **profile) as file:
        file.descriptions = BANDS
        file.write(np.full((6, 64, 64), 900, np.uint16))
    with pytest.raises(ConfigError, match=r"valid\.tif"):
        train.train(tiny, tmp_path / "run", report=_silent)
    assert sorted(os.listdir(tmp_path)) == ["train.tif", "train.toml"]


def test_train_gpu_that_is_not_there_is_a_config_error(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    tiny.write_text(tiny.read_text() + 'accelerator = "gpu"\n')
    with pytest.raises(ConfigError, match=r"fit\.accelerator: no GPU"):
        train.train(tiny, tmp_path / "run", report=_silent)


def test_train_folder_that_cannot_be_made_is_a_config_error(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\.toml.*cannot be written"):
        train.train(tiny, tiny / "run", report=_silent)


def test_train_resumed_with_other_settings_is_refused(trained: Path, tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(ConfigError, match=r"run: was begun with another fit\.epochs; .*--resume"):
        train.train(tiny, tmp_path / "run", instead=Instead(epochs=5), resume=True, report=_silent)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_train_begun_anew_and_stopped_leaves_nothing_of_the_run_before(
    trained: Path, tiny: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained, tmp_path / "run")

    def stop(line: str) -> None:
        if "chips" in line:
            raise RuntimeError("stopped")

    other = Instead(seed=5, epochs=1)
    with pytest.raises(RuntimeError, match="stopped"):
        train.train(tiny, tmp_path / "run", instead=other, report=stop)
    assert train.finished(tiny, tmp_path / "run", instead=other) is None
    train.train(tiny, tmp_path / "run", instead=other, resume=True, report=_silent)
    train.train(tiny, tmp_path / "whole", instead=other, report=_silent)
    for file in (loading.WEIGHTS, loading.CARD):
        assert (tmp_path / "run" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_train_damaged_checkpoint_is_a_config_error(trained: Path, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for content in (b"", b"garbage", (trained / taking_up.CHECKPOINT).read_bytes()[:-100]):
        (tmp_path / "run" / taking_up.CHECKPOINT).write_bytes(content)
        with pytest.raises(ConfigError, match=r"last\.ckpt: not readable; delete it"):
            train.train(tiny, tmp_path / "run", resume=True, report=_silent)


def test_train_needs_no_folder_of_temporary_files(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be full, or lie on another file system, from which a checkpoint would be copied and not renamed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    train.train(tiny, tmp_path / "run", instead=Instead(epochs=1), report=_silent)
    assert (tmp_path / "run" / taking_up.CHECKPOINT).stat().st_size > 0


@pytest.mark.slow
def test_train_peer_network_is_a_model_the_detector_takes(tiny: Path, tmp_path: Path) -> None:
    instead = Instead(network="fc-siam-diff", epochs=1)
    card = train.train(tiny, tmp_path / "run", instead=instead, report=_silent)
    assert card.name == "fc-siam-diff"
    assert Detector.load(str(tmp_path / "run")).card == card


def test_train_missing_ground_is_a_config_error(tiny: Path, tmp_path: Path) -> None:
    ground = '\n[[ground]]\nname = "{0}"\nfiles = ["no.tif"]\nlicence = "x"\nsplit = "{0}"\n'
    text = tiny.read_text().replace("real_share = 0.0", "real_share = 0.5")
    tiny.write_text(text + ground.format("train") + ground.format("valid"))
    with pytest.raises(ConfigError, match=r"no\.tif.*--simulated.*docs/models-of-your-own\.md"):
        train.train(tiny, tmp_path / "run", report=_silent)
    card = train.train(tiny, tmp_path / "run", instead=Instead(epochs=1, simulated=True), report=_silent)
    assert [source.name for source in card.training_data] == ["simulated ground and injected changes"]
    assert card.name == "tiny-simulated"


def test_change_loss_ignored_and_border_pixels_do_not_count(tiny: Path) -> None:
    rules = settings.read_settings(tiny)
    logits = torch.randn(2, 3, 64, 64)
    label = torch.zeros(2, 3, 64, 64)
    label[..., 30, 30] = 1
    label[..., 31, 31] = -1
    loss = train.change_loss(logits, label, rules)
    other = logits.clone()
    other[..., 31, 31] = 40.0
    other[..., :8, :] = 40.0
    assert torch.equal(loss, train.change_loss(other, label, rules))
    other[..., 20, 20] = 40.0
    assert train.change_loss(other, label, rules) > loss


def _exporting(tiny: Path) -> Path:
    tiny.write_text(tiny.read_text().replace("export = false", "export = true"))
    return tiny


@pytest.mark.slow
def test_train_exported_network_runs_in_place_of_torch_with_the_same_answers(tiny: Path, tmp_path: Path) -> None:
    card = train.train(_exporting(tiny), tmp_path / "run", instead=Instead(epochs=1), report=_silent)
    channels = inputs.channels(card)
    dates = np.random.default_rng(0).standard_normal((2, 1, channels, 128, 128), np.float32)
    fast = runtime.of_onnx(tmp_path / "run" / runtime.ONNX, sha256=card.onnx_sha256)
    slow = runtime.of_torch(loading.load(tmp_path / "run")[1])
    np.testing.assert_allclose(fast(*dates), runtime.middle(slow(*dates), 128 - 2 * card.halo_px), atol=1e-4)


class _Odd(siamese.Siamese):
    """Takes another way for some values, which torch cannot export."""

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        answer = super().forward(before, after)
        return answer if float(answer.detach().sum()) < 1e12 else -answer


@pytest.mark.slow
def test_train_network_that_cannot_be_exported_is_written_all_the_same(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.NETWORKS, "odd", _Odd)
    lines: list[str] = []
    instead = Instead(network="odd", epochs=1)
    card = train.train(_exporting(tiny), tmp_path / "run", instead=instead, report=lines.append)
    assert card.onnx_sha256 == ""
    assert any("cannot export" in line and "runs by torch" in line for line in lines)
    assert Detector.load(str(tmp_path / "run")).card == card
