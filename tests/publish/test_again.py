"""Again: rasters of the same things are linked as they were made, and whatever has happened to them hurts nobody."""

import json
import os
from pathlib import Path

import pytest

from pipeline.publish import again


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A night with a raster in two zones, made of `A`."""
    folder = tmp_path / "earlier"
    folder.mkdir()
    paths = [folder / "before.tif", folder / "before_32644.tif"]
    for path in paths:
        path.write_bytes(path.name.encode() * 100)
    (folder / "run.json").write_text(json.dumps({again.ENTRY: {"before": again.told("A", paths)}}))
    return folder


@pytest.fixture
def tonight(tmp_path: Path) -> Path:
    folder = tmp_path / "tonight"
    folder.mkdir()
    return folder


def test_take_made_of_the_same_all_zones_linked_and_told_alike(earlier: Path, tonight: Path) -> None:
    known = again.take("before", "A", earlier, tonight)
    assert known == again.told("A", sorted(tonight.iterdir()))
    assert sorted(path.name for path in tonight.iterdir()) == ["before.tif", "before_32644.tif"]
    assert all(os.path.samefile(path, earlier / path.name) for path in tonight.iterdir())


def test_take_made_of_something_else_nothing_taken(earlier: Path, tonight: Path) -> None:
    assert again.take("before", "B", earlier, tonight) is None
    assert again.take("after", "A", earlier, tonight) is None
    assert list(tonight.iterdir()) == []


def test_take_where_nothing_can_be_linked_copied(earlier: Path, tonight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")  # as file systems without links do

    monkeypatch.setattr(os, "link", refuse)
    assert again.take("before", "A", earlier, tonight) is not None
    assert (tonight / "before.tif").read_bytes() == (earlier / "before.tif").read_bytes()
    assert not os.path.samefile(tonight / "before.tif", earlier / "before.tif")


@pytest.mark.parametrize("name", ["before.tif", "before_32644.tif"])
@pytest.mark.parametrize("how", ["cut off", "changed", "gone", "a folder", "a link"])
def test_take_of_files_that_somebody_touched_nothing_taken(earlier: Path, tonight: Path, name: str, how: str) -> None:
    path = earlier / name
    content = path.read_bytes()
    path.unlink()
    if how == "cut off":
        path.write_bytes(content[:-1])
    elif how == "changed":
        path.write_bytes(b"x" + content[1:])
    elif how == "a folder":
        path.mkdir()
    elif how == "a link":
        (earlier / "kept").write_bytes(content)
        path.symlink_to("kept")
    assert again.take("before", "A", earlier, tonight) is None
    assert list(tonight.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"rasters": 3}', '{"rasters": {"before": 3}}', '{"rasters": {"before": {"files": 3}}}'],
)
def test_take_from_a_night_that_tells_nothing_nothing_taken(earlier: Path, tonight: Path, text: str) -> None:
    (earlier / "run.json").write_text(text)
    assert again.take("before", "A", earlier, tonight) is None


def test_take_from_a_night_that_is_gone_nothing_taken(tmp_path: Path, tonight: Path) -> None:
    assert again.take("before", "A", tmp_path / "nowhere", tonight) is None


def test_take_names_outside_the_folder_nothing_taken(earlier: Path, tonight: Path) -> None:
    secret = earlier.parent / "secret.tif"
    secret.write_bytes(b"elsewhere")
    entry = {"made_of": "A", "files": {"../secret.tif": again.told("A", [secret])["files"]["secret.tif"]}}
    (earlier / "run.json").write_text(json.dumps({again.ENTRY: {"before": entry}}))
    assert again.take("before", "A", earlier, tonight) is None
    assert list(tonight.iterdir()) == []
