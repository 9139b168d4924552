import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline import packed
from pipeline.depot import Folder
from pipeline.errors import StateError


def test_save_round_trips_exactly_with_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    arrays: dict[str, NDArray[Any]] = {
        "f": rng.random((3, 5, 7), np.float32),
        "i": np.arange(9, dtype=np.uint16),
        "n": np.full(2, np.nan),
    }
    packed.save(Folder(tmp_path), "a.arrays", arrays)
    packed.save(Folder(tmp_path), "b.arrays", arrays)
    assert (tmp_path / "a.arrays").read_bytes() == (tmp_path / "b.arrays").read_bytes()
    read = packed.load(Folder(tmp_path), "a.arrays")
    assert all(np.array_equal(read[k], v, equal_nan=True) and read[k].dtype == v.dtype for k, v in arrays.items())


def test_load_truncated_file_names_it(tmp_path: Path) -> None:
    path = tmp_path / "a.arrays"
    packed.save(Folder(tmp_path), "a.arrays", {"a": np.arange(1000)})
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(StateError, match=r"a\.arrays"):
        packed.load(Folder(tmp_path), "a.arrays")


def test_load_missing_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"gone\.arrays"):
        packed.load(Folder(tmp_path), "gone.arrays")


def test_load_reads_what_earlier_versions_left(tmp_path: Path) -> None:
    kept = {"a": np.arange(24, dtype=np.int8).reshape(2, 3, 4), "b": np.zeros(0, np.uint16)}
    np.savez_compressed(tmp_path / "t.npz", **kept)
    read = packed.load(Folder(tmp_path), "t.npz")
    assert read.keys() == kept.keys()
    assert all(np.array_equal(read[name], kept[name]) for name in kept)


def test_load_unpacks_nothing_by_blosc_from_a_file_that_may_come_from_anywhere(tmp_path: Path) -> None:
    arrays = {"a": np.arange(1000)}
    packed.save(Folder(tmp_path), "pack.npz", arrays)
    with pytest.raises(StateError, match=r"pack\.npz: not readable"):
        packed.load(Folder(tmp_path), "pack.npz", foreign_bytes=100_000)
    assert np.array_equal(packed.load(Folder(tmp_path), "pack.npz")["a"], arrays["a"])


def test_load_of_other_hands_reads_no_more_than_allowed(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "pack.npz", a=np.zeros(1_000_000, np.uint8))
    assert (tmp_path / "pack.npz").stat().st_size < 2000
    line = r"pack\.npz: not readable \(its arrays would take 1000128 bytes, 999999 is the most\); restore"
    with pytest.raises(StateError, match=line):
        packed.load(Folder(tmp_path), "pack.npz", foreign_bytes=999_999)
    assert packed.load(Folder(tmp_path), "pack.npz", foreign_bytes=1_000_128)["a"].shape == (1_000_000,)


@pytest.mark.parametrize("how", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_load_that_tell_less_than_they_hold_are_not_unpacked(tmp_path: Path, how: int) -> None:
    path, told, size = tmp_path / "pack.npz", 1000, 64_000_000
    with zipfile.ZipFile(path, "w", how) as archive:
        archive.writestr("a.npy", bytes(size), how)
    content = bytearray(path.read_bytes())
    entry = content.rfind(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = told.to_bytes(4, "little")
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(StateError, match=r"pack\.npz: not readable"):
        packed.load(Folder(tmp_path), "pack.npz", foreign_bytes=5000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 16


@pytest.mark.parametrize("shape", [(10**15,), (3,), (-1, -8), (-8,), (9, 0)])
def test_load_whose_header_says_other_than_it_holds_is_one_line(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with zipfile.ZipFile(tmp_path / "pack.npz", "w") as archive, archive.open("a.npy", "w") as member:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
        member.write(bytes(8))
    for most in (None, 10_000):
        with pytest.raises(StateError, match=r"pack\.npz: not readable"):
            packed.load(Folder(tmp_path), "pack.npz", foreign_bytes=most)
