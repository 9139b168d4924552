from datetime import date
from pathlib import Path
from typing import Any

import pytest
import torch

from models import loading, siamese
from models.card import Calibration, Network, Normalisation, Source, Terms


def _saved(folder: Path, **changes: Any) -> siamese.Siamese:
    torch.manual_seed(1)
    network = siamese.Siamese(width=8)
    kinds = ("clearing", "camp", "track")
    facts: dict[str, Any] = {
        "name": "tiny",
        "version": "1",
        "network": Network(name="siamese", parameters={"width": 8}),
        "bands": ("B02", "B03", "B04", "B08", "B11", "B12"),
        "coarse_bands": ("B11", "B12"),
        "inputs": "reflectance",
        "normalisation": Normalisation(mean=(0.1,) * 6, std=(0.1,) * 6),
        "stride": 4,
        "halo_px": 32,
        "patch_px": 256,
        "kinds": kinds,
        "calibration": {kind: Calibration() for kind in kinds},
        "thresholds": dict.fromkeys(kinds, 0.5),
        "training_data": (Source(name="made", licence="Apache-2.0"),),
        "terms": Terms(licence="Apache-2.0", allowed=("environment",)),
        "seed": 1,
        "created": date(2026, 1, 1),
    }
    loading.save(folder, network, facts | changes)
    return network


def test_load_saved_model_gives_the_same_answers(tmp_path: Path) -> None:
    network = _saved(tmp_path).eval()
    card, loaded = loading.load(tmp_path)
    dates = torch.rand(2, 1, 8, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network(*dates), loaded(*dates), atol=1e-4, rtol=1e-4)
    assert not loaded.training
    assert card.name == "tiny"


def test_save_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        _saved(tmp_path / name)
    for file in (loading.CARD, loading.WEIGHTS):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_load_other_weights_is_refused(tmp_path: Path) -> None:
    _saved(tmp_path)
    weights = tmp_path / loading.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="sha256"):
        loading.load(tmp_path)


def test_load_weights_of_another_network_is_refused(tmp_path: Path) -> None:
    _saved(tmp_path, network=Network(name="siamese", parameters={"width": 16}))
    with pytest.raises(ValueError, match="does not fit") as told:
        loading.load(tmp_path)
    assert len(str(told.value).splitlines()) == 1
