import json
import os
from pathlib import Path

import pytest

from pipeline import watch
from pipeline.errors import ConfigError


def drawn(tmp_path: Path, name: str = "drawn") -> Path:
    ring = [[80.0, 19.9], [80.1, 19.9], [80.1, 20.0], [80.0, 20.0], [80.0, 19.9]]
    properties = {"id": name, "name": "Drawn in QGIS", "profile": "forest"}
    geometry = {"type": "Polygon", "coordinates": [ring]}
    path = tmp_path / "from-qgis.geojson"
    path.write_text(json.dumps({"type": "Feature", "properties": properties, "geometry": geometry}))
    return path


def test_listing_shipped_areas_facts_and_table(home: Path) -> None:
    rows = {row.id: row for row in watch.listing(home)}
    assert rows["sundargarh-forest"].granules == ("44QQK", "44QRK", "45QSE", "45QTE")
    assert (rows["taveuni-island"].granules, rows["taveuni-island"].enabled) == (("01KAB", "60KZG"), False)
    assert rows["gadchiroli-forest"].overrides
    assert not rows["sundargarh-forest"].overrides
    assert all(50 < row.area_km2 < 3000 for row in rows.values())
    lines = watch.table(tuple(rows.values())).splitlines()
    assert lines[0].split() == ["ID", "KM2", "TILES", "PROFILE", "USE", "WATCHED", "NAME"]
    assert len(lines) == len(rows) + 2
    assert "forest*" in lines[2]


def test_find_id_or_path_same_area(home: Path) -> None:
    path = home / "aoi" / "kodagu-ghats.geojson"
    assert watch.find(home, "kodagu-ghats") == watch.find(home, str(path))


def test_find_unknown_id_suggests_the_nearest(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"no AOI 'kodagu-gats'; did you mean 'kodagu-ghats'"):
        watch.find(home, "kodagu-gats")
    with pytest.raises(ConfigError, match=r"no AOI 'zzz'; there are: champhai-border, "):
        watch.find(home, "zzz")


def test_add_good_file_copied_under_its_id(home: Path, tmp_path: Path) -> None:
    said = watch.describe_added(watch.add(drawn(tmp_path), home))
    assert (home / "aoi" / "drawn.geojson").read_bytes() == drawn(tmp_path).read_bytes()
    assert "next: vanwatch aoi preview drawn" in said
    assert "drawn" in {row.id for row in watch.listing(home)}


def test_add_first_area_of_a_new_home(home: Path, tmp_path: Path) -> None:
    for path in (home / "aoi").iterdir():
        path.unlink()
    (home / "aoi").rmdir()
    watch.add(drawn(tmp_path), home)
    assert [row.id for row in watch.listing(home)] == ["drawn"]


def test_add_from_a_pipe_that_can_be_read_only_once(home: Path, tmp_path: Path) -> None:
    content = drawn(tmp_path).read_bytes()
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    try:
        watch.add(Path(f"/dev/fd/{reading}"), home)
    finally:
        os.close(reading)
    assert (home / "aoi" / "drawn.geojson").read_bytes() == content


def test_add_id_that_is_taken_changes_nothing(home: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in (home / "aoi").iterdir()}
    with pytest.raises(ConfigError, match=r"'kodagu-ghats' is taken by .*kodagu-ghats\.geojson; choose another"):
        watch.add(drawn(tmp_path, "kodagu-ghats"), home)
    assert {path.name: path.read_bytes() for path in (home / "aoi").iterdir()} == before


def test_add_wrong_file_changes_nothing(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="use 2 to 63 lower-case letters"):
        watch.add(drawn(tmp_path, "Not An Id"), home)
    assert len(list((home / "aoi").iterdir())) == 5
