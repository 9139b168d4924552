"""A small network with random weights, and looks and normals on any window."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models import loading, siamese
from models.card import Calibration, Network, Normalisation, Source, Terms
from pipeline import grid, schema
from pipeline.detect.detector import Detector
from pipeline.schema import KINDS
from pipeline.sensors import BANDS


def _save_model(folder: Path) -> None:
    """A network whose answers vary with what it sees."""
    torch.manual_seed(11)
    network = siamese.Siamese(width=8)
    torch.nn.init.normal_(network.head.weight, 0, 3)
    torch.nn.init.zeros_(network.head.bias)
    facts = {
        "name": "random",
        "version": "0",
        "network": Network(name="siamese", parameters={"width": 8}),
        "bands": BANDS,
        "coarse_bands": ("B11", "B12"),
        "inputs": "reflectance",
        "normalisation": Normalisation(mean=(0.1,) * 6, std=(0.1,) * 6),
        "stride": 4,
        "halo_px": 32,
        "patch_px": 256,
        "kinds": KINDS,
        "calibration": {kind: Calibration() for kind in KINDS},
        "thresholds": dict.fromkeys(KINDS, 0.5),
        "training_data": (Source(name="none", licence="Apache-2.0"),),
        "terms": Terms(licence="Apache-2.0", allowed=("environment", "research", "enforcement")),
        "seed": 11,
        "created": date(2026, 1, 1),
    }
    loading.save(folder, network, facts)


@pytest.fixture
def save_model() -> Callable[[Path], None]:
    return _save_model


@pytest.fixture
def scene() -> schema.Scene:
    granule = grid.granule("31UDS")
    return schema.Scene("s2_31UDS_x", "", granule, datetime(2026, 6, 1, tzinfo=UTC), None, 8, 0.0, (), ())


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    folder = tmp_path_factory.mktemp("weights") / "random"
    _save_model(folder)
    return Detector.load(str(folder))


@pytest.fixture
def world() -> Callable[[grid.Window, int], NDArray[np.float32]]:
    """Reflectance that belongs to its place on the granule grid, whatever window asks for it; NaN beyond the grid."""

    def pixels(window: grid.Window, date_number: int) -> NDArray[np.float32]:
        rows = np.arange(window.row, window.row + window.height)[:, None]
        cols = np.arange(window.col, window.col + window.width)[None, :]
        layers = []
        for band in range(len(BANDS)):
            mixed = (rows * 73856093) ^ (cols * 19349663) ^ ((band + 7 * date_number) * 83492791)
            layers.append(0.05 + 0.3 * (mixed % 1009) / 1009)
        values = np.stack(layers).astype(np.float32)
        outside = (rows < 0) | (cols < 0) | (rows >= grid.GRANULE_PX) | (cols >= grid.GRANULE_PX)
        holes = ((rows // 37 + cols // 53) % 11 == 0) & (date_number > 0)
        return np.where(outside | holes, np.float32(np.nan), values)

    return pixels
