import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely.geometry import shape

from pipeline import config, context
from pipeline.simulate import known, land, plan, presets, region, world
from pipeline.simulate.land import Cover
from pipeline.simulate.noise import Raster
from pipeline.simulate.world import World

START = date(2022, 3, 1)


def planted(preset: str) -> World:
    rules = presets.PRESETS[preset]
    return plan.with_events(world.planted_world(7, rules.size_px), rules, start=START)


@pytest.fixture(scope="module")
def demo() -> World:
    return planted("demo")


@pytest.fixture(scope="module")
def layers(demo: World) -> dict[str, known.Layer]:
    return {layer.role: layer for layer in known.layers(demo, region.straddling(demo.size_px))}


def shapes(layer: known.Layer) -> list[shapely.Geometry]:
    return [shape(feature["geometry"]) for feature in layer.content["features"]]


def test_layers_are_read_as_context_and_lie_in_the_world(
    demo: World, layers: dict[str, known.Layer], tmp_path: Path
) -> None:
    over = region.straddling(demo.size_px).to_wgs84(shapely.box(0, 0, demo.size_px[1], demo.size_px[0]))
    for layer in layers.values():
        (tmp_path / layer.file).write_text(json.dumps(layer.content))
    told = [config.Context(name=a.name, file=a.file, role=a.role, label="name") for a in layers.values()]
    found = context.load(told, tmp_path, over, source="demo.toml")
    assert {feature.role for feature in found} == {"protected", "road", "settlement", "permit"}
    assert {feature.name for feature in found if feature.role == "road"} == {"earth road", "asphalt road"}
    wide = over.buffer(0.003)  # roads leave the world
    assert all(feature.geometry.is_valid and wide.contains(feature.geometry) for feature in found)


def test_layers_of_roads_and_village_lie_where_the_ground_shows_them(demo: World) -> None:
    shown = Raster(0, 0, 2.5, tuple(4 * side for side in demo.size_px))
    cover = land.ground(demo.layout, shown, seed=demo.seed).cover
    for road in demo.layout.roads:
        points = shapely.get_coordinates(road.line.segmentize(5))
        cols, rows = (points / 2.5).astype(int).T
        inside = (rows >= 0) & (cols >= 0) & (rows < cover.shape[0]) & (cols < cover.shape[1])
        assert (cover[rows[inside], cols[inside]] == Cover.BUILT).mean() > 0.95
    row, col = (np.array(demo.layout.village) / 2.5).astype(int)
    assert np.isin(cover[row - 20 : row + 20, col - 20 : col + 20], (Cover.YARD, Cover.BUILT)).mean() > 0.9


def test_layers_permit_holds_the_second_largest_clearing_only(demo: World, layers: dict[str, known.Layer]) -> None:
    (permit,) = shapes(layers["permit"])
    place = region.straddling(demo.size_px)
    clearings = [event.planted for event in demo.events if event.planted.kind == "clearing"]
    inside = [item for item in clearings if permit.intersects(place.to_wgs84(item.geometry))]
    assert [item.area_m2 for item in inside] == [sorted(item.area_m2 for item in clearings)[-2]]


def test_layers_world_of_one_clearing_has_no_permit() -> None:
    tiny = planted("tiny")
    assert [layer.role for layer in known.layers(tiny, region.straddling(tiny.size_px))] == [
        "protected",
        "road",
        "settlement",
    ]
