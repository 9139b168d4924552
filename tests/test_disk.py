import errno
from pathlib import Path

import pytest

from pipeline import disk
from pipeline.errors import ConfigError, WriteError


def test_whole_written_and_nothing_left_aside(tmp_path: Path) -> None:
    with disk.whole(tmp_path / "new" / "a.txt") as handle:
        handle.write(b"words")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"words"


def test_whole_error_inside_the_old_file_stays(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"old")

    def fill() -> None:
        with disk.whole(tmp_path / "a.txt") as handle:
            handle.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fill()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.txt", b"old")]


def test_whole_folder_that_is_a_file_is_one_line_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "blocked").touch()
    with (
        pytest.raises(WriteError, match=r"blocked: cannot be written \(.*\); check that"),
        disk.whole(tmp_path / "blocked" / "a.txt"),
    ):
        pass


def test_writing_full_disk_is_told_as_the_kind_that_was_asked_for() -> None:
    with (
        pytest.raises(ConfigError, match=r"/dev/full: cannot be written \(No space left on device\)"),
        disk.writing(Path("/dev/full"), ConfigError),
    ):
        Path("/dev/full").write_bytes(b"x")


def test_writing_names_where_a_file_was_to_go_and_not_where_it_came_from(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="there: cannot be written"), disk.writing(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/aside", None, "there")
