import multiprocessing
import os
import tracemalloc
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.depot import Folder
from pipeline.errors import ConfigError, StateError
from pipeline.nightly import state
from pipeline.nightly.state import Manifest, Store


def night(day: int, **tiles: str) -> Manifest:
    return Manifest(as_of=date(2026, 5, day), granules=("44QKE",), ledger={"a": {"state": "used"}}, tiles=tiles)


def test_sweep_drops_arrays_of_older_nights_and_keeps_the_last_two(tmp_path: Path) -> None:
    store = Store(Folder(tmp_path))
    for name in ("t.1.arrays", "t.2.arrays", "t.3.arrays"):
        state.save_arrays(store.arrays, name, {"a": np.zeros(3)})
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


def test_refuse_lost_ledger_only_once_a_night_was_committed(tmp_path: Path) -> None:
    store = Store(Folder(tmp_path))
    state.save_arrays(store.arrays, "t.1.arrays", {"a": np.zeros(3)})  # as a first night that was killed leaves it
    store.refuse_lost_ledger("sqlite:///vanwatch.db")
    store.sweep(Manifest(), night(1, t="t.1.arrays"))
    with pytest.raises(ConfigError, match=r"sqlite:///vanwatch\.db: knows no night.*VANWATCH_DATABASE.*move"):
        store.refuse_lost_ledger("sqlite:///vanwatch.db")


def test_save_arrays_round_trips_exactly_with_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    arrays: dict[str, NDArray[Any]] = {
        "f": rng.random((3, 5, 7), np.float32),
        "i": np.arange(9, dtype=np.uint16),
        "n": np.full(2, np.nan),
    }
    state.save_arrays(Folder(tmp_path), "a.arrays", arrays)
    state.save_arrays(Folder(tmp_path), "b.arrays", arrays)
    assert (tmp_path / "a.arrays").read_bytes() == (tmp_path / "b.arrays").read_bytes()
    read = state.load_arrays(Folder(tmp_path), "a.arrays")
    assert all(np.array_equal(read[k], v, equal_nan=True) and read[k].dtype == v.dtype for k, v in arrays.items())


def test_load_arrays_truncated_file_names_it(tmp_path: Path) -> None:
    path = tmp_path / "a.arrays"
    state.save_arrays(Folder(tmp_path), "a.arrays", {"a": np.arange(1000)})
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(StateError, match=r"a\.arrays"):
        state.load_arrays(Folder(tmp_path), "a.arrays")


def test_load_arrays_missing_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"gone\.arrays"):
        state.load_arrays(Folder(tmp_path), "gone.arrays")


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
        "t_2026-03-01_ab.npz",
        "reference_44QKE_2026-03-01.arrays",
        "t_2026-03-31_ab.npz",
        ".t_2026-03-31.9.part",
    ):
        state.save_arrays(store.normals, name, {"a": np.zeros(3)})
    store.sweep(Manifest(), night(1))
    assert store.normals.names() == ("t_2026-03-31_ab.npz",)


def test_locked_folder_that_cannot_be_made_is_wrong_input(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(ConfigError, match=r"state: cannot be written"), state.locked(tmp_path / "state"):
        pass


def test_load_arrays_reads_what_earlier_versions_left(tmp_path: Path) -> None:
    kept = {"a": np.arange(24, dtype=np.int8).reshape(2, 3, 4), "b": np.zeros(0, np.uint16)}
    np.savez_compressed(tmp_path / "t.npz", **kept)
    read = state.load_arrays(Folder(tmp_path), "t.npz")
    assert read.keys() == kept.keys()
    assert all(np.array_equal(read[name], kept[name]) for name in kept)


def test_load_arrays_unpacks_nothing_by_blosc_from_a_file_that_may_come_from_anywhere(tmp_path: Path) -> None:
    arrays = {"a": np.arange(1000)}
    state.save_arrays(Folder(tmp_path), "pack.npz", arrays)
    with pytest.raises(StateError, match=r"pack\.npz: not readable"):
        state.load_arrays(Folder(tmp_path), "pack.npz", foreign_bytes=100_000)
    assert np.array_equal(state.load_arrays(Folder(tmp_path), "pack.npz")["a"], arrays["a"])


def test_load_arrays_of_other_hands_reads_no_more_than_allowed(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "pack.npz", a=np.zeros(1_000_000, np.uint8))
    assert (tmp_path / "pack.npz").stat().st_size < 2000
    line = r"pack\.npz: not readable \(its arrays would take 1000128 bytes, 999999 is the most\); restore"
    with pytest.raises(StateError, match=line):
        state.load_arrays(Folder(tmp_path), "pack.npz", foreign_bytes=999_999)
    assert state.load_arrays(Folder(tmp_path), "pack.npz", foreign_bytes=1_000_128)["a"].shape == (1_000_000,)


@pytest.mark.parametrize("how", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_load_arrays_that_tell_less_than_they_hold_are_not_unpacked(tmp_path: Path, how: int) -> None:
    path, told, size = tmp_path / "pack.npz", 1000, 64_000_000
    with zipfile.ZipFile(path, "w", how) as archive:
        archive.writestr("a.npy", bytes(size), how)
    content = bytearray(path.read_bytes())
    entry = content.rfind(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = told.to_bytes(4, "little")
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(StateError, match=r"pack\.npz: not readable"):
        state.load_arrays(Folder(tmp_path), "pack.npz", foreign_bytes=5000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 16


@pytest.mark.parametrize("shape", [(10**15,), (3,), (-1, -8), (-8,), (9, 0)])
def test_load_arrays_whose_header_says_other_than_it_holds_is_one_line(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with zipfile.ZipFile(tmp_path / "pack.npz", "w") as archive, archive.open("a.npy", "w") as member:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
        member.write(bytes(8))
    for most in (None, 10_000):
        with pytest.raises(StateError, match=r"pack\.npz: not readable"):
            state.load_arrays(Folder(tmp_path), "pack.npz", foreign_bytes=most)
