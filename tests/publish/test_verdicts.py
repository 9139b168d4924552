"""Verdicts come back, however the analyst's program holds the file."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.errors import StateError
from pipeline.publish import night, verdicts
from pipeline.publish.verdicts import Verdict
from tests.publish import planted
from tests.publish.test_geopackage import write

CONFIRM = (
    "UPDATE alerts SET verdict = 'confirmed', note = 'fresh stumps', verdict_by = 'Asha' WHERE alert_id = 'VW-CCCCCCCC'"
)


def connect(path: Path) -> sqlite3.Connection:
    """As GDAL opens it: with the functions that the triggers of the spatial index name."""
    database = sqlite3.connect(path)
    for name in ("ST_IsEmpty", "ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"):
        database.create_function(name, 1, lambda shape: 0)
    return database


def edit(path: Path, statement: str = CONFIRM) -> None:
    with contextlib.closing(connect(path)) as database, database:
        database.execute(statement)


def test_read_verdicts_nothing_typed_nothing_read(tmp_path: Path) -> None:
    assert verdicts.read_verdicts(write(tmp_path / "alerts.gpkg")) == ()
    assert verdicts.read_verdicts(tmp_path / "missing.gpkg") == ()


def test_read_verdicts_what_was_typed_with_the_time_of_the_edit(tmp_path: Path) -> None:
    path = write(tmp_path / "alerts.gpkg")
    edit(path)
    edit(path, "UPDATE tracks SET verdict = 'dismissed' WHERE alert_id = 'VW-TTTTTTTT'")
    camp, track = verdicts.read_verdicts(path)
    assert (camp.alert_id, camp.verdict, camp.by, camp.note) == ("VW-CCCCCCCC", "confirmed", "Asha", "fresh stumps")
    assert (track.alert_id, track.verdict, track.by, track.note) == ("VW-TTTTTTTT", "dismissed", "", "")
    assert camp.on is not None
    assert abs(datetime.now(UTC) - camp.on) < timedelta(minutes=5)


def test_read_verdicts_one_taken_back_is_told_as_empty(tmp_path: Path) -> None:
    path = write(tmp_path / "alerts.gpkg")
    edit(path, "UPDATE alerts SET verdict = NULL, note = '' WHERE alert_id = 'VW-AAAAAAAA'")
    (back,) = verdicts.read_verdicts(path)
    assert (back.alert_id, back.verdict, back.note) == ("VW-AAAAAAAA", "", "")


@pytest.mark.parametrize("statement", ["verdict = 7", "verdict = 'unsure', verdict_on = 7", "verdict = x'00ff'"])
def test_read_verdicts_values_of_another_type_are_one_line(tmp_path: Path, statement: str) -> None:
    path = write(tmp_path / "alerts.gpkg")
    with contextlib.closing(connect(path)) as database, database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute(f"UPDATE alerts SET {statement} WHERE alert_id = 'VW-CCCCCCCC'")
    with pytest.raises(StateError, match=r"alerts\.gpkg") as told:
        verdicts.read_verdicts(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("mode", ["wal", "delete", "truncate", "persist"])
def test_d29_read_verdicts_of_a_file_held_open_in_any_journal_mode(tmp_path: Path, mode: str) -> None:
    path = write(tmp_path / "alerts.gpkg")
    with contextlib.closing(connect(path)) as held:
        held.execute(f"PRAGMA journal_mode={mode}")
        held.execute(CONFIRM)
        held.commit()
        held.execute("SELECT * FROM alerts").fetchone()
        assert path.with_name("alerts.gpkg-wal").exists() == (mode == "wal")
        (found,) = verdicts.read_verdicts(path)
        assert found.verdict == "confirmed"
        assert held.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_d29_read_verdicts_of_a_file_locked_by_a_save_that_never_ends_gives_what_was_saved_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "_PATIENCE_S", 0.1)
    path = write(tmp_path / "alerts.gpkg")
    edit(path)
    with contextlib.closing(connect(path)) as held:
        held.execute("BEGIN EXCLUSIVE")
        held.execute("UPDATE alerts SET verdict = 'dismissed', note = 'half a thought'")
        (found,) = verdicts.read_verdicts(path)
    assert (found.verdict, found.note) == ("confirmed", "fresh stumps")


KILLED = """
import sqlite3, sys, time
sys.path.insert(0, sys.argv[2])
from tests.publish.test_verdicts import CONFIRM, connect
from pathlib import Path
held = connect(Path(sys.argv[1]))
held.execute("PRAGMA journal_mode=WAL")
held.execute(CONFIRM)
held.commit()
print("saved", flush=True)
time.sleep(60)
"""


def test_d29_read_verdicts_of_a_program_that_was_killed_with_edits_in_its_journal(tmp_path: Path) -> None:
    path = write(tmp_path / "alerts.gpkg")
    command = [sys.executable, "-c", KILLED, str(path), str(Path(__file__).parents[2])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        assert program.stdout.readline() == "saved\n"
        program.kill()
    assert path.with_name("alerts.gpkg-wal").exists()
    (found,) = verdicts.read_verdicts(path)
    assert found.verdict == "confirmed"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_d29_read_verdicts_in_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    path = write(tmp_path / "alerts.gpkg")
    with contextlib.closing(connect(path)) as held:
        held.execute("PRAGMA journal_mode=WAL")
        held.execute(CONFIRM)
        held.commit()
        tmp_path.chmod(0o555)
        try:
            assert len(verdicts.read_verdicts(path)) == 1
        finally:
            tmp_path.chmod(0o755)


def test_read_verdicts_does_not_touch_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "alerts.gpkg")
    edit(path)
    before = path.read_bytes()
    verdicts.read_verdicts(path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["alerts.gpkg"]


def test_read_verdicts_an_unknown_word_names_file_alert_and_remedy(tmp_path: Path) -> None:
    path = write(tmp_path / "alerts.gpkg")
    edit(path, "UPDATE alerts SET verdict = 'mayhap' WHERE alert_id = 'VW-CCCCCCCC'")
    with pytest.raises(StateError, match=r"alerts.gpkg: VW-CCCCCCCC: verdict 'mayhap' is unknown; use confirmed"):
        verdicts.read_verdicts(path)


@pytest.mark.parametrize("content", [b"", b"no database at all, only text" * 100])
def test_read_verdicts_damaged_file_is_told_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "alerts.gpkg"
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"alerts.gpkg: verdicts cannot be read .*; save it again") as told:
        verdicts.read_verdicts(path)
    assert "\n" not in str(told.value)


def test_newest_last_word_on_each_alert_wins() -> None:
    def said(alert_id: str, verdict: str, hour: int | None) -> Verdict:
        return Verdict(alert_id, verdict, "", None if hour is None else datetime(2025, 11, 7, hour, tzinfo=UTC), "")

    found = [
        said("A", "dismissed", 9),
        said("A", "confirmed", 8),
        said("B", "unsure", None),
        said("B", "confirmed", None),
    ]
    assert [(item.alert_id, item.verdict) for item in verdicts.newest(found)] == [
        ("A", "dismissed"),
        ("B", "confirmed"),
    ]


def publish(out: Path, *, links: bool = True) -> Path:
    kept = out / verdicts.EDITED / "hills"
    spare = lambda folder: verdicts.set_aside(folder, kept)  # noqa: E731
    with night.Night(out, planted.NIGHT, "hills", links=links, spare=spare) as files:
        write(files.folder / "alerts.gpkg")
    return files.final / "alerts.gpkg"


def all_typed(out: Path) -> list[str]:
    return [item.verdict for path in verdicts.published_files(out, "hills") for item in verdicts.read_verdicts(path)]


def test_night_run_again_keeps_what_was_typed_into_the_first_one(tmp_path: Path) -> None:
    edit(publish(tmp_path))
    publish(tmp_path)
    assert all_typed(tmp_path) == ["confirmed"]
    publish(tmp_path)
    assert [path.parent.name for path in verdicts.published_files(tmp_path, "hills")] == ["hills", "hills"]


def test_night_run_again_without_edits_keeps_nothing(tmp_path: Path) -> None:
    publish(tmp_path)
    publish(tmp_path)
    assert not (tmp_path / verdicts.EDITED).exists()


def test_night_run_again_under_an_open_file_edits_saved_later_are_read(tmp_path: Path) -> None:
    path = publish(tmp_path)
    with contextlib.closing(connect(path)) as held:
        held.execute("PRAGMA journal_mode=WAL")
        held.execute("UPDATE alerts SET note = 'looking' WHERE alert_id = 'VW-CCCCCCCC'")
        held.commit()
        publish(tmp_path)
        held.execute(CONFIRM)
        held.commit()
        assert all_typed(tmp_path) == ["confirmed"]
    assert all_typed(tmp_path) == ["confirmed"]


def test_night_shown_as_copies_edits_in_the_copy_survive_the_next_night(tmp_path: Path) -> None:
    publish(tmp_path, links=False)
    edit(tmp_path / "latest" / "hills" / "alerts.gpkg")
    publish(tmp_path, links=False)
    assert all_typed(tmp_path) == ["confirmed"]
