from datetime import date
from pathlib import Path

import numpy as np
import pytest

from pipeline import grid, schema
from pipeline.depot import Folder
from pipeline.errors import StateError
from pipeline.normal import keep
from pipeline.schema import Normal

GRANULE = grid.granule("01KAB")
WINDOW = grid.Window(-16, 2032, 30, 20)
KEY = f"01KAB_r00000_c02048_{date(2024, 6, 1)}"


def normal(seed: int = 0) -> Normal:
    rng = np.random.default_rng(seed)
    median, spread = rng.random((2, 6, *WINDOW.shape), dtype=np.float32)
    median[:, :3] = np.nan
    count = rng.integers(0, 12, WINDOW.shape, dtype=np.uint8)
    pixels = schema.normal_pixels(median, spread, count, GRANULE, WINDOW, season=count // 2, barest=median[0])
    return Normal(WINDOW, pixels, ("S2A_one", "S2B_two"), "season")


def test_save_load_any_normal_comes_back_exactly(tmp_path: Path) -> None:
    saved = normal()
    keep.save(Folder(tmp_path / "new"), KEY, saved)
    loaded = keep.load(Folder(tmp_path / "new"), KEY)
    assert loaded is not None
    assert (loaded.window, loaded.scene_ids, loaded.caution) == (saved.window, saved.scene_ids, saved.caution)
    assert loaded.pixels.identical(saved.pixels)
    for name in ("median", "spread", "barest", "count", "season", "x", "y"):
        assert loaded.pixels[name].values.tobytes() == saved.pixels[name].values.tobytes()
        assert loaded.pixels[name].dtype == saved.pixels[name].dtype


def test_save_same_normal_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        keep.save(Folder(tmp_path / name), KEY, normal())
    first, second = sorted(tmp_path.rglob("*.arrays"))
    assert first.read_bytes() == second.read_bytes()


def test_save_again_replaces_and_leaves_nothing_aside(tmp_path: Path) -> None:
    keep.save(Folder(tmp_path), KEY, normal(0))
    keep.save(Folder(tmp_path), KEY, normal(1))
    assert [path.name for path in tmp_path.iterdir()] == [f"{KEY}.arrays"]
    loaded = keep.load(Folder(tmp_path), KEY)
    assert loaded is not None
    assert loaded.pixels.identical(normal(1).pixels)


def test_load_nothing_kept_none(tmp_path: Path) -> None:
    assert keep.load(Folder(tmp_path / "absent"), KEY) is None
    assert not keep.all_kept(Folder(tmp_path), [KEY])


def test_exists_saved_true(tmp_path: Path) -> None:
    keep.save(Folder(tmp_path), KEY, normal())
    assert keep.all_kept(Folder(tmp_path), [KEY])


@pytest.mark.parametrize("place", [0.01, 0.3, 0.6, 0.9])
def test_load_one_byte_changed_names_file_and_remedy(tmp_path: Path, place: float) -> None:
    keep.save(Folder(tmp_path), KEY, normal())
    path = tmp_path / f"{KEY}.arrays"
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 0x40
    path.write_bytes(content)
    with pytest.raises(StateError, match=rf"{KEY}\.arrays: not readable .*; delete it; it is rebuilt"):
        keep.load(Folder(tmp_path), KEY)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"nonsense", b"\x93NUMPY\x01\x00"])
def test_load_not_an_archive_state_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / f"{KEY}.arrays").write_bytes(content)
    with pytest.raises(StateError, match="it is rebuilt"):
        keep.load(Folder(tmp_path), KEY)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_load_cut_off_state_error(tmp_path: Path, share: float) -> None:
    keep.save(Folder(tmp_path), KEY, normal())
    path = tmp_path / f"{KEY}.arrays"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(StateError, match="it is rebuilt"):
        keep.load(Folder(tmp_path), KEY)


@pytest.mark.parametrize("key", ["", "../up", "a/b", ".hidden", "a b"])
def test_save_key_that_is_no_file_name_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="cannot name a file"):
        keep.save(Folder(tmp_path), key, normal())
