"""Alerts to publish, and a checker of RFC 7946 of our own."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import shapely
from shapely.geometry import shape

from pipeline.publish import geojson, report
from pipeline.schema import Alert
from tests.publish import planted


def positions(coordinates: Any) -> Iterator[list[float]]:
    if coordinates and not isinstance(coordinates[0], list):
        yield coordinates
    else:
        for item in coordinates:
            yield from positions(item)


def signed_area(ring: list[list[float]]) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(ring)) / 2


def check_polygon(rings: list[list[list[float]]]) -> None:
    for number, ring in enumerate(rings):
        assert len(ring) >= 4, "a ring has four positions or more"
        assert ring[0] == ring[-1], "a ring is closed"
        assert (signed_area(ring) > 0) == (number == 0), "outer rings run anticlockwise, inner ones clockwise"


def check_geometry(geometry: dict[str, Any]) -> None:
    assert set(geometry) == {"type", "coordinates"}
    for place in positions(geometry["coordinates"]):
        assert len(place) == 2
        assert -180 <= place[0] <= 180
        assert -90 <= place[1] <= 90
        assert all(value == round(value, 7) and len(repr(value).split(".")[-1]) <= 7 for value in place)
    for rings in {"Polygon": [geometry["coordinates"]], "MultiPolygon": geometry["coordinates"]}.get(
        geometry["type"], []
    ):
        check_polygon(rings)
    made = shape(geometry)
    assert made.is_valid, shapely.is_valid_reason(made)
    assert not made.is_empty
    for part in shapely.get_parts(made):
        assert part.bounds[2] - part.bounds[0] <= 180, "nothing crosses the antimeridian"


def check_document(text: str) -> dict[str, Any]:
    """Check a feature collection against RFC 7946 and what this project promises beyond it."""
    document: dict[str, Any] = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert document["type"] == "FeatureCollection"
    assert set(document) <= {"type", "bbox", "features"}, "no crs, nothing foreign"
    assert ("bbox" in document) == bool(document["features"])
    ids = [feature["id"] for feature in document["features"]]
    assert len(ids) == len(set(ids))
    for feature in document["features"]:
        assert set(feature) == {"type", "id", "geometry", "properties"}
        assert feature["type"] == "Feature"
        assert feature["properties"]["alert_id"] == feature["id"]
        check_geometry(feature["geometry"])
    if document["features"]:
        check_bbox(document)
    return document


def check_bbox(document: dict[str, Any]) -> None:
    west, south, east, north = document["bbox"]
    places = [place for feature in document["features"] for place in positions(feature["geometry"]["coordinates"])]
    assert south == min(lat for _, lat in places)
    assert north == max(lat for _, lat in places)
    inside = [west <= lon <= east if west <= east else lon >= west or lon <= east for lon, _ in places]
    assert all(inside)
    assert {west, east} <= {lon for lon, _ in places}


@pytest.fixture(scope="session")
def check() -> Callable[[str], dict[str, Any]]:
    return check_document


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A night's folder with everything for QGIS and the report in it; for reading only."""
    folder = tmp_path_factory.mktemp("published")
    planted.write_rasters(folder)
    geojson.write(folder / "alerts.geojson", planted.alerts())
    report.write(folder, planted.found(folder))
    return folder


@pytest.fixture(scope="session")
def alert_of() -> Callable[..., Alert]:
    return planted.make_alert
