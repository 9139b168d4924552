"""Context: layers of any format and CRS, and where an alert lies among them."""

from pathlib import Path

import geopandas as gpd
import pytest
from shapely import LineString, Point, box

from pipeline import config, context
from pipeline.context import Feature
from pipeline.errors import ConfigError

AREA = box(77.0, 29.0, 77.03, 29.02)
PARK = box(77.0, 29.0, 77.01, 29.02)
FAR = box(80.0, 29.0, 80.01, 29.02)


def layer(file: str, *, role: str = "protected", label: str = "") -> config.Context:
    return config.Context.model_validate({"name": "Parks", "file": file, "role": role, "label": label})


def load(folder: Path, *layers: config.Context) -> tuple[Feature, ...]:
    return context.load(layers, folder, AREA, source="forest.toml")


@pytest.mark.parametrize("name", ["parks.gpkg", "parks.geojson", "parks.shp", "parks.fgb"])
@pytest.mark.parametrize("epsg", [4326, 32643, 3857])
def test_load_any_format_and_crs_only_what_is_near(tmp_path: Path, name: str, epsg: int) -> None:
    if name.endswith("geojson") and epsg != 4326:
        pytest.skip("GeoJSON is always WGS84")
    gpd.GeoDataFrame({"NAME": ["Tiger park", "Far park"]}, geometry=[PARK, FAR], crs=4326).to_crs(epsg).to_file(
        tmp_path / name
    )
    (found,) = load(tmp_path, layer(name, label="NAME"))
    assert (found.name, found.role) == ("Tiger park", "protected")
    assert found.geometry.symmetric_difference(PARK).area < 1e-3 * PARK.area
    assert load(tmp_path, layer(name))[0].name == "Parks"


@pytest.mark.parametrize("file", ["roads.gpkg", "roads.geojson"])
def test_load_features_without_a_name_are_called_as_their_layer(tmp_path: Path, file: str) -> None:
    data = {"NAME": ["NH 44", None, " "], "number": [44, None, 7]}
    gpd.GeoDataFrame(data, geometry=[PARK] * 3, crs=4326).to_file(tmp_path / file)
    assert [found.name for found in load(tmp_path, layer(file, label="NAME"))] == ["NH 44", "Parks", "Parks"]
    assert [found.name for found in load(tmp_path, layer(file, label="number"))] == ["44", "Parks", "7"]


def test_load_wrong_files_are_told_with_entry_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "broken.gpkg").write_text("no map at all")
    with pytest.warns(UserWarning, match="crs"):
        gpd.GeoDataFrame({"NAME": ["a"]}, geometry=[PARK]).to_file(tmp_path / "bare.gpkg")
    gpd.GeoDataFrame({"NAME": ["a"]}, geometry=[PARK], crs=4326).to_file(tmp_path / "good.gpkg")
    for wrong, words in (
        (layer("none.gpkg"), r"forest.toml: context.0: file: no .*none.gpkg; put it there"),
        (layer("broken.gpkg"), r"context.0: file: .*broken.gpkg is not readable .*; save it"),
        (layer("bare.gpkg"), r"context.0: file: .*bare.gpkg does not say its CRS"),
        (layer("good.gpkg", label="TITLE"), r"context.0: label: .* has no column 'TITLE'; there are: NAME"),
    ):
        with pytest.raises(ConfigError, match=words):
            load(tmp_path, wrong)


def test_around_distances_and_bearings_nearest_first() -> None:
    features = [
        Feature("park", "protected", box(77.0, 29.0, 77.02, 29.02)),
        Feature("border", "border", LineString([(77.05, 28.9), (77.05, 29.1)])),
        Feature("road", "road", LineString([(76.9, 28.99), (77.1, 28.99)])),
        Feature("road", "road", LineString([(76.9, 28.9), (77.1, 28.9)])),
        Feature("village", "settlement", Point(78.5, 29.0)),
    ]
    found = context.around(box(77.01, 29.009, 77.012, 29.011), context.place(features, 32643))
    assert [(near.name, near.inside) for near in found] == [("park", True), ("road", False), ("border", False)]
    _, road, border = found
    assert road.distance_m == pytest.approx(0.019 * 110_860, rel=0.02)
    assert border.distance_m == pytest.approx(0.038 * 97_300, rel=0.02)
    assert (round(road.bearing_deg / 10), round(border.bearing_deg / 10)) == (18, 9)
    assert (road.words, border.words) == ("road 2.1 km S", "border 3.7 km E")


def test_around_a_line_that_is_crossed_is_at_no_distance_but_nothing_lies_inside_it() -> None:
    road = Feature("road", "road", LineString([(76.9, 29.01), (77.1, 29.01)]))
    (found,) = context.around(box(77.01, 29.009, 77.012, 29.011), context.place([road], 32643))
    assert (found.distance_m, found.inside, found.words) == (0, False, "road 0 m")


def test_profile_names_context_layers_and_wrong_roles_are_refused(tmp_path: Path) -> None:
    start = 'title = "T"\nuse = "research"\n[search]\ncatalogs = ["local"]\n'
    text = start + '[[context]]\nname = "P"\nfile = "p.gpkg"\nrole = "{}"\n'
    path = tmp_path / "mine.toml"
    path.write_text(text.format("permit"))
    assert config.load_profile(path).context[0].role == "permit"
    path.write_text(text.format("wall"))
    with pytest.raises(ConfigError, match=r"mine.toml: context.0.role: .*'protected', 'border'"):
        config.load_profile(path)
