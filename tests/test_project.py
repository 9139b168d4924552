"""The files around the code: what they promise exists."""

import os
import re
import subprocess
from pathlib import Path

REPO = Path(__file__).parents[1]
TARGETS = {"help", "setup", "demo", "gallery", "nightly", "test", "check", "bench", "notebook", "clean"}


def make(*arguments: str) -> str:
    # as from a shell, also when the tests themselves were started by make
    outside = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", *arguments], cwd=REPO, env=outside, capture_output=True, text=True, check=True)
    return done.stdout


def test_make_help_lists_every_target_with_its_purpose() -> None:
    lines = make("help").splitlines()
    assert {line.split()[1] for line in lines} == TARGETS
    assert all(len(line.split()) > 3 for line in lines)
    assert make() == make("help")


def test_readme_make_targets_and_linked_files_exist() -> None:
    text = (REPO / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`?make ([a-z]+)\b(?=`|\s+#)", text)) <= TARGETS
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        if not link.startswith("docs/images/"):  # the picture is drawn by `make demo`
            assert (REPO / link).exists(), f"README.md links to {link}"


def test_readme_first_screen_shows_purpose_picture_and_both_commands() -> None:
    first = "\n".join((REPO / "README.md").read_text(encoding="utf-8").splitlines()[:24])
    for part in ("clearing", "camp", "track", "docs/images/demo.png", "make demo", "make test"):
        assert part in first


def test_ci_script_is_executable_and_runs_check_and_test() -> None:
    script = REPO / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    assert re.search(r"^make check\n.*^make test$", script.read_text(), re.S | re.M)


def test_license_is_apache_as_pyproject_says() -> None:
    assert 'license = "Apache-2.0"' in (REPO / "pyproject.toml").read_text()
    text = (REPO / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_make_nightly_failure_is_shown_and_success_is_silent(tmp_path: Path) -> None:
    # the recipe runs against a stand-in for the installed command, so that no night is run here
    fake = tmp_path / "venv" / "bin"
    fake.mkdir(parents=True)
    (tmp_path / "venv" / ".setup-done").touch()
    (fake / "vanwatch").write_text("#!/bin/bash\necho one line\nexit ${CODE:-0}\n")
    (fake / "vanwatch").chmod(0o755)
    log = tmp_path / "a place" / "state" / "nightly.log"  # make itself knows no names with spaces
    command = ["make", "--silent", "nightly", f"VENV={tmp_path / 'venv'}"]

    def run(code: str, home: Path = log.parents[1]) -> subprocess.CompletedProcess[str]:
        settings = os.environ | {"CODE": code, "MAKEFLAGS": "", "VANWATCH_HOME": str(home)}
        return subprocess.run(command, cwd=REPO, env=settings, capture_output=True, text=True, check=False)

    good, bad = run("0"), run("1")
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    assert bad.returncode == 2  # make's own code for any failure
    assert "ended with code 1" in bad.stderr
    assert log.read_text() == "one line\none line\n"
    unwritable = run("0", Path("/proc/nowhere"))
    assert unwritable.returncode == 2
    assert "/proc/nowhere/state/nightly.log: cannot be written, so no night was run" in unwritable.stderr
