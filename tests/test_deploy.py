"""The example units and manifests: systemd itself accepts the units, and they call what there is."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.nightly import run

ROOT = Path(__file__).parents[1]
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").iterdir())
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
PLACE = "/srv/vanwatch"


def test_units_are_a_service_and_its_timer() -> None:
    assert [path.name for path in UNITS] == ["vanwatch.service", "vanwatch.timer"]


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze (Debian's systemd) is not installed"
)
def test_units_are_accepted_by_systemd_without_a_word(tmp_path: Path) -> None:
    """With a program that is there in the place of the one that they name."""
    program = f"{PLACE}/.venv/bin/vanwatch"
    for path in UNITS:
        text = (
            path.read_text()
            .replace(program, sys.executable)
            .replace(f"WorkingDirectory={PLACE}", f"WorkingDirectory={ROOT}")
        )
        (tmp_path / path.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_service_calls_a_command_that_exists_in_the_home_that_it_names() -> None:
    lines = dict(line.split("=", 1) for line in UNITS[0].read_text().splitlines() if "=" in line and line[0] != "#")
    program, command = shlex.split(lines["ExecStart"])
    assert (program, command) == (f"{PLACE}/.venv/bin/vanwatch", "nightly")
    assert lines["Environment"] == f"VANWATCH_HOME={PLACE}"
    assert lines["ReadWritePaths"] == PLACE


def test_manifests_are_yaml_that_names_what_it_is() -> None:
    for path in MANIFESTS:
        assert all({"apiVersion", "kind", "metadata"} <= set(one) for one in yaml.safe_load_all(path.read_text())), path


def test_cron_job_repeats_no_night_that_is_done_or_has_wrong_input() -> None:
    (job,) = yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "nightly.yaml").read_text())
    spec = job["spec"]["jobTemplate"]["spec"]
    pod = spec["template"]["spec"]
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert pod["restartPolicy"] == "Never", "Kubernetes takes a policy with no other"
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"] == {"containerName": pod["containers"][0]["name"], "operator": "In", "values": [2, 3]}
    assert run.ALARM == 3
