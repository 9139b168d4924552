import multiprocessing
import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from pipeline import packed
from pipeline.depot import Folder
from pipeline.errors import ConfigError
from pipeline.nightly import state
from pipeline.nightly.state import Manifest, Store


def night(day: int, **tiles: str) -> Manifest:
    return Manifest(as_of=date(2026, 5, day), granules=("44QKE",), ledger={"a": {"state": "used"}}, tiles=tiles)


def test_sweep_drops_arrays_of_older_nights_and_keeps_the_last_two(tmp_path: Path) -> None:
    store = Store(Folder(tmp_path))
    for name in ("t.1.arrays", "t.2.arrays", "t.3.arrays"):
        packed.save(store.arrays, name, {"a": np.zeros(3)})
    store.sweep(night(2, t="t.2.arrays"), night(3, t="t.3.arrays"))
    assert store.arrays.names() == ("t.2.arrays", "t.3.arrays")


def test_arrays_name_of_every_attempt_is_another() -> None:
    names = {state.arrays_name("t", date(2026, 5, day), attempt) for day in (1, 2) for attempt in (1, 2, 12)}
    assert len(names) == 6


def test_refuse_earlier_form_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    Store(Folder(tmp_path)).refuse_earlier_form()
    (tmp_path / "night.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"night\.json: is the state of a version.*--as-of"):
        Store(Folder(tmp_path)).refuse_earlier_form()


def test_refuse_others_ledger_only_where_nothing_was_left(tmp_path: Path) -> None:
    store = Store(Folder(tmp_path))
    with pytest.raises(ConfigError, match=r"postgresql://x/y: knows nights whose arrays do not lie in"):
        store.refuse_others_ledger("postgresql://x/y")
    packed.save(store.arrays, "t.1.arrays", {"a": np.zeros(3)})  # killed after the commit, before the sweep
    store.refuse_others_ledger("postgresql://x/y")


def test_refuse_lost_ledger_only_once_a_night_was_committed(tmp_path: Path) -> None:
    store = Store(Folder(tmp_path))
    packed.save(store.arrays, "t.1.arrays", {"a": np.zeros(3)})  # as a first night that was killed leaves it
    store.refuse_lost_ledger("sqlite:///vanwatch.db")
    store.sweep(Manifest(), night(1, t="t.1.arrays"))
    with pytest.raises(ConfigError, match=r"sqlite:///vanwatch\.db: knows no night.*VANWATCH_DATABASE.*move"):
        store.refuse_lost_ledger("sqlite:///vanwatch.db")


def _hold(folder: Path, ready: "multiprocessing.synchronize.Event", done: "multiprocessing.synchronize.Event") -> None:
    with state.locked(folder):
        ready.set()
        done.wait(60)


def test_locked_home_refuses_a_second_run_and_frees_when_the_first_is_killed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, ready, done))
    other.start()
    assert ready.wait(60)
    with (
        pytest.raises(ConfigError, match=rf"another run \(process {other.pid} on .* is at work"),
        state.locked(tmp_path),
    ):
        pass
    other.kill()
    other.join()
    with state.locked(tmp_path):
        assert str(other.pid) not in (tmp_path / "lock").read_text()


def test_locked_run_that_fails_leaves_an_empty_lock_and_the_next_one_runs(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), state.locked(tmp_path):
        raise ZeroDivisionError
    assert (tmp_path / "lock").read_text() == ""
    with state.locked(tmp_path):
        assert str(os.getpid()) in (tmp_path / "lock").read_text()


def test_sweep_drops_normals_of_earlier_periods_and_what_a_killed_run_left(tmp_path: Path) -> None:
    store = Store(Folder(tmp_path))
    for name in (
        "t_2026-03-01_ab.arrays",
        "reference_44QKE_2026-03-01.arrays",
        "t_2026-03-31_ab.arrays",
        ".t_2026-03-31.9.part",
    ):
        packed.save(store.normals, name, {"a": np.zeros(3)})
    store.sweep(Manifest(), night(1))
    assert store.normals.names() == ("t_2026-03-31_ab.arrays",)


def test_locked_folder_that_cannot_be_made_is_wrong_input(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(ConfigError, match=r"state: cannot be written"), state.locked(tmp_path / "state"):
        pass
