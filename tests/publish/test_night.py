"""Nights: whole or not at all, whatever kills the run."""

import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from pipeline.publish import night

ONE, TWO = date(2025, 11, 1), date(2025, 11, 2)


def publish(out: Path, as_of: date, text: str, *, aoi: str = "hills", links: bool = True) -> Path:
    with night.Night(out, as_of, aoi, links=links) as files:
        (files.folder / "alerts.geojson").write_text(text)
        (files.folder / "evidence").mkdir()
        (files.folder / "evidence" / "chip.txt").write_text(text)
    return files.final


def shown(out: Path, aoi: str = "hills") -> str:
    folder = out / "latest" / aoi
    assert (folder / "evidence" / "chip.txt").read_text() == (folder / "alerts.geojson").read_text()
    return (folder / "alerts.geojson").read_text()


def names(out: Path) -> set[str]:
    return {str(path.relative_to(out)) for path in out.glob("*/*")}


@pytest.mark.parametrize("links", [True, False])
def test_night_written_and_shown_as_latest(tmp_path: Path, links: bool) -> None:
    final = publish(tmp_path, ONE, "one", links=links)
    assert final == tmp_path / "2025-11-01" / "hills"
    assert shown(tmp_path) == "one"
    assert (tmp_path / "latest" / "hills").is_symlink() == links
    publish(tmp_path, TWO, "two", links=links)
    assert shown(tmp_path) == "two"
    assert (final / "alerts.geojson").read_text() == "one"
    assert names(tmp_path) == {"2025-11-01/hills", "2025-11-02/hills", "latest/hills"}


def test_night_latest_link_is_relative_so_that_out_can_move(tmp_path: Path) -> None:
    publish(tmp_path / "out", ONE, "one")
    (tmp_path / "out").rename(tmp_path / "moved")
    assert shown(tmp_path / "moved") == "one"


@pytest.mark.parametrize("links", [True, False])
def test_night_repeated_replaced_whole(tmp_path: Path, links: bool) -> None:
    publish(tmp_path, ONE, "one", links=links)
    (tmp_path / "2025-11-01" / "hills" / "stale.txt").write_text("from before")
    publish(tmp_path, ONE, "again", links=links)
    assert shown(tmp_path) == "again"
    assert not (tmp_path / "latest" / "hills" / "stale.txt").exists()


@pytest.mark.parametrize("links", [True, False])
def test_night_older_one_repeated_latest_stays(tmp_path: Path, links: bool) -> None:
    publish(tmp_path, TWO, "two", links=links)
    publish(tmp_path, ONE, "one", links=links)
    assert shown(tmp_path) == "two"


def test_night_copies_then_links_then_copies(tmp_path: Path) -> None:
    for links, text in ((False, "a"), (True, "b"), (False, "c"), (False, "d"), (True, "e")):
        publish(tmp_path, ONE, text, links=links)
        assert shown(tmp_path) == text
    assert names(tmp_path) == {"2025-11-01/hills", "latest/hills"}


def test_night_error_inside_leaves_the_old_one_and_no_litter(tmp_path: Path) -> None:
    publish(tmp_path, ONE, "one")
    for as_of in (ONE, TWO):
        with pytest.raises(FileNotFoundError), night.Night(tmp_path, as_of, "hills") as files:
            (files.folder / "missing" / "alerts.geojson").write_text("half")
    assert shown(tmp_path) == "one"
    assert names(tmp_path) == {"2025-11-01/hills", "latest/hills"}


def test_night_other_aois_left_alone(tmp_path: Path) -> None:
    with night.Night(tmp_path, ONE, "hills") as hills:
        publish(tmp_path, ONE, "coast", aoi="coast")
        assert hills.folder.is_dir()
    assert shown(tmp_path, "coast") == "coast"


KILLED = """
import sys, time
from datetime import date
from pathlib import Path
from pipeline.publish import night
with night.Night(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), "hills") as files:
    (files.folder / "alerts.geojson").write_text("half of")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("as_of", [ONE, TWO])
def test_d29_d33_night_killed_while_writing_the_old_one_stays(tmp_path: Path, as_of: date) -> None:
    publish(tmp_path, ONE, "one")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", KILLED, str(tmp_path), as_of.isoformat()]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    assert shown(tmp_path) == "one"
    assert (tmp_path / as_of.isoformat() / ".hills.new").is_dir()
    publish(tmp_path, TWO, "two")
    assert shown(tmp_path) == "two"
    assert names(tmp_path) == {"2025-11-01/hills", "2025-11-02/hills", "latest/hills"}


BUSY = """
import sys
from datetime import date
from pathlib import Path
from pipeline.publish import night
for number in range(100000):
    with night.Night(Path(sys.argv[1]), date(2025, 11, 1), "hills") as files:
        (files.folder / "evidence").mkdir()
        for name in ("alerts.geojson", "evidence/chip.txt"):
            (files.folder / name).write_text(str(number))
    print(number, flush=True)
"""


def test_d29_night_killed_at_any_moment_always_readable(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    for rounds in range(1, 6):
        command = [sys.executable, "-c", BUSY, str(tmp_path)]
        with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            process.stdout.readline()
            for _ in range(20 * rounds):
                folder = os.open(
                    tmp_path / "latest" / "hills", os.O_RDONLY
                )  # one night, though another comes meanwhile
                os.close(folder)
            process.send_signal(signal.SIGKILL)
        assert shown(tmp_path).isdigit()


@pytest.mark.parametrize("place", ["2025-11-01", "latest"])
def test_sweep_killed_between_two_renames_old_one_comes_back(tmp_path: Path, place: str) -> None:
    publish(tmp_path, ONE, "one", links=False)
    folder = tmp_path / place
    (folder / "hills").rename(folder / ".hills.old")
    (folder / ".hills.new").mkdir()
    night.sweep(tmp_path, "hills")
    assert shown(tmp_path) == "one"
    assert names(tmp_path) == {"2025-11-01/hills", "latest/hills"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux exchanges names at once")
def test_exchange_two_folders_swapped_at_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert night.exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a" / "b").exists()
    assert not night.exchange(tmp_path / "a", tmp_path / "missing")


def test_write_run_same_facts_same_bytes_but_for_timings(tmp_path: Path) -> None:
    texts = []
    for seconds, facts in ((1.5, {"b": 1, "a": {"y": 2, "x": "é"}}), (2.5, {"a": {"x": "é", "y": 2}, "b": 1})):
        with night.Night(tmp_path, ONE, "hills") as files:
            files.write_run(facts, timings={"read_s": seconds})
        texts.append((files.final / "run.json").read_text(encoding="utf-8"))
    one, two = map(json.loads, texts)
    assert (one.pop("timings"), two.pop("timings")) == ({"read_s": 1.5}, {"read_s": 2.5})
    assert list(one) == list(two) == ["a", "b"]
    assert texts[0].replace("1.5", "2.5") == texts[1]
