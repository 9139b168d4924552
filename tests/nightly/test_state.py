import json
import multiprocessing
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigError, StateError
from pipeline.nightly import state
from pipeline.nightly.state import Manifest, Store


def night(day: int, **tiles: str) -> Manifest:
    return Manifest(as_of=date(2026, 5, day), granules=("44QKE",), ledger={"a": {"state": "used"}}, tiles=tiles)


def test_load_before_the_first_night_is_empty(tmp_path: Path) -> None:
    assert Store(tmp_path).load(date(2026, 5, 1)) == Manifest()


def test_load_after_commit_gives_the_manifest_back(tmp_path: Path) -> None:
    store, done = Store(tmp_path), night(1, t="t.1.npz")
    store.commit(Manifest(), done)
    assert store.load(date(2026, 5, 2)) == done


def test_load_of_the_same_night_starts_from_the_one_before(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.commit(Manifest(), night(1))
    store.commit(night(1), night(2))
    assert store.load(date(2026, 5, 2)) == night(1)


def test_load_of_an_earlier_night_is_refused_with_the_remedy(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.commit(Manifest(), night(2))
    with pytest.raises(ConfigError, match=r"last night is 2026-05-02.*vanwatch replay"):
        store.load(date(2026, 5, 1))


def test_commit_drops_arrays_of_older_nights_and_keeps_the_last_two(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("t.1.npz", "t.2.npz", "t.3.npz"):
        state.save_arrays(store.arrays / name, {"a": np.zeros(3)})
    store.commit(night(2, t="t.2.npz"), night(3, t="t.3.npz"))
    assert sorted(path.name for path in store.arrays.iterdir()) == ["t.2.npz", "t.3.npz"]


@pytest.mark.parametrize("damage", ["{", '{"format": 1}', '{"format": 99}', "[]"])
def test_load_of_a_broken_manifest_names_file_and_remedy(tmp_path: Path, damage: str) -> None:
    (tmp_path / "night.json").write_text(damage)
    with pytest.raises(StateError, match=r"night\.json.*replay"):
        Store(tmp_path).last()


def test_save_arrays_round_trips_exactly_with_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    arrays = {"f": rng.random((3, 5, 7), np.float32), "i": np.arange(9, dtype=np.uint16), "n": np.full(2, np.nan)}
    state.save_arrays(tmp_path / "a.npz", arrays)
    state.save_arrays(tmp_path / "b.npz", arrays)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    read = state.load_arrays(tmp_path / "a.npz")
    assert all(np.array_equal(read[k], v, equal_nan=True) and read[k].dtype == v.dtype for k, v in arrays.items())


def test_load_arrays_truncated_file_names_it(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    state.save_arrays(path, {"a": np.arange(1000)})
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(StateError, match=r"a\.npz"):
        state.load_arrays(path)


def test_load_arrays_missing_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"gone\.npz"):
        state.load_arrays(tmp_path / "gone.npz")


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
    with pytest.raises(ConfigError, match="another run"), state.locked(tmp_path):
        pass
    other.kill()
    other.join()
    with state.locked(tmp_path):
        pass


def test_manifest_file_is_plain_json_that_people_can_read(tmp_path: Path) -> None:
    Store(tmp_path).commit(Manifest(), night(1))
    assert json.loads((tmp_path / "night.json").read_text())["as_of"] == "2026-05-01"


def test_load_of_the_same_night_without_the_one_before_never_starts_from_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.commit(night(1), night(2))
    (tmp_path / "before.json").unlink()
    with pytest.raises(StateError, match=r"before\.json: is missing.*run a later night"):
        store.load(date(2026, 5, 2))


@pytest.mark.parametrize(("key", "value"), [("granules", ["99ZZZ"]), ("ledger", {"a": 3}), ("ledger", [1])])
def test_load_of_a_manifest_with_nonsense_inside_names_the_file(tmp_path: Path, key: str, value: object) -> None:
    Store(tmp_path).commit(Manifest(), night(1))
    path = tmp_path / "night.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(StateError, match=r"night\.json: not readable"):
        Store(tmp_path).last()


def test_commit_drops_normals_of_earlier_periods_and_what_a_killed_run_left(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in (
        "t_2026-03-01_ab.npz",
        "reference_44QKE_2026-03-01.npz",
        "t_2026-03-31_ab.npz",
        ".t_2026-03-31.9.part",
    ):
        state.save_arrays(store.normals / name, {"a": np.zeros(3)})
    store.commit(Manifest(), night(1))
    assert [path.name for path in store.normals.iterdir()] == ["t_2026-03-31_ab.npz"]


def test_locked_folder_that_cannot_be_made_is_wrong_input(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(ConfigError, match=r"state: cannot be written"), state.locked(tmp_path / "state"):
        pass
