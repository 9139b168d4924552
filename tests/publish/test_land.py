"""Context beside the alerts: copies by role and form, cut to the surroundings, styled, the same bytes every time."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pyogrio
import pytest
import shapely
from shapely import LineString, MultiPolygon, Point, box

from pipeline.context import Feature, box_around
from pipeline.publish import land
from tests.publish import planted

AROUND = box_around(planted.PLACE)


def write(path: Path, *features: Feature) -> tuple[land.Kept, ...]:
    return land.write(path, features, over=AROUND, as_of=planted.NIGHT)


def test_write_a_layer_per_role_and_form_points_over_lines_over_areas(tmp_path: Path) -> None:
    kept = write(tmp_path / "context.gpkg", *planted.LAND)
    assert [one.name for one in kept] == [
        "settlement_points",
        "road_lines",
        "border_lines",
        "settlement_areas",
        "permit_areas",
        "protected_areas",
    ]
    assert [one.title for one in kept][:2] == ["Settlements, points", "Roads"]
    assert {name for name, kind in pyogrio.list_layers(tmp_path / "context.gpkg") if kind} == {k.name for k in kept}
    table = pyogrio.read_dataframe(tmp_path / "context.gpkg", layer="protected_areas")
    assert table[["name", "layer", "role"]].to_numpy().tolist() == [["Tiger reserve", "Reserves", "protected"]]
    with closing(sqlite3.connect(tmp_path / "context.gpkg")) as database:
        styled = database.execute("SELECT f_table_name FROM layer_styles WHERE useAsDefault").fetchall()
    assert {name for (name,) in styled} == {one.name for one in kept}


def test_write_keeps_nothing_beyond_the_surroundings(tmp_path: Path) -> None:
    country = Feature("border", "border", LineString([(60, 29.01), (95, 29.01)]))
    far = Feature("far", "known", Point(80, 29))
    (kept,) = write(tmp_path / "context.gpkg", country, far)
    assert kept.name == "border_lines"
    (shape,) = pyogrio.read_dataframe(tmp_path / "context.gpkg", layer="border_lines").geometry
    assert AROUND.buffer(1e-9).contains(shape)
    assert shape.length > 1


def test_write_splits_a_feature_of_areas_and_lines_and_keeps_its_name(tmp_path: Path) -> None:
    mixed = shapely.GeometryCollection([box(77, 29, 77.01, 29.01), LineString([(77, 29), (77.1, 29)])])
    kept = write(tmp_path / "context.gpkg", Feature("mine", "known", mixed))
    assert [one.title for one in kept] == ["Known tracks and sites, lines", "Known tracks and sites, areas"]
    for one in kept:
        assert pyogrio.read_dataframe(tmp_path / "context.gpkg", layer=one.name)["name"].tolist() == ["mine"]


def test_write_without_features_leaves_no_file(tmp_path: Path) -> None:
    assert write(tmp_path / "context.gpkg") == ()
    assert list(tmp_path.iterdir()) == []


def test_write_same_features_same_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "one.gpkg", tmp_path / "other.gpkg"
    write(one, *planted.LAND)
    write(other, *planted.LAND)
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("shape", [box(77.03, 29, 77.04, 29.01), MultiPolygon([box(77.03, 29, 77.04, 29.01)])])
def test_parts_within_an_area_that_only_touches_leaves_nothing(shape: shapely.Geometry) -> None:
    assert land.parts_within(shape, planted.PLACE) == []
