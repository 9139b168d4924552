"""Records: alerts survive the way to JSON and back without loss."""

import json
import math
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString, MultiLineString, MultiPolygon, box

from pipeline.alerts import record
from pipeline.errors import StateError
from pipeline.schema import Alert, Detection, Kind, Status

texts = st.lists(st.text(max_size=8), max_size=3).map(tuple)
floats = st.floats(0, 1e9)
shapes = st.sampled_from([
    box(77.1234567890123, 20, 78, 21),
    MultiPolygon([box(0, 0, 1, 1), box(2, 2, 3, 3)]),
    LineString([(0.1, 0.2), (0.3, 0.4)]),
    MultiLineString([[(0, 0), (1, 1)], [(2, 2), (3, 3)]]),
])  # fmt: skip
detections = st.builds(
    Detection,
    kind=st.sampled_from(Kind),
    geometry=shapes,
    footprint=shapes,
    area_m2=floats,
    length_m=floats,
    width_m=floats,
    probabilities=st.tuples(floats, floats, floats),
    confidence=floats,
    hits=st.integers(0, 255),
    looks=st.integers(0, 65535),
    first_seen=st.dates(),
    last_seen=st.dates(),
    z=st.floats(-100, 100),
    mgrs=st.text(max_size=5),
)
alerts = st.builds(
    Alert,
    alert_id=st.text(),
    aoi=st.text(),
    status=st.sampled_from(Status),
    detection=detections,
    confirmed_on=st.none() | st.dates(),
    grown_ha=st.floats(-1e6, 1e6),
    lineage=texts,
    caution=texts,
    before_scenes=texts,
    after_scenes=texts,
    model=st.text(),
    verdict=st.text(),
    verdict_by=st.text(),
    verdict_on=st.none() | st.dates(),
    note=st.text(),
    as_of=st.none() | st.dates(),
)


@given(alerts)
def test_record_any_alert_comes_back_the_same(alert: Alert) -> None:
    assert record.loads(record.dumps(alert)) == alert
    assert record.from_record(json.loads(json.dumps(record.to_record(alert)))) == alert
    assert record.dumps(record.loads(record.dumps(alert))) == record.dumps(alert)


def an_alert() -> Alert:
    shape = box(0, 0, 1, 1)
    day = date(2025, 11, 1)
    found = Detection(Kind.CAMP, shape, shape, 400, 0, 0, (0, 1, 0), 1, 1, 1, day, day, math.nan, "43RGM")
    return Alert("VW-AAAAAAAA", "hills", Status.POSSIBLE, found, None, 0, (), (), (), (), "m")


def test_record_unknown_z_is_null_and_stays_unknown() -> None:
    text = record.dumps(an_alert())
    assert '"z": null' in text
    assert math.isnan(record.loads(text).detection.z)


@pytest.mark.parametrize(
    "damage",
    [
        lambda r: r.pop("aoi"),
        lambda r: r["detection"].pop("footprint"),
        lambda r: r["detection"].update(geometry="00zz"),
        lambda r: r["detection"].update(first_seen="yesterday"),
        lambda r: r.update(status="lost"),
        lambda r: r.update(version=0),
        lambda r: r.update(detection=None),
    ],
)
def test_from_record_damaged_names_the_alert(damage: Any) -> None:
    damaged = record.to_record(an_alert())
    damage(damaged)
    with pytest.raises(StateError, match="VW-AAAAAAAA"):
        record.from_record(damaged)


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_loads_no_record_says_so(text: str) -> None:
    with pytest.raises(StateError, match="record of an alert"):
        record.loads(text)


def test_to_record_every_field_is_there() -> None:
    changed = replace(an_alert(), note="seen from the ridge")
    assert record.to_record(changed) != record.to_record(an_alert())
