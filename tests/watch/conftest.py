import hashlib
import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).parents[2]
CARD: dict[str, Any] = {
    "name": "vanwatch-s",
    "version": "1",
    "network": {"name": "siamese"},
    "bands": ["B02"],
    "inputs": "reflectance",
    "normalisation": {"mean": [0.1], "std": [0.1]},
    "stride": 16,
    "halo_px": 64,
    "patch_px": 256,
    "kinds": ["clearing"],
    "calibration": {"clearing": {}},
    "thresholds": {"clearing": 0.5},
    "training_data": [{"name": "simulated", "licence": "Apache-2.0"}],
    "terms": {"licence": "Apache-2.0", "allowed": ["environment", "research", "enforcement"]},
    "seed": 1,
    "created": str(date(2026, 1, 1)),
    "sha256": hashlib.sha256(b"").hexdigest(),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A copy of the project's own areas and profiles."""
    for name in ("aoi", "configs"):
        shutil.copytree(REPO / name, tmp_path / "home" / name)
    return tmp_path / "home"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder with one model, of which only the card is read."""
    return model(tmp_path / "weights")


def model(weights: Path, **changes: Any) -> Path:
    folder = weights / "vanwatch-s"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card.json").write_text(json.dumps(CARD | changes))
    (folder / "weights.safetensors").touch()
    return weights
