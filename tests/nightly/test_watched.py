import json
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.nightly import watched

CONFIGS = Path(__file__).parents[2] / "configs"
SQUARE = [[79.1, 20.5], [79.2, 20.5], [79.2, 20.6], [79.1, 20.6], [79.1, 20.5]]


def aoi(path: Path, name: str, *, enabled: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    properties = {"id": name, "name": name, "profile": "forest", "enabled": enabled}
    geometry = {"type": "Polygon", "coordinates": [SQUARE]}
    path.write_text(json.dumps({"type": "Feature", "properties": properties, "geometry": geometry}))
    return path


def names(folder: Path, *asked: str) -> list[str]:
    return [item.id for item in watched.aois(folder, CONFIGS, asked)]


def test_aois_none_named_are_all_that_are_enabled(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        aoi(tmp_path / f"{name}.geojson", name, enabled=name != "three")
    assert names(tmp_path) == ["one", "two"]
    assert names(tmp_path, "three") == ["three"]


def test_aois_none_enabled_says_what_to_do(tmp_path: Path) -> None:
    aoi(tmp_path / "a.geojson", "one", enabled=False)
    with pytest.raises(ConfigError, match=r"no AOI is enabled; set properties\.enabled to true"):
        names(tmp_path)


def test_aois_named_twice_by_id_or_by_id_and_file_run_once(tmp_path: Path) -> None:
    file = aoi(tmp_path / "a.geojson", "one")
    assert names(tmp_path, "one", "one") == ["one"]
    assert names(tmp_path, "one", str(file), str(tmp_path / ".." / tmp_path.name / "a.geojson")) == ["one"]


def test_aois_two_files_of_one_id_are_refused(tmp_path: Path) -> None:
    here, there = aoi(tmp_path / "aoi" / "a.geojson", "one"), aoi(tmp_path / "drawn.geojson", "one")
    with pytest.raises(ConfigError, match=rf"--aoi: {there} and {here} are both 'one'; name one, or change an id"):
        names(here.parent, "one", str(there))


@pytest.mark.parametrize("text", ["<html></html>", "", '{"type": "Catalog"}'])
def test_catalogs_file_without_items_is_wrong_input(tmp_path: Path, text: str) -> None:
    (area,) = watched.aois(aoi(tmp_path / "aoi" / "a.geojson", "one").parent, CONFIGS, ())
    path = tmp_path / "items.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"--catalog: catalogue .*items\.json"):
        watched.catalogs(CONFIGS, area, str(path))
    path.write_text('{"type": "FeatureCollection", "features": []}')
    assert [name for name, _ in watched.catalogs(CONFIGS, area, str(path))] == [str(path)]
