"""`vanwatch evaluate` on a small planted data folder and few small chips."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline import cli
from pipeline.errors import ConfigError, ModelError, RasterError
from pipeline.evaluate import forest
from pipeline.evaluate.places import CHANGED, STABLE, UNKNOWN
from pipeline.learn import contest
from pipeline.learn.contest import Contest
from pipeline.learn.settings import read_settings
from pipeline.learn.store import Stored
from pipeline.schema import KINDS
from tests.evaluate import planted

FEW = {"boosted": 3000, "random": 3000}
"""Pixels to fit to, so that a test takes seconds."""
CONFIG = """
[card]
name = "tiny"
version = "0"
created = 2026-01-01
licence = "Apache-2.0"
terms = "made by a test"

[data]
root = "data"
chips = 12
valid_chips = 1
test_chips = 8
chip_px = 64
border_px = 8
real_share = 0.0
workers = 0

[label]
clearing = { positive = 0.5, ignore = 0.2 }
camp = { positive = 0.4, ignore = 0.1 }
track = { positive = 0.3, ignore = 0.08 }

[fit]
export = false
epochs = 1
"""


def _silent(line: str) -> None:
    """No progress."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "train.toml"
    path.write_text(CONFIG)
    planted.write_data(tmp_path / "data")
    return path


@pytest.mark.slow
def test_run_twice_gives_one_table_of_all_methods_to_the_byte(config, tmp_path, monkeypatch):
    for form, pixels in FEW.items():
        monkeypatch.setitem(forest.PIXELS, form, pixels)
    chosen = Contest(("vanwatch-s",), config, seed=2, draws=5)
    results = contest.run(chosen, tmp_path / "one", report=_silent)
    contest.run(chosen, tmp_path / "two", report=_silent)
    files = sorted(path for path in (tmp_path / "one").iterdir() if path.is_file())
    for path in files:
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
    assert {"injected-camp-precision-recall.png", "injected-track-mistakes.png"} <= {path.name for path in files}
    methods = {row.method for row in results.rows if row.trial == "injected clearing"}
    assert methods >= {"vanwatch-s", "gradient boosting", "random forest", "dNBR", "dNDVI", "CVA", "IR-MAD"}
    sizes = {row.figure for row in results.rows if row.trial == "injected camp, one false alert per 100 km2"}
    assert {"found", "found 0 to 0.2 ha", "found 0.2 to 1 ha"} <= sizes
    assert "at 50% of clearings" in results.thresholds["dNBR"]
    assert next(row.groups for row in results.rows if row.trial == "injected track") == 8


def test_run_without_data_or_with_a_wrong_model_stops_before_any_work(config, tmp_path):
    with pytest.raises(RasterError, match="us-suburbs: no such folder"):
        contest.run(Contest((), config, tmp_path / "nowhere"), tmp_path / "out", report=_silent)
    with pytest.raises(ModelError, match="vanwatch-x"):
        contest.run(Contest(("vanwatch-x",), config), tmp_path / "out", report=_silent)
    with pytest.raises(ConfigError, match="share the name vanwatch-s; name each of them once"):
        contest.run(Contest(("vanwatch-s", "vanwatch-s"), config), tmp_path / "out", report=_silent)
    assert not (tmp_path / "out").exists()


def test_run_folder_that_cannot_be_made_is_a_config_error(config):
    with pytest.raises(ConfigError, match=r"train\.toml/out: cannot be written"):
        contest.run(Contest(("vanwatch-s",), config), config / "out", report=_silent)


@pytest.mark.slow
def test_run_simulated_needs_no_data_and_judges_injected_changes_only(config, tmp_path, monkeypatch):
    for form, pixels in FEW.items():
        monkeypatch.setitem(forest.PIXELS, form, pixels)
    ground = "".join(
        f'[[ground]]\nname = "{split}"\nfiles = ["x.tif"]\nlicence = "none"\nsplit = "{split}"\n'
        for split in ("train", "valid")
    )
    config.write_text(CONFIG.replace("real_share = 0.0", "real_share = 0.5").replace('"data"', '"nowhere"') + ground)
    chosen = Contest(("vanwatch-s",), config, simulated=True, draws=2, forms=("boosted",))
    results = contest.run(chosen, tmp_path / "out", report=_silent)
    assert {row.trial.split(",")[0] for row in results.rows} == {f"injected {kind}" for kind in KINDS}
    assert set(results.thresholds["vanwatch-s"]) == {"at its own", "at 50% of clearings"}
    assert (tmp_path / "out" / "table.md").exists()


def test_run_real_ground_without_test_places_is_refused(config, tmp_path):
    ground = "".join(
        f'[[ground]]\nname = "{split}"\nfiles = ["x.tif"]\nlicence = "none"\nsplit = "{split}"\n'
        for split in ("train", "valid")
    )
    config.write_text(CONFIG.replace("real_share = 0.0", "real_share = 0.5") + ground)
    with pytest.raises(ConfigError, match=r"train\.toml: ground: none has split 'test'"):
        contest.run(Contest((), config), tmp_path / "out", report=_silent)


def test_injected_edges_count_nowhere_and_grounds_are_groups(config):
    labels = np.zeros((3, len(KINDS), 64, 64), np.int8)
    labels[:, 1, 30:34, 30:34] = labels[:, 1, 0:4, 0:4] = 1
    chips = Stored(np.zeros((3, 2, 6, 64, 64), np.float16), labels, np.array([b"simulated", b"here", b"here"]))
    camps = contest.injected(chips, read_settings(config))[1]
    assert [place.group for place in camps] == ["simulated/0", "here", "here"]
    assert (camps[0].label == CHANGED).sum() == 16
    assert (camps[0].label == STABLE).sum() == 48 * 48 - 16
    assert (camps[0].label[:8] == UNKNOWN).all()


def _evaluate(config: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pipeline.cli", "evaluate", "--config", str(config), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_evaluate_command_missing_data_is_one_line_and_code_2(config, tmp_path):
    result = _evaluate(config, "--data", "nowhere", "--out", str(tmp_path / "out"))
    assert result.returncode == 2
    told = result.stderr.splitlines()[-1]
    assert told.startswith("vanwatch: nowhere/pairs/us-suburbs: no such folder")
    assert told.endswith("--simulated")


def test_evaluate_command_real_data_and_none_at_once_is_refused(config, tmp_path):
    result = _evaluate(config, "--data", "nowhere", "--simulated", "--out", str(tmp_path / "out"))
    assert (result.returncode, result.stderr) == (
        2,
        "vanwatch: --data and --simulated: real data, or none; give one of them\n",
    )


@pytest.mark.slow
def test_evaluate_command_prints_a_summary_or_json(config, tmp_path, monkeypatch):
    for form, pixels in FEW.items():
        monkeypatch.setitem(forest.PIXELS, form, pixels)
    monkeypatch.setattr(contest, "run", functools.cache(contest.run))  # what is asked twice is told twice
    command = ["evaluate", "--config", str(config), "--out", str(tmp_path / "out")]
    plain, machine = (CliRunner().invoke(cli.app, [*command, *more]) for more in ([], ["--json"]))
    assert (plain.exit_code, machine.exit_code) == (0, 0), plain.output
    assert "vanwatch-s ahead by" in plain.stdout or "vanwatch-s behind by" in plain.stdout
    assert "random forest" in plain.stdout
    assert "places judged" in plain.stderr
    assert json.loads(machine.stdout) == json.loads((tmp_path / "out" / "table.json").read_text())
