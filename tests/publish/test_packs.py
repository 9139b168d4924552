"""Evidence packs: what is written comes back without loss, and nothing can be changed unnoticed."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from pipeline.errors import StateError, WriteError
from pipeline.publish import packs

PLACE = packs.Grid(32643, Affine(10, 0, 300_000, 0, -10, 4_000_000))


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "VW-AAAAAAAA"
    packs.write_values(folder / "facts.json", {"b": 1, "a": "é"})
    packs.write_raster(folder / "43RGM" / "mask_1.tif", np.zeros((1, 4, 6), np.uint8), ("reason",), PLACE)
    packs.seal(folder)
    return folder


def test_raster_float_comes_back_to_the_last_bit_nan_included(tmp_path: Path) -> None:
    values = np.random.default_rng(3).random((2, 7, 5), np.float32)
    values[0, 2, 3] = np.nan
    packs.write_raster(tmp_path / "a" / "x.tif", values, ("one", "two"), PLACE)
    packs.write_raster(tmp_path / "b" / "x.tif", values, ("one", "two"), PLACE)
    assert packs.read_raster(tmp_path / "a" / "x.tif", (2, 7, 5)).tobytes() == values.tobytes()
    assert (tmp_path / "a" / "x.tif").read_bytes() == (tmp_path / "b" / "x.tif").read_bytes()


def test_raster_of_another_shape_than_asked_is_one_line_and_not_read(tmp_path: Path) -> None:
    huge = {"count": 1, "height": 400_000, "width": 400_000, "dtype": "float32", "transform": PLACE.transform}
    sparse = {"tiled": True, "blockxsize": 4096, "blockysize": 4096, "bigtiff": "YES", "sparse_ok": True}
    with rasterio.open(tmp_path / "x.tif", "w", driver="GTiff", **huge, **sparse):
        pass
    with pytest.raises(StateError, match=r"x\.tif: is \(1, 400000, 400000\) large instead of \(6, 4, 6\); restore"):
        packs.read_raster(tmp_path / "x.tif", (6, 4, 6))


def test_raster_where_nothing_can_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.tif").mkdir()
    with pytest.raises(WriteError, match=r"x\.tif: cannot be written"):
        packs.write_raster(tmp_path / "x.tif", np.zeros((1, 2, 2), np.uint8), ("reason",), PLACE)


def test_seal_names_every_file_and_gives_the_same_bytes_again(pack: Path) -> None:
    first = (pack / packs.MANIFEST).read_bytes()
    assert sorted(json.loads(first)["files"]) == ["43RGM/mask_1.tif", "facts.json"]
    assert packs.count(pack) == 2
    assert packs.seal(pack) == packs.sha256(pack / packs.MANIFEST)
    assert (pack / packs.MANIFEST).read_bytes() == first
    assert packs.differences(pack) == ()


@pytest.mark.parametrize("name", ["facts.json", "43RGM/mask_1.tif"])
def test_differences_one_flipped_bit_is_told(pack: Path, name: str) -> None:
    content = bytearray((pack / name).read_bytes())
    content[len(content) // 2] ^= 1
    (pack / name).write_bytes(content)
    (line,) = packs.differences(pack)
    assert line.startswith(f"{name}: sha256 is ")


def test_differences_lost_and_added_files_are_told(pack: Path) -> None:
    (pack / "facts.json").unlink()
    (pack / "43RGM" / "more.txt").touch()
    assert packs.differences(pack) == ("facts.json: is missing", "43RGM/more.txt: is not in the manifest")


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', '{"format": 9, "files": {}}', '{"format": 1, "files": 3}'])
def test_differences_broken_manifest_is_one_line_with_its_path(pack: Path, text: str) -> None:
    (pack / packs.MANIFEST).write_text(text)
    with pytest.raises(StateError, match=r"manifest\.json: ") as told:
        packs.differences(pack)
    assert "\n" not in str(told.value)


def test_read_of_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"gone\.tif: not readable"):
        packs.read_raster(tmp_path / "gone.tif", (1, 1, 1))
    with pytest.raises(StateError, match=r"gone\.json: not readable"):
        packs.read_values(tmp_path / "gone.json")
