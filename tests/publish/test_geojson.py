"""GeoJSON: checked against RFC 7946 by our own checker, and read back with GDAL."""

import json
import math
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from shapely import LineString, MultiLineString, MultiPolygon, Point, Polygon, box

from pipeline import grid
from pipeline.alerts import detections, shapes
from pipeline.publish import geojson
from pipeline.schema import KINDS, Kind, Status

COLUMNS = [
    *("alert_id", "aoi", "kind", "status", "confidence", "p_clearing", "p_camp", "p_track", "first_seen", "last_seen"),
    *("confirmed_on", "looks", "hits", "area_ha", "length_m", "width_m", "grown_ha", "lineage", "classical_z"),
    *("caution", "mgrs", "lon", "lat", "before_scenes", "after_scenes", "model", "verdict", "verdict_by"),
    *("verdict_on", "note"),
]
EXTRAS = ["priority", "inside", "near", "protected_m", "border_m", "road_m", "settlement_m", "known_m"]
SQUARE = box(77.123456789123, 29.123456789, 77.125, 29.126)
LINE = LineString([(77.1, 29.1), (77.1012345678, 29.1023456789), (77.2, 29.2)])


def test_render_properties_exactly_the_promised_ones_in_order(alert_of: Any, check: Any) -> None:
    document = check(geojson.render([alert_of(SQUARE)]))
    properties = document["features"][0]["properties"]
    assert list(properties) == COLUMNS + EXTRAS
    assert properties["confidence"] == 0.912
    assert (properties["area_ha"], properties["length_m"], properties["width_m"]) == (1.23, None, None)
    assert (properties["first_seen"], properties["confirmed_on"]) == ("2025-11-01", "2025-11-06")
    assert properties["verdict_on"] is None
    assert properties["before_scenes"] == ["S2A_43RGM_1", "S2B_43RGM_2"]


@pytest.mark.parametrize(
    ("kind", "probabilities", "said"),
    [
        (Kind.CAMP, (1.0, 0.954, 0.0), ["kind may be clearing"]),  # the demo's bare clearing of 0.9 ha
        (Kind.CAMP, (0.902, 0.981, 0.0), []),
        (Kind.CLEARING, (0.9, 0.851, 0.0), ["kind may be camp"]),
        (Kind.CLEARING, (0.9, 0.849, 0.0), []),
        (Kind.CLEARING, (0.9, 0.9, 0.9), ["kind may be camp", "kind may be track"]),
    ],
)
def test_render_caution_names_the_kind_that_is_nearly_as_probable(
    alert_of: Any, kind: Kind, probabilities: tuple[float, float, float], said: list[str]
) -> None:
    alert = alert_of(SQUARE, kind=kind, probabilities=probabilities, confidence=probabilities[KINDS.index(kind)])
    for known in ([], ["season"], ["kind may be clearing", "season"]):
        told = replace(alert, caution=tuple(known))
        (feature,) = json.loads(geojson.render([told]))["features"]
        assert feature["properties"]["caution"] == sorted({*known, *said})


def test_render_columns_are_those_of_the_interface(alert_of: Any) -> None:
    page = Path(__file__).parents[2].parent / "shared" / "docs" / "INTERFACE.md"
    if not page.is_file():
        pytest.skip("the interface page is not on this machine")
    promised = page.read_text(encoding="utf-8").split("## Properties of an alert")[1]
    names = re.findall(r"`(\w+)`", promised.split("Clearings and camps")[0])
    assert names == (COLUMNS + EXTRAS)[: len(names)]
    assert len(names) >= len(COLUMNS)


def test_render_nothing_is_a_valid_empty_collection(check: Any, tmp_path: Path) -> None:
    assert check(geojson.render([])) == {"type": "FeatureCollection", "features": []}
    geojson.write(tmp_path / "none.geojson", [])
    assert len(geopandas.read_file(tmp_path / "none.geojson")) == 0


def test_render_any_order_same_bytes_one_line_a_feature(alert_of: Any) -> None:
    alerts = [alert_of(SQUARE, alert_id=f"VW-AAAAAAA{c}") for c in "ABC"]
    text = geojson.render(alerts)
    assert text == geojson.render(alerts[::-1])
    assert [line.startswith('{"type": "Feature",') for line in text.splitlines()] == [False, True, True, True, False]


def test_d25_render_clockwise_rings_turned(alert_of: Any, check: Any) -> None:
    ring = Polygon(list(SQUARE.exterior.coords)[::-1], [list(box(77.1238, 29.1242, 77.124, 29.125).exterior.coords)])
    check(geojson.render([alert_of(ring), alert_of(shapely.orient_polygons(ring, exterior_cw=True), alert_id="VW-2")]))


@pytest.mark.parametrize("west", [True, False])
def test_d25_render_across_the_antimeridian_split(alert_of: Any, check: Any, west: bool) -> None:
    jump = Polygon([(179.99, -17), (-179.99, -17), (-179.99, -16.9), (179.99, -16.9)])
    line = LineString([(179.99, -17), (180.01, -16.9)]) if west else LineString([(-179.99, -17), (-180.01, -16.9)])
    alerts = [alert_of(jump), alert_of(line, kind=Kind.TRACK, alert_id="VW-2")]
    document = check(geojson.render(alerts))
    kinds = {feature["geometry"]["type"] for feature in document["features"]}
    assert kinds == {"MultiPolygon", "MultiLineString"}
    assert document["bbox"] == [179.99, -17, -179.99, -16.9]


def test_d25_render_sliver_finer_than_the_grid_stays_valid(alert_of: Any, check: Any) -> None:
    hair = Polygon([(77, 29), (77.001, 29.00000001), (77.001, 29.001), (77.0005, 29.00000002), (77, 29.001)])
    assert hair.is_valid
    check(geojson.render([alert_of(hair)]))


def test_render_self_crossing_track_stays_one_line(alert_of: Any, check: Any) -> None:
    loop = LineString([(77, 29), (77.01, 29.01), (77.01, 29), (77, 29.01)])
    document = check(geojson.render([alert_of(loop, kind=Kind.TRACK)]))
    assert document["features"][0]["geometry"]["type"] == "LineString"
    assert document["features"][0]["properties"]["length_m"] == 615


def test_d25_neat_line_finer_than_the_grid_repeats_no_position() -> None:
    line = geojson.neat(shapely.LineString([(80, 20), (80, 20 + 1e-9), (80.001, 20.001), (80.002, 20.0000000333)]))
    assert shapely.get_coordinates(line).tolist() == [[80, 20], [80.001, 20.001], [80.002, 20]]


def test_render_place_lies_on_the_shape(alert_of: Any, check: Any) -> None:
    bent = Polygon([(77, 29), (77.1, 29), (77.1, 29.1), (77.09, 29.1), (77.09, 29.01), (77, 29.01)])
    lines = MultiLineString([[(0, 0), (1, 0)], [(0, 1), (5, 1)]])
    document = check(geojson.render([alert_of(bent), alert_of(lines, kind=Kind.TRACK, alert_id="VW-Z")]))
    area, track = [feature["properties"] for feature in document["features"]]
    assert bent.covers(Point(area["lon"], area["lat"]))
    assert (track["lon"], track["lat"]) == (2.5, 1)


def test_render_unknown_figures_null(alert_of: Any, check: Any) -> None:
    day = date(1970, 1, 1)
    alert = alert_of(SQUARE, z=math.nan, first_seen=day, last_seen=day, confirmed_on=None, grown_ha=-0.0)
    properties = check(geojson.render([alert]))["features"][0]["properties"]
    assert [properties[k] for k in ("classical_z", "first_seen", "last_seen", "confirmed_on")] == [None] * 4
    assert "-0.0" not in geojson.render([alert])


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 8), st.integers(1, 8))).filter(np.any), st.sampled_from([
    "43RGM", "01KAB", "60KYF", "31UDS", "19HCD", "33XWG"
]))  # fmt: skip
def test_d25_render_any_pixels_of_any_granule_valid_with_their_area(
    alert_of: Any, check: Any, mask: np.ndarray, mgrs: str
) -> None:
    granule = grid.granule(mgrs)
    rows, cols = np.nonzero(mask)
    outline = detections.to_wgs84(shapes.polygon(rows + 3000, cols + 4000, granule), granule.epsg)
    document = check(geojson.render([alert_of(outline)]))
    back = grid.reproject(shapely.geometry.shape(document["features"][0]["geometry"]), 4326, granule.epsg)
    assert back.area == pytest.approx(len(rows) * 100, rel=2e-3)


def test_bounds_many_shapes_smallest_way_around() -> None:
    def at(*lons: float) -> list[Any]:
        return [box(lon, 0, lon + 1, 1) for lon in lons]

    assert geojson.bounds(at(10, 20)) == [10, 0, 21, 1]
    assert geojson.bounds(at(-179, 178)) == [178, 0, -178, 1]
    assert geojson.bounds(at(-180, 179)) == [179, 0, -179, 1]
    assert geojson.bounds([MultiPolygon([box(179, 0, 180, 1), box(-180, 0, -179.5, 1)])]) == [179, 0, -179.5, 1]
    assert geojson.bounds(at(-100, 100)) == [100, 0, -99, 1]


def test_write_read_back_by_gdal_same_alerts(alert_of: Any, tmp_path: Path) -> None:
    alerts = [
        alert_of(SQUARE),
        alert_of(MultiPolygon([SQUARE, box(77.2, 29.2, 77.3, 29.3)]), alert_id="VW-AAAAAAAC", kind=Kind.CAMP),
        alert_of(LINE, alert_id="VW-AAAAAAAD", kind=Kind.TRACK, verdict="confirmed", verdict_on=date(2025, 11, 9)),
    ]
    path = tmp_path / "alerts.geojson"
    geojson.write(path, alerts)
    table = geopandas.read_file(path, engine="pyogrio")
    assert table.crs.to_epsg() == 4326
    assert [name for name in table.columns if name not in ("id", "geometry")] == COLUMNS + EXTRAS
    assert table["alert_id"].tolist() == [alert.alert_id for alert in alerts]
    assert table.geom_type.tolist() == ["Polygon", "MultiPolygon", "LineString"]
    for name in ("first_seen", "last_seen", "confirmed_on", "verdict_on"):
        assert pd.api.types.is_datetime64_any_dtype(table[name]), name
    assert table["first_seen"].dt.date.tolist() == [date(2025, 11, 1)] * 3
    assert table["looks"].tolist() == [5, 5, 5]
    assert table["length_m"].tolist()[2] == 615
    for shown, alert in zip(table.geometry, alerts, strict=True):
        assert shown.is_valid
        assert shown.hausdorff_distance(alert.detection.geometry) < 1e-7


def test_d26_write_ids_come_back_as_text(alert_of: Any, tmp_path: Path) -> None:
    geojson.write(tmp_path / "a.geojson", [alert_of(SQUARE, alert_id="VW-22222222")])
    table = geopandas.read_file(tmp_path / "a.geojson")
    assert table["alert_id"].tolist() == ["VW-22222222"]
    assert not pd.api.types.is_datetime64_any_dtype(table["alert_id"])


def test_changed_new_grown_confirmed_closed_and_nothing_else(alert_of: Any) -> None:
    def one(name: str, status: Status, grown_ha: float = 0.0) -> Any:
        return alert_of(SQUARE, alert_id=name, status=status, grown_ha=grown_ha)

    before = [
        one("quiet", Status.CONFIRMED, 3.0),
        one("grown", Status.POSSIBLE),
        one("confirmed", Status.POSSIBLE),
        one("closed", Status.POSSIBLE),
        one("expired", Status.POSSIBLE),
        one("dismissed", Status.DISMISSED),
        one("long closed", Status.CLOSED),
        one("back", Status.EXPIRED),
    ]
    after = [
        one("quiet", Status.CONFIRMED),
        one("grown", Status.POSSIBLE, 0.5),
        one("confirmed", Status.CONFIRMED, 0.5),
        one("closed", Status.CLOSED),
        one("expired", Status.EXPIRED),
        one("dismissed", Status.DISMISSED, 0.5),
        one("long closed", Status.CLOSED),
        one("back", Status.POSSIBLE),
        one("new", Status.POSSIBLE),
        one("born closed", Status.CLOSED),
    ]
    assert geojson.changed(after, before) == {
        "grown": ("grown",),
        "confirmed": ("confirmed", "grown"),
        "closed": ("closed",),
        "expired": ("expired",),
        "back": ("possible",),
        "new": ("new",),
    }
    assert geojson.changed(after, after) == {"grown": ("grown",), "confirmed": ("grown",)}


def test_changed_corrected_kind_is_shown_again(alert_of: Any) -> None:
    before = alert_of(SQUARE)
    after = replace(before, detection=replace(before.detection, kind=Kind.CAMP))
    changes = geojson.changed([after], [before])
    assert changes == {after.alert_id: ("kind", "grown")}
    gone = replace(after, status=Status.DISMISSED)
    assert geojson.changed([gone], [replace(before, status=Status.DISMISSED)]) == {}
    told = json.loads(geojson.render([after], changes=changes))["features"][0]["properties"]
    assert told["change"] == ["kind", "grown"]
    assert "change" not in json.loads(geojson.render([after]))["features"][0]["properties"]


def test_render_text_in_any_script_kept(alert_of: Any, tmp_path: Path) -> None:
    note = 'वन "पथ"\nzweite Zeile'
    alert = replace(alert_of(SQUARE), note=note)
    geojson.write(tmp_path / "a.geojson", [alert])
    raw = (tmp_path / "a.geojson").read_bytes()
    assert b"\r" not in raw
    assert json.loads(raw)["features"][0]["properties"]["note"] == note
