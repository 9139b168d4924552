import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.cli import alerts

ROOT = Path(__file__).parents[1]
VANWATCH = Path(sys.executable).parent / "vanwatch"
COMMANDS = [
    *("nightly", "replay", "detect", "detectability", "demo", "status"),
    *("verify", "verdict", "verdicts import"),
    *("accuracy draw", "accuracy estimate"),
    *("aoi check", "aoi list", "aoi preview", "aoi add"),
]


def vanwatch(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([VANWATCH, *arguments], capture_output=True, text=True, cwd=ROOT, check=False)


Here = Callable[..., tuple[object, str, str]]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """The command in this process, which has everything imported: its exit code and what it prints."""
    monkeypatch.chdir(ROOT)

    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["vanwatch", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(here: Here, command: str) -> None:
    code, told, _ = here(*command.split(), "--help")
    assert code == 0
    assert f"Example: vanwatch {command}" in told
    assert "--json" in told


def test_version_is_the_one_of_the_package() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    result = vanwatch("--version")
    assert (result.returncode, result.stdout) == (0, f"vanwatch {told}\n")


def test_examples_name_areas_that_exist(here: Here) -> None:
    told = "".join(here(*command.split(), "--help")[1] for command in ("nightly", "replay", "aoi preview"))
    named = set(re.findall(r"(?:--aoi|aoi preview) +([a-z][a-z-]+)", " ".join(told.split()).replace("- ", "-")))
    assert named
    assert named <= {path.stem for path in (ROOT / "aoi").glob("*.geojson")}


def test_aoi_check_of_the_project_passes_without_torch() -> None:
    code = (
        "import sys; sys.argv = ['vanwatch', 'aoi', 'check'];"
        "from pipeline import cli\ntry:\n cli.main()\nexcept SystemExit as end:\n code = end.code\n"
        "print({m for m in sys.modules} & {'torch', 'torchgeo', 'dask', 'distributed', 'geopandas'}, code)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.stdout.splitlines()[-1] == "set() 0", result.stderr


@pytest.mark.parametrize(("given", "by"), [("", "root"), (" asha ", "asha")])
def test_verdict_is_by_the_account_though_no_variable_names_it(
    given: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):  # as cron and containers leave them
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert alerts._by(given) == by
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    assert alerts._by(given) == given.strip()


def test_aoi_list_json_is_machine_readable() -> None:
    rows = json.loads(vanwatch("aoi", "list", "--json").stdout)
    assert {"gadchiroli-forest", "champhai-border"} <= {row["id"] for row in rows}


def test_names_are_printed_where_the_output_knows_few_letters(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "aoi").mkdir()
    text = (ROOT / "aoi" / "kodagu-ghats.geojson").read_text()
    (tmp_path / "aoi" / "one.geojson").write_text(text.replace("Brahmagiri", "ब्रह्मगिरि"), encoding="utf-8")
    result = subprocess.run(
        [VANWATCH, "aoi", "list", "--home", tmp_path],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert r"\u092c" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nightly", "--as-of", "yesterday"], "--as-of yesterday: not a date"),
        (["nightly", "--as-of", "2999-01-01"], "--as-of 2999-01-01: lies ahead, today is"),
        (["replay", "--from", "2026-05-02", "--to", "2999-01-01"], "--to 2999-01-01: lies ahead, today is"),
        (["nightly", "--aoi", "nowhere"], "--aoi nowhere: no such AOI"),
        (["nightly", "--aoi", "gone.geojson"], "gone.geojson: no such file"),
        (["replay", "--from", "2026-05-02", "--to", "2026-05-01"], "--to 2026-05-01 is before --from"),
        (
            ["replay", "--from", "2026-05-01", "--to", "2026-05-02", "--out", "s3://b/x"],
            "lies in an object store; name a",
        ),
        (["detect", "b.tif", "a.tif", "--out", "s3://b/x"], "lies in an object store; name a folder or file"),
        (["detect", "b.tif"], "give either BEFORE and AFTER, or --pairs DIR"),
        (["detect", "b.tif", "a.tif"], "b.tif: not readable"),
        (["detect", "b.tif", "a.tif", "--date", "2999-01-01"], "--date 2999-01-01: lies ahead, today is"),
        (["detect", "b.tif", "a.tif", "--model", "gone"], "gone"),
        (["verify", "VW-AAAAAAAA"], "VW-AAAAAAAA: no evidence pack in out"),
        (["verify", "../.."], "../..: no evidence pack in out"),
        (["verify", "VW-AAAAAAAA", "--night", "lately"], "--night lately: not a date"),
        (["verdict", "VW-AAAAAAAA", "confirmed", "--reason", "x", "--home", "/nowhere"], "/nowhere/state/vanwatch.db"),
        (["verdict", "VW-AAAAAAAA", "confirmed", "--reason", " "], "--reason: is empty"),
        (["verdict", "VW-AAAAAAAA", "maybe", "--reason", "x"], "verdict 'maybe': not one of"),
        (["verdict", "VW-AAAAAAAA", "confirmed", "--reason", "x", "--on", "lately"], "--on lately: not a date"),
        (["verdict", "VW-AAAAAAAA", "confirmed", "--reason", "x", "--on", "2999-01-01"], "--on 2999-01-01: lies ahead"),
        (["verdicts", "import", "gone.gpkg"], "gone.gpkg: no such file"),
        (["aoi", "check", "--home", "/nowhere"], "/nowhere"),
        (["nightly", "--home", "/proc/nowhere"], "/proc/nowhere"),
        (["aoi", "preview", "kodagu-ghats", "--out", "/proc/nowhere/map.png"], "/proc/nowhere: cannot be written"),
        (["aoi", "preview", "kodagu-ghats", "--out", "map.txt"], "--out map.txt: a preview is a PNG"),
        (["train", "--simulated", "--seed", "-1"], "--seed"),
        (["evaluate", "--simulated", "--seed", "-1"], "--seed"),
        (["accuracy", "draw", "kodagu-ghats", "--seed", "-1"], "--seed"),
        (["demo", "--out", "README.md"], "README.md: is not empty, or a file"),
        (["demo", "--out", "/proc/nowhere"], "/proc/nowhere: cannot be written"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(
    here: Here, arguments: list[str], message: str, tmp_path: Path
) -> None:
    aside = arguments[0] in ("replay", "detect") and "--out" not in arguments
    code, _, told = here(*arguments, *(["--out", str(tmp_path / "o")] if aside else []))
    assert code == 2
    assert message in told
    assert "Traceback" not in told


def test_json_of_detect_is_machine_readable(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "pairs" / "czech" / "207663"
    result = vanwatch("detect", str(folder / "before.tif"), str(folder / "after.tif"), "--out", str(tmp_path), "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)[0]["observed_km2"] > 0


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    """A home, and beside it the shipped model under terms that forbid enforcement."""
    for name in ("aoi", "configs"):
        shutil.copytree(ROOT / name, tmp_path / "home" / name)
    shutil.copytree(ROOT / "models" / "weights" / "vanwatch-s", tmp_path / "strict")
    card = json.loads((tmp_path / "strict" / "card.json").read_text())
    card |= {"name": "strict", "terms": {"licence": "No policing", "allowed": ["environment", "research"]}}
    (tmp_path / "strict" / "card.json").write_text(json.dumps(card))
    return tmp_path


def name_model(home: Path, profile: str, model: Path | str) -> Path:
    path = home / "configs" / f"{profile}.toml"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(f'model = "{model}"' if line.startswith("model = ") else line for line in lines) + "\n")
    return path


def test_d35_model_by_path_whose_terms_forbid_the_use_refused_by_check_and_night(strict: Path) -> None:
    home = strict / "home"
    name_model(home, "border", strict / "strict")
    night = ("nightly", "--aoi", "champhai-border", "--as-of", "2026-05-01", "--workers", "0")
    for command in (("aoi", "check"), night, ("detectability", *night[1:])):
        result = vanwatch(*command, "--home", str(home))
        assert result.returncode == 2, result.stderr
        assert result.stderr.count("\n") == 1
        assert "'enforcement'" in result.stderr
        assert "name another model" in result.stderr
    assert not (home / "out").exists()
    assert not (home / "state" / "champhai-border").exists()


def test_d35_the_same_model_is_free_for_a_use_that_its_terms_name(strict: Path) -> None:
    name_model(strict / "home", "forest", strict / "strict")
    result = vanwatch("aoi", "check", "--home", str(strict / "home"))
    assert result.returncode == 0, result.stderr
    assert "strict-" in result.stdout


def test_d35_check_takes_a_model_by_relative_path(strict: Path) -> None:
    name_model(strict / "home", "border", "strict")
    result = subprocess.run(
        [VANWATCH, "aoi", "check", "--home", "home"], capture_output=True, text=True, cwd=strict, check=False
    )
    assert result.returncode == 2
    assert "the terms of strict (No policing) do not permit use = 'enforcement'" in result.stderr


def test_d35_detect_with_a_profile_refuses_a_model_that_its_use_forbids(strict: Path) -> None:
    profile = str(strict / "home" / "configs" / "border.toml")
    arguments = ("detect", "b.tif", "a.tif", "--model", str(strict / "strict"), "--out", str(strict / "o"))
    result = vanwatch(*arguments, "--profile", profile)
    assert result.returncode == 2
    assert "do not permit use = 'enforcement'" in result.stderr
    assert "b.tif: not readable" in vanwatch(*arguments).stderr
