"""Alerts to publish, and a checker of RFC 7946 of our own."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from pipeline.schema import Alert, Detection, Kind, Status


def make_alert(
    geometry: BaseGeometry, *, kind: Kind = Kind.CLEARING, alert_id: str = "VW-AAAAAAAA", **more: Any
) -> Alert:
    """A confirmed alert with a WGS84 shape; other fields of the alert or its detection by name."""
    found = Detection(
        kind=kind,
        geometry=geometry,
        footprint=geometry if shapely.get_dimensions(geometry) == 2 else geometry.buffer(1e-4),
        area_m2=12_300.0,
        length_m=615.0 if kind == Kind.TRACK else 0.0,
        width_m=20.0 if kind == Kind.TRACK else 0.0,
        probabilities=(0.91234, 0.05, 0.0),
        confidence=0.91234,
        hits=2,
        looks=5,
        first_seen=date(2025, 11, 1),
        last_seen=date(2025, 11, 6),
        z=4.567,
        mgrs="43RGM",
    )
    names = set(Detection.__dataclass_fields__)
    found = replace(found, **{name: value for name, value in more.items() if name in names})
    alert = Alert(
        alert_id=alert_id,
        aoi="hills",
        status=Status.CONFIRMED,
        detection=found,
        confirmed_on=date(2025, 11, 6),
        grown_ha=0.25,
        lineage=("VW-BBBBBBBB",),
        caution=("season",),
        before_scenes=("S2A_43RGM_1", "S2B_43RGM_2"),
        after_scenes=("S2A_43RGM_9",),
        model="vanwatch-s@1",
    )
    return replace(alert, **{name: value for name, value in more.items() if name not in names})


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
def alert_of() -> Callable[..., Alert]:
    return make_alert
