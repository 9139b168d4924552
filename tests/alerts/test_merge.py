"""Merging: what the border between granules cut in two becomes one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from shapely import LineString, Point, box
from shapely.geometry.base import BaseGeometry

from pipeline import config, grid
from pipeline.alerts import detections, merge
from pipeline.schema import Detection, Kind

RULES = config.Rules()
WEST, EAST = grid.granule("43RFM"), grid.granule("43RGM")
BORDER_M = 700_000


def cut(planted: Any, shape: BaseGeometry, kind: str) -> list[Detection]:
    """Detections of a shape on both sides of the border between two granules of one zone."""
    found = []
    for granule, side in ((WEST, box(0, 0, BORDER_M, 1e7)), (EAST, box(BORDER_M, 0, 1e6, 1e7))):
        marks = planted.marks(shape.intersection(side), kind, granule)
        seam = LineString([(BORDER_M, 0), (BORDER_M, 1e7)])
        found += detections.find(marks, granule, RULES, seam=seam)
    return found


MIDDLE = (BORDER_M, (WEST.bounds[1] + WEST.bounds[3]) / 2 // 10 * 10)


def test_merge_clearing_on_the_border_one_with_the_whole_area(planted: Any) -> None:
    shape = Point(MIDDLE).buffer(300)
    halves = cut(planted, shape, "clearing")
    assert len(halves) == 2
    (whole,) = merge.merge(halves, RULES)
    assert whole.area_m2 == sum(half.area_m2 for half in halves)
    assert whole.footprint.geom_type == "Polygon"
    assert whole.geometry.is_valid
    assert grid.reproject(whole.footprint, 4326, WEST.epsg).area == pytest.approx(whole.area_m2, rel=1e-6)


def test_merge_lies_beside_clouds_where_most_of_it_does(planted: Any) -> None:
    small, large = cut(planted, box(MIDDLE[0] - 100, MIDDLE[1], MIDDLE[0] + 300, MIDDLE[1] + 100), "clearing")
    assert small.area_m2 < large.area_m2
    for beside in (small, large):
        halves = [replace(half, beside_cloud=half is beside) for half in (small, large)]
        assert [whole.beside_cloud for whole in merge.merge(halves, RULES)] == [beside is large]


def test_merge_track_on_the_border_one_line_with_the_whole_length(planted: Any) -> None:
    line = LineString([(MIDDLE[0] - 900, MIDDLE[1] - 100), (MIDDLE[0] + 700, MIDDLE[1] + 250)])
    halves = cut(planted, line.buffer(13), "track")
    (whole,) = merge.merge(halves, RULES)
    assert whole.geometry.geom_type == "LineString"
    assert whole.length_m == pytest.approx(line.length + 26, rel=0.05)
    assert whole.width_m == pytest.approx(26, rel=0.15)


def test_merge_small_halves_of_one_enough_together(planted: Any) -> None:
    halves = cut(planted, box(MIDDLE[0] - 30, MIDDLE[1], MIDDLE[0] + 30, MIDDLE[1] + 30), "clearing")
    assert [half.area_m2 for half in halves] == [900, 900]
    (whole,) = merge.merge(halves, RULES)
    assert whole.area_m2 == 1800
    assert merge.merge(halves[:1], RULES) == ()


def test_d14_merge_across_zones_one(planted: Any) -> None:
    west, east = grid.granule("43RGQ"), grid.granule("44RKV")
    place = Point(78, 0)
    north = (west.bounds[1] + west.bounds[3]) / 2
    latitude = grid.reproject(Point(700_000, north), west.epsg, 4326).y
    place = Point(78, latitude)
    found = []
    for granule, side in ((west, box(70, 0, 78, 80)), (east, box(78, 0, 86, 80))):
        round_place = grid.reproject(place, 4326, granule.epsg).buffer(400)
        there = grid.reproject(round_place, granule.epsg, 4326).intersection(side)
        marks = planted.marks(grid.reproject(there, 4326, granule.epsg), "clearing", granule)
        found += detections.find(marks, granule, RULES)
    assert len(found) == 2
    (whole,) = merge.merge(found, RULES)
    assert whole.area_m2 == pytest.approx(np.pi * 400**2, rel=0.02)
    assert whole.geometry.is_valid


def test_d9_merge_across_the_antimeridian_one(planted: Any) -> None:
    west, east = grid.granule("60KYF"), grid.granule("01KAB")
    found = []
    for granule, lon in ((west, 179.999), (east, -179.999)):
        place = grid.reproject(Point(lon, -17), 4326, granule.epsg)
        half = place.buffer(120).intersection(
            grid.reproject(box(lon - 0.00098, -17.002, lon + 0.00098, -16.998), 4326, granule.epsg)
        )
        found.append(planted.detection(half, granule))
    (whole,) = merge.merge(found, RULES)
    assert whole.geometry.bounds[0] < -179
    assert whole.geometry.bounds[2] > 179
    assert len(whole.geometry.geoms) == 2


def test_merge_kinds_and_neighbours_of_one_granule_stay_apart(planted: Any) -> None:
    shape = box(MIDDLE[0] + 100, MIDDLE[1], MIDDLE[0] + 200, MIDDLE[1] + 100)
    beside = box(MIDDLE[0] + 210, MIDDLE[1], MIDDLE[0] + 300, MIDDLE[1] + 100)
    found = [planted.detection(shape, EAST), planted.detection(beside, EAST)]
    found += [planted.detection(shape, WEST, kind=Kind.CAMP)]
    assert len(merge.merge(found, RULES)) == 3


def test_merge_any_order_same_result_and_again_nothing_new(planted: Any) -> None:
    found = cut(planted, Point(MIDDLE).buffer(300), "clearing") + cut(
        planted,
        LineString([(MIDDLE[0] - 900, MIDDLE[1] - 900), (MIDDLE[0] + 700, MIDDLE[1] - 800)]).buffer(13),
        "track",
    )
    once = merge.merge(found, RULES)
    assert merge.merge(found[::-1], RULES) == once
    assert merge.merge(once, RULES) == once


def test_merge_nothing_gives_nothing() -> None:
    assert merge.merge([], RULES) == ()
