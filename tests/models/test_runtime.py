import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import models
from models import card, inputs, loading, runtime, siamese

SHIPPED = Path(models.__file__).parent / "weights" / "vanwatch-s"


@pytest.fixture(scope="module")
def network() -> siamese.Siamese:
    torch.manual_seed(3)
    built = siamese.Siamese(width=8, deep=16).eval()
    torch.nn.init.normal_(built.head.weight, 0, 2)
    return built


@pytest.fixture(scope="module")
def exported(network: siamese.Siamese, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / runtime.ONNX
    path.write_bytes(runtime.export(network, channels=8, stride=4))
    return path


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("shape", [(320, 320), (128, 192)])
def test_onnx_answers_like_torch_on_windows_of_any_size(
    network: siamese.Siamese, exported: Path, shape: tuple[int, int]
) -> None:
    dates = np.random.default_rng(0).standard_normal((2, 1, 8, *shape), np.float32)
    run = runtime.of_onnx(exported, sha256=_sha256(exported))
    halo = siamese.Siamese.halo_px
    wanted = runtime.of_torch(siamese.fold(network))(*dates)[..., halo:-halo, halo:-halo]
    assert wanted.std() > 0.5
    np.testing.assert_allclose(run(*dates), wanted, atol=1e-4)


def test_onnx_gives_the_same_bits_every_time(exported: Path) -> None:
    dates = np.random.default_rng(0).standard_normal((2, 1, 8, 320, 320), np.float32)
    runs = [runtime.of_onnx(exported, sha256=_sha256(exported)) for _ in range(2)]
    answers = [run(*dates).tobytes() for run in runs for _ in range(2)]
    assert len(set(answers)) == 1


def test_export_twice_gives_the_same_bytes_and_names_no_folder(exported: Path) -> None:
    torch.manual_seed(3)
    again = siamese.Siamese(width=8, deep=16).eval()
    torch.nn.init.normal_(again.head.weight, 0, 2)
    content = runtime.export(again, channels=8, stride=4)
    assert content == exported.read_bytes()
    assert str(Path(models.__file__).parent).encode() not in content


def test_export_of_what_torch_cannot_export_is_refused() -> None:
    class Odd(torch.nn.Module):
        def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
            return before if float(after.sum()) > 0 else after

    with pytest.raises(ValueError, match="cannot export"):
        runtime.export(Odd(), channels=8, stride=4)


def test_onnx_of_another_model_is_refused(exported: Path) -> None:
    with pytest.raises(ValueError, match="sha256"):
        runtime.of_onnx(exported, sha256="0" * 64)


def test_onnx_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / runtime.ONNX
    path.write_bytes(b"no network")
    with pytest.raises(ValueError, match="ONNX Runtime cannot run it"):
        runtime.of_onnx(path, sha256=_sha256(path))


@pytest.mark.parametrize(
    ("channels", "outputs", "why"),
    [
        (9, 3, r"network\.onnx: does not take what its card says: .*; fetch the model again, whole"),
        (11, 8, r"network\.onnx: does not answer with a number for each of clearing, camp, track; fetch"),
    ],
)
def test_folder_whose_onnx_is_of_another_network_is_refused(
    tmp_path: Path, channels: int, outputs: int, why: str
) -> None:
    """Though its card bears the right fingerprint."""
    torch.manual_seed(3)
    shutil.copytree(SHIPPED, tmp_path / "mine")
    other = torch.nn.Conv2d(channels, outputs, 1)

    class Other(torch.nn.Module):
        def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = other(after - before)
            return answer

    (tmp_path / "mine" / runtime.ONNX).write_bytes(runtime.export(Other(), channels=channels, stride=16))
    known = card.read_card(SHIPPED / card.CARD)
    wrong = known.model_copy(update={"onnx_sha256": _sha256(tmp_path / "mine" / runtime.ONNX)})
    with pytest.raises(ValueError, match=why):
        runtime.of_folder(tmp_path / "mine", wrong)


def test_folder_whose_weights_are_not_numbers_is_refused(tmp_path: Path) -> None:
    """A training may have diverged; what is unknown everywhere would read as nothing seen."""
    network = loading.load(SHIPPED)[0].network
    built = siamese.Siamese(**network.parameters)
    with torch.no_grad():
        built.head.weight.fill_(float("nan"))
    facts = card.read_card(SHIPPED / card.CARD).model_dump(exclude={"sha256", "onnx_sha256"})
    made = loading.save(tmp_path / "mine", built, facts)
    with pytest.raises(ValueError, match=r"weights\.safetensors: does not answer with a number"):
        runtime.of_folder(tmp_path / "mine", made)


def test_shipped_model_crosses_its_thresholds_like_torch() -> None:
    """At most one pixel in 10,000 lies on another side of the threshold than with torch."""
    known = card.read_card(SHIPPED / card.CARD)
    fast, slow = runtime.of_folder(SHIPPED, known), runtime.of_torch(loading.load(SHIPPED)[1])
    dates = np.random.default_rng(0).standard_normal((2, 1, inputs.channels(known), 320, 320), np.float32)
    sides = [runtime.middle(run(*dates), known.patch_px) > 0 for run in (fast, slow)]
    assert sides[0].any()
    assert float((sides[0] != sides[1]).mean()) <= 1e-4


def test_shipped_model_in_half_precision_crosses_hardly_a_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, computed on the CPU: logits differ in the third digit."""
    monkeypatch.setattr(runtime, "gpu", lambda: "cpu")
    known = card.read_card(SHIPPED / card.CARD)
    half, whole = runtime.of_folder(SHIPPED, known, on_gpu=True), runtime.of_torch(loading.load(SHIPPED)[1])
    dates = np.random.default_rng(0).standard_normal((2, 1, inputs.channels(known), 320, 320), np.float32)
    found, wanted = (runtime.middle(run(*dates), known.patch_px) for run in (half, whole))
    assert found.dtype == np.float32
    assert 1e-4 < float(np.abs(found - wanted).max()) < 0.1  # it was half precision, and no more than that
    assert float(((found > 0) != (wanted > 0)).mean()) <= 2e-3


def test_gpu_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"^no GPU that torch can use is here$"):
        runtime.of_folder(SHIPPED, card.read_card(SHIPPED / card.CARD), on_gpu=True)


def test_shipped_model_runs_without_torch() -> None:
    code = (
        "import sys; from pipeline.detect import detector; detector.cached('vanwatch-s'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
