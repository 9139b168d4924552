import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import mapping

from pipeline import aoi
from pipeline.errors import ConfigError

REPO = Path(__file__).parents[1]
CONFIGS = REPO / "configs"
SQUARE = [[80.0, 19.9], [80.1, 19.9], [80.1, 20.0], [80.0, 20.0], [80.0, 19.9]]


def feature(geometry: Any = None, **properties: Any) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [SQUARE]} if geometry is None else geometry
    return {
        "type": "Feature",
        "properties": {"id": "place", "name": "Place", "profile": "forest"} | properties,
        "geometry": geometry,
    }


def written(tmp_path: Path, document: Any, name: str = "place.geojson") -> Path:
    path = tmp_path / name
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def test_load_all_shipped_aois_load() -> None:
    found = aoi.load_all(REPO / "aoi", CONFIGS)
    assert len(found) >= 4
    assert all(item.id == item.path.stem for item in found)
    assert any(item.enabled for item in found)


def test_load_feature_or_collection_same(tmp_path: Path) -> None:
    alone = aoi.load(written(tmp_path, feature()), CONFIGS)
    held = aoi.load(written(tmp_path, {"type": "FeatureCollection", "features": [feature()]}), CONFIGS)
    assert alone == held
    assert (alone.id, alone.name, alone.enabled, alone.profile_name) == ("place", "Place", True, "forest")


def test_load_overrides_laid_over_the_profile(tmp_path: Path) -> None:
    path = written(tmp_path, feature(overrides={"normal": {"gap_days": 60}}, enabled=False))
    loaded = aoi.load(path, CONFIGS)
    assert loaded.profile.normal.gap_days == 60
    assert not loaded.enabled


def test_load_all_a_pipe_that_nobody_writes_to_is_told_and_not_waited_for(tmp_path: Path) -> None:
    written(tmp_path, feature())
    os.mkfifo(tmp_path / "pipe.geojson")
    with pytest.raises(ConfigError, match=r"pipe\.geojson: is empty; save it again as GeoJSON"):
        aoi.load_all(tmp_path, CONFIGS)


def test_load_all_a_socket_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s.geojson"))
        with pytest.raises(ConfigError, match=r"s\.geojson: not readable as GeoJSON: .*; save it again"):
            aoi.load_all(tmp_path, CONFIGS)


def test_load_height_values_dropped(tmp_path: Path) -> None:
    raised = [[[x, y, 250.0] for x, y in SQUARE]]
    loaded = aoi.load(written(tmp_path, feature({"type": "Polygon", "coordinates": raised})), CONFIGS)
    assert not loaded.geometry.has_z


def test_load_file_that_begins_with_a_byte_order_mark_read(tmp_path: Path) -> None:
    path = tmp_path / "place.geojson"
    path.write_text(json.dumps(feature()), encoding="utf-8-sig")
    assert aoi.load(path, CONFIGS).id == "place"


def test_load_columns_left_empty_in_qgis_count_as_left_out(tmp_path: Path) -> None:
    plain = aoi.load(written(tmp_path, feature()), CONFIGS)
    assert aoi.load(written(tmp_path, feature(note=None, enabled=None, overrides=None)), CONFIGS) == plain


def test_load_number_of_the_row_that_qgis_writes_beside_the_columns_passed_over(tmp_path: Path) -> None:
    plain = aoi.load(written(tmp_path, feature()), CONFIGS)
    assert aoi.load(written(tmp_path, feature(fid=1)), CONFIGS) == plain


def test_load_all_file_whose_name_would_pass_it_over_is_a_mistake(tmp_path: Path) -> None:
    written(tmp_path, feature())
    written(tmp_path, feature(id="other"), "other.json")
    written(tmp_path, feature(id="third"), "third.GeoJSON")
    with pytest.raises(ConfigError) as caught:
        aoi.load_all(tmp_path, CONFIGS)
    assert str(caught.value).splitlines() == [
        f"{tmp_path}/other.json: would not be watched; rename it to other.geojson, or move it away",
        f"{tmp_path}/third.GeoJSON: would not be watched; rename it to third.geojson, or move it away",
    ]


def test_load_all_hidden_files_of_other_systems_are_no_areas(tmp_path: Path) -> None:
    written(tmp_path, feature())
    (tmp_path / "._place.geojson").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    assert [item.id for item in aoi.load_all(tmp_path, CONFIGS)] == ["place"]


def test_load_all_no_folder_points_to_the_home(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone: no such folder; check --home"):
        aoi.load_all(tmp_path / "gone", CONFIGS)


def test_area_km2_one_degree_square_at_the_equator() -> None:
    # 110.574 km of meridian by 111.320 km of equator, a little less at the square's far side
    assert aoi.area_km2(shapely.box(0, 0, 1, 1)) == pytest.approx(110.574 * 111.320, rel=1e-3)


def test_area_km2_ring_direction_and_holes_counted_right() -> None:
    outer, hole = shapely.box(80, 19, 81, 20), shapely.box(80.2, 19.2, 80.4, 19.4)
    with_hole = shapely.Polygon(outer.exterior.coords, [hole.exterior.coords])
    expected = aoi.area_km2(outer) - aoi.area_km2(hole)
    assert aoi.area_km2(with_hole) == pytest.approx(expected, rel=1e-9)
    assert aoi.area_km2(with_hole.reverse()) == pytest.approx(expected, rel=1e-9)


def test_d9_load_crossing_ring_same_area_either_way(tmp_path: Path) -> None:
    jumping = [[179.8, -17], [-179.8, -17], [-179.8, -16.6], [179.8, -16.6], [179.8, -17]]
    beyond = [[x % 360, y] for x, y in jumping]
    areas = []
    for ring in (jumping, beyond):
        loaded = aoi.load(written(tmp_path, feature({"type": "Polygon", "coordinates": [ring]})), CONFIGS)
        assert (loaded.geometry.bounds[0], loaded.geometry.bounds[2]) == (-180, 180)
        areas.append(loaded.area_km2)
    assert areas[0] == pytest.approx(areas[1], rel=1e-9)
    assert areas[0] == pytest.approx(aoi.area_km2(shapely.box(10, -17, 10.4, -16.6)), rel=1e-5)


@given(st.floats(-179, 179), st.floats(-70, 70), st.floats(0.02, 0.3))
def test_load_any_convex_place_area_kept(
    tmp_path_factory: pytest.TempPathFactory, x: float, y: float, r: float
) -> None:
    place = shapely.Point(x, y).buffer(r)
    folder = tmp_path_factory.mktemp("aoi")
    loaded = aoi.load(written(folder, feature(mapping(place))), CONFIGS)
    assert loaded.area_km2 == pytest.approx(aoi.area_km2(place), rel=1e-6)


BOWTIE = [[80, 19], [81, 20], [81, 19], [80, 20], [80, 19]]
METRES = [[400000, 2200000], [410000, 2200000], [410000, 2210000], [400000, 2200000]]


def polygon(ring: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [ring]}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", r"place\.geojson: not readable as GeoJSON"),
        ("[]", r"place\.geojson: not a GeoJSON object"),
        ({"type": "FeatureCollection", "features": []}, r"exactly one Feature, found 0; draw the area"),
        ({"type": "FeatureCollection", "features": [feature(), feature()]}, r"found 2; use a file per AOI, or join"),
        (polygon(SQUARE), r"holds no Feature with properties"),
        ({"type": "FeatureCollection", "features": None}, r"exactly one Feature, found 0"),
        ({"type": "FeatureCollection", "features": {"a": 1}}, r"exactly one Feature, found 0"),
        ({"type": "FeatureCollection", "features": [7]}, r"holds no Feature with properties"),
        (json.dumps(feature())[:-1] + ', "type": "Feature"}', r"GeoJSON: 'type' is there twice; save it"),
        (feature(polygon([[80, 10**400], [80, 20], [81, 20], [80, 19]])), r"not readable as rings of .*; save"),
        (json.dumps(feature(polygon(0))).replace("[0]", "[" * 900 + "]" * 900), r"geometry: not readable as rings of"),
        (feature(polygon([[80, 19, 5], [80, 20], [81, 20], [80, 19, 5]])), r"not readable as rings of .*; save"),
        ("[" * 100_000, r"place\.geojson: not readable as GeoJSON"),
        (feature() | {"crs": "EPSG:14326"}, r"crs: GeoJSON is always WGS84"),
        (feature() | {"crs": {"type": "name", "properties": {"name": "EPSG:32644"}}}, r"crs: GeoJSON is always WGS84"),
        (feature() | {"properties": None}, r"properties: id: missing; add it"),
        (feature(id="Big Place"), r"properties\.id: use 2 to 63 lower-case letters"),
        (feature(id=7), r"properties: id: input should be a valid string, got 7"),
        (feature(name=""), r"properties: name: "),
        (feature(name="  "), r"properties\.name: must be one line of printable text"),
        (feature(name="a\nb"), r"properties\.name: must be one line of printable text, got 'a\\nb'"),
        (feature(overrides=[1]), r"overrides: must be an object with keys of its own, got \[1\]"),
        (feature(profil="x"), r"properties: profil: unknown key; did you mean 'profile'"),
        (feature(enabled="yes"), r"properties: enabled: input should be a valid boolean"),
        (
            feature(profile="forrest"),
            r"place\.geojson: properties\.profile: 'forrest' is not in .*; there are: .*forest",
        ),
        (feature(profile="catalogs"), r"'catalogs' is not in .*; there are: border, demo, forest$"),
        (feature(profile="../configs/forest"), r"is not in"),
        (feature(overrides={"normal": {"gap_day": 3}}), r"place\.geojson: properties\.overrides: normal\.gap_day: unk"),
        (feature({"type": "Point", "coordinates": [80, 19]}), r"must be a Polygon or MultiPolygon, got 'Point'"),
        (feature() | {"geometry": None}, r"must be a Polygon or MultiPolygon, got None"),
        (feature({"type": "Polygon", "coordinates": []}), r"geometry: is empty"),
        (feature({"type": "Polygon"}), r"geometry: not readable"),
        (feature(polygon([[80, 19], [80, 20]])), r"geometry: not readable"),
        (feature(polygon([[80, "x"], [80, 20], [81, 20], [80, 19]])), r"geometry: not readable"),
        (feature(polygon([[80, 19], [80, float("nan")], [81, 20], [80, 19]])), r"not finite|not readable"),
        (feature(polygon(BOWTIE)), r"self-intersection; redraw"),
        (
            feature(polygon([[-180, 0], [180, 0], [180, 9], [-180, 9], [-180, 0]])),
            r"spans more than 180 degrees of longitude",
        ),
        (feature(polygon(METRES)), r"got up to 410000, 2.21e\+06; reproject to EPSG:4326"),
        (feature(polygon([[x, y - 105] for x, y in SQUARE])), r"latitude from -80 to 84, .*or exchange the two"),
        (feature(polygon(SQUARE[:-1])), r"a ring is not closed; end it with"),
        (feature(polygon([[80, 19], [80.0005, 19], [80.0005, 19.0005], [80, 19]])), r"km2 is too small"),
        (feature(polygon([[70, 10], [80, 10], [80, 20], [70, 10]])), r"is more than max_area_km2 = 60,000"),
    ],
)
def test_load_mistake_names_file_key_and_remedy(tmp_path: Path, document: Any, message: str) -> None:
    path = written(tmp_path, document)
    with pytest.raises(ConfigError, match=message):
        aoi.load(path, CONFIGS)


def test_load_absent_file_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.geojson: no such file"):
        aoi.load(tmp_path / "nowhere.geojson", CONFIGS)


def test_load_all_every_mistake_of_every_file_named(tmp_path: Path) -> None:
    written(tmp_path, feature(name=""), "a.geojson")
    written(tmp_path, feature(), "b.geojson")
    written(tmp_path, feature(), "c.geojson")
    written(tmp_path, "{", "d.geojson")
    with pytest.raises(ConfigError) as caught:
        aoi.load_all(tmp_path, CONFIGS)
    lines = str(caught.value).splitlines()
    assert [Path(line.split(": ")[0]).name for line in lines] == ["a.geojson", "d.geojson", "c.geojson"]
    assert "'place' is taken by" in lines[2]


def test_load_all_no_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="add an AOI"):
        aoi.load_all(tmp_path, CONFIGS)


def test_load_real_territories_all_load(shared_data: Path, tmp_path: Path) -> None:
    document = json.loads((shared_data / "vectors" / "territories.geojson").read_text())
    for index, item in enumerate(document["features"]):
        overrides = {"max_area_km2": 200_000}
        path = written(tmp_path, feature(item["geometry"], id=f"t{index}", overrides=overrides), f"t{index}.geojson")
        loaded = aoi.load(path, CONFIGS)
        assert 0.3 < loaded.area_km2 < 120_000
