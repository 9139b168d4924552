import json
from pathlib import Path

import pytest

from pipeline.catalog import files
from pipeline.config import Catalog
from pipeline.errors import CatalogError, WriteError

ITEM = {
    "type": "Feature",
    "id": "one",
    "collection": "c",
    "assets": {"blue": {"href": "./one/blue.tif", "alternate": {"s3": {"href": "s3://bucket/blue.tif"}}}},
}


def write(path: Path, document: object) -> Catalog:
    path.write_text(json.dumps(document))
    return Catalog(url=str(path))


def test_read_relative_hrefs_become_absolute_and_survive_saving_elsewhere(tmp_path: Path) -> None:
    catalog = write(tmp_path / "items.json", {"type": "FeatureCollection", "features": [ITEM]})
    items = files.read(catalog, name="x")
    assert items[0]["assets"]["blue"] == {
        "href": str(tmp_path / "one" / "blue.tif"),
        "alternate": {"s3": {"href": "s3://bucket/blue.tif"}},
    }
    target = tmp_path / "deep" / "er" / "saved.json"
    files.save(items, target)
    assert files.read(Catalog(url=str(target)), name="x") == items
    assert [path.name for path in target.parent.iterdir()] == ["saved.json"]


def test_read_path_relative_to_the_current_folder_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "items.json", ITEM)
    monkeypatch.chdir(tmp_path)
    (item,) = files.read(Catalog(url="items.json"), name="x")
    assert item["assets"]["blue"]["href"] == str(tmp_path / "one" / "blue.tif")


def test_read_with_collections_leaves_others_out(tmp_path: Path) -> None:
    catalog = write(tmp_path / "items.json", ITEM)
    assert len(files.read(catalog.model_copy(update={"collections": ("c",)}), name="x")) == 1
    assert files.read(catalog.model_copy(update={"collections": ("d",)}), name="x") == []


@pytest.mark.parametrize("document", [[], 7, {"type": "Catalog"}, {"type": "FeatureCollection", "features": [1]}])
def test_read_of_something_else_is_an_error_that_names_the_file(tmp_path: Path, document: object) -> None:
    with pytest.raises(CatalogError, match=r"catalogue x: .*items\.json: holds no STAC items"):
        files.read(write(tmp_path / "items.json", document), name="x")


def test_read_of_broken_or_missing_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    with pytest.raises(CatalogError, match="not readable"):
        files.read(Catalog(url=str(path)), name="x")
    path.write_text('{"type": "Feat')
    with pytest.raises(CatalogError, match="not readable"):
        files.read(Catalog(url=str(path)), name="x")


def test_read_of_items_with_broken_assets_leaves_them_to_the_parser(tmp_path: Path) -> None:
    items = [{"id": "a", "assets": 7}, {"id": "b", "assets": {"blue": 7, "red": {}}}]
    catalog = write(tmp_path / "items.json", {"type": "FeatureCollection", "features": items})
    assert files.read(catalog, name="x") == items


def test_save_that_cannot_write_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file, not a folder")
    with pytest.raises(WriteError, match="cannot be written"):
        files.save([], tmp_path / "blocked" / "items.json")
