"""A training configuration that takes seconds, on simulated ground only."""

from pathlib import Path

import pytest

from pipeline.learn import train

TINY = """
[card]
name = "tiny"
version = "0"
created = 2026-01-01
licence = "Apache-2.0"
terms = "made by a test"

[network]
parameters = { width = 8, deep = 16 }

[data]
chips = 8
valid_chips = 2
chip_px = 64
border_px = 8
real_share = 0.0
workers = 0

[label.clearing]
positive = 0.5
ignore = 0.2

[label.camp]
positive = 0.4
ignore = 0.1

[label.track]
positive = 0.3
ignore = 0.08

[fit]
export = false
seed = 4
epochs = 4
batch = 4
rate = 1e-2
"""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one uninterrupted run of the tiny configuration."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "train.toml").write_text(TINY)
    train.train(folder / "train.toml", folder / "run", report=lambda _line: None)
    return folder / "run"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "train.toml"
    path.write_text(TINY)
    return path
