import errno
import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.learn import settings, store


def _stored(rules: settings.Settings, folder: Path, report: store.Report = lambda _line: None) -> store.Stored:
    return store.stored_chips(folder, "train", settings=rules, places=(), report=report)


def test_stored_chips_any_number_of_workers_gives_the_same_chips(tiny: Path, tmp_path: Path) -> None:
    rules = settings.read_settings(tiny)
    two = rules.model_copy(update={"data": rules.data.model_copy(update={"workers": 2})})
    one, other = _stored(rules, tmp_path / "one"), _stored(two, tmp_path / "two")
    np.testing.assert_array_equal(one.pairs, other.pairs)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert set(one.sources) == {b"simulated"}


def test_stored_chips_stopped_goes_on_and_ends_the_same(tiny: Path, tmp_path: Path) -> None:
    rules = settings.read_settings(tiny)

    def stop(line: str) -> None:
        if ": 3 of" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _stored(rules, tmp_path / "run", stop)
    lines: list[str] = []
    resumed = _stored(rules, tmp_path / "run", lines.append)
    assert lines[0] == "train chips: 4 of 8"
    np.testing.assert_array_equal(resumed.pairs, _stored(rules, tmp_path / "whole").pairs)


def test_stored_chips_other_settings_do_not_reuse_them(tiny: Path, tmp_path: Path) -> None:
    first = _stored(settings.read_settings(tiny), tmp_path)
    tiny.write_text(tiny.read_text().replace("workers = 0", "workers = 0\nseed = 5"))
    second = _stored(settings.read_settings(tiny), tmp_path)
    assert not np.array_equal(first.pairs, second.pairs, equal_nan=True)


def test_stored_chips_without_room_for_all_are_an_error_and_leave_no_half_file(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int, _start: int, _size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        _stored(settings.read_settings(tiny), tmp_path / "run")
    assert [path for path in (tmp_path / "run").rglob("*") if path.is_file()] == []
