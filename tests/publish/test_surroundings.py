"""Surroundings: what alerts are told to lie in and near, and what that does to them."""

import json
from types import SimpleNamespace

import pytest
from shapely.geometry.base import BaseGeometry

from pipeline import context, grid
from pipeline.publish import geojson, surroundings
from tests.publish import planted


def rated() -> dict[str, surroundings.Rated]:
    return surroundings.rate(planted.alerts(), planted.alerts()[:1], planted.LAND)


def test_rate_open_alerts_only_with_names_distances_and_bearings() -> None:
    found = rated()
    assert set(found) == {"VW-AAAAAAAA", "VW-CCCCCCCC", "VW-TTTTTTTT"}
    clearing = found["VW-AAAAAAAA"].extra
    assert clearing.inside == ("Tiger reserve",)
    assert clearing.near == (
        "quarry 12 659 m SE",
        "village road 998 m S",
        "Old village 1.2 km E",
        "New village 1.3 km SE",
    )
    assert clearing.distances_m[0] == 0
    assert clearing.distances_m[1:4] == (1559.0, 998.0, 1174.0)


def test_rate_permitted_alert_carries_a_caution_comes_last_and_is_not_deleted() -> None:
    found = rated()
    assert found["VW-CCCCCCCC"].extra.caution == ("permit",)
    assert min(found, key=lambda name: found[name].priority.score) == "VW-CCCCCCCC"
    told = json.loads(geojson.render(planted.alerts(), surroundings.extras(found)))
    camp = next(f["properties"] for f in told["features"] if f["id"] == "VW-CCCCCCCC")
    assert (camp["caution"], camp["inside"], camp["border_m"]) == (["permit"], ["quarry 12"], 935.0)
    assert 0 < camp["priority"] < 50


def test_rate_lays_each_feature_out_once_however_many_alerts_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    laid: list[BaseGeometry] = []

    def counted(shape: BaseGeometry, source: int, target: int) -> BaseGeometry:
        laid.append(shape)
        return grid.reproject(shape, source, target)

    monkeypatch.setattr(context, "grid", SimpleNamespace(reproject=counted))
    rated()
    assert [sum(one is feature.geometry for one in laid) for feature in planted.LAND] == [1] * len(planted.LAND)


def test_rate_without_context_only_the_alert_itself_counts() -> None:
    plain = surroundings.rate(planted.alerts(), (), ())
    assert all(one.extra.inside == one.extra.near == () for one in plain.values())
    assert all(one.priority.parts["growth"] == 15 for one in plain.values())
    assert all(one.priority.parts["nearness"] == 0 for one in plain.values())
