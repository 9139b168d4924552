"""Detections: planted marks come back as the shapes that were planted, whatever is around them."""

import math
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from shapely import LineString, Point, box

from pipeline import config, grid
from pipeline.alerts import detections
from pipeline.schema import MARK, Kind

GRANULE = grid.granule("43RGM")
RULES = config.Rules()
LOOSE = config.Rules(
    clearing=config.KindRules(threshold=0.5, min_area_m2=100),
    camp=config.KindRules(threshold=0.5, min_area_m2=100),
    track=config.KindRules(threshold=0.5, min_area_m2=100, min_length_m=0),
)


def at(row: float, col: float) -> tuple[float, float]:
    return GRANULE.left_m + col * 10, GRANULE.top_m - row * 10


def block(row: int, col: int, height: int, width: int) -> shapely.Polygon:
    (west, north), (east, south) = at(row, col), at(row + height, col + width)
    return box(west, south, east, north)


def find(*marks: np.ndarray, rules: config.Rules = RULES) -> tuple[Any, ...]:
    return detections.find(np.concatenate(marks), GRANULE, rules)


def test_find_planted_kinds_one_each(planted: Any) -> None:
    line = LineString([at(300, 300), at(330, 380)])
    found = find(
        planted.marks(Point(at(100, 100)).buffer(150), "clearing", GRANULE),
        planted.marks(block(200, 500, 3, 3), "camp", GRANULE),
        planted.marks(line.buffer(15), "track", GRANULE),
    )
    assert [item.kind for item in found] == [Kind.CLEARING, Kind.CAMP, Kind.TRACK]
    clearing, camp, track = found
    assert clearing.area_m2 == pytest.approx(math.pi * 150**2, rel=0.02)
    assert camp.area_m2 == 900
    assert track.length_m == pytest.approx(line.length + 30, rel=0.05)
    assert track.geometry.geom_type == "LineString"
    assert (clearing.length_m, clearing.width_m) == (0, 0)
    for item in found:
        assert item.geometry.is_valid
        assert item.mgrs == "43RGM"
        assert grid.reproject(item.footprint, 4326, GRANULE.epsg).area == pytest.approx(item.area_m2, rel=1e-6)


def test_find_figures_from_the_evidence(planted: Any) -> None:
    clearing = planted.marks(block(10, 10, 10, 10), "clearing", GRANULE, log_odds=2.0, hits=3)
    camp = planted.marks(block(10, 10, 5, 10), "camp", GRANULE, log_odds=-1.0)
    (found,) = find(clearing, camp)
    assert found.probabilities == pytest.approx((1 / (1 + math.exp(-2)), 0.5 / (1 + math.exp(1)), 0), abs=1e-6)
    assert found.confidence == found.probabilities[0]
    assert (found.hits, found.looks, found.z) == (3, 4, 4.5)
    assert found.log_odds == 2


def test_find_evidence_is_what_half_of_the_pixels_reach(planted: Any) -> None:
    weak = planted.marks(block(10, 10, 10, 10), "clearing", GRANULE, log_odds=1.0)
    for rows, expected in ((4, 1.0), (6, 5.0)):
        firm = weak.copy()
        firm["log_odds"][firm["row"] < firm["row"].min() + rows] = 5.0
        (found,) = find(firm)
        assert found.log_odds == expected


def test_d33_find_days_do_not_overflow(planted: Any) -> None:
    (found,) = find(planted.marks(block(10, 10, 10, 10), "clearing", GRANULE, hits=200))
    first = date(1970, 1, 1) + timedelta(days=planted.day)
    assert (found.first_seen, found.last_seen) == (first, first + timedelta(days=5 * 199))
    assert found.hits == 200


def test_find_a_few_early_pixels_do_not_date_the_shape(planted: Any) -> None:
    marks = planted.marks(block(10, 10, 10, 10), "clearing", GRANULE)
    marks["first_day"][:10] -= 300
    (found,) = find(marks)
    assert found.first_seen == date(1970, 1, 1) + timedelta(days=planted.day)
    marks["first_day"][:30] -= 300
    (found,) = find(marks)
    assert found.first_seen < date(1970, 1, 1) + timedelta(days=planted.day)


def test_find_z_unknown_stays_unknown(planted: Any) -> None:
    marks = planted.marks(block(10, 10, 10, 10), "clearing", GRANULE)
    marks["z"] = np.nan
    (found,) = find(marks)
    assert math.isnan(found.z)


def test_find_small_ones_left_out(planted: Any) -> None:
    marks = planted.marks(block(10, 10, 3, 3), "clearing", GRANULE), planted.marks(block(50, 50, 1, 3), "camp", GRANULE)
    assert find(*marks) == ()
    assert len(find(*marks, rules=LOOSE)) == 2


def test_find_small_one_on_the_seam_kept(planted: Any) -> None:
    marks = planted.marks(block(10, 10, 3, 3), "clearing", GRANULE)
    seam = LineString([at(0, 13), at(100, 13)])
    assert len(detections.find(marks, GRANULE, RULES, seam=seam)) == 1
    assert detections.find(marks, GRANULE, RULES, seam=shapely.transform(seam, lambda xy: xy + 100)) == ()


def test_find_weaker_camp_on_a_clearing_dropped(planted: Any) -> None:
    found = find(
        planted.marks(block(10, 10, 20, 20), "clearing", GRANULE, log_odds=4),
        planted.marks(block(9, 9, 22, 22), "camp", GRANULE, log_odds=0.5),
    )
    assert [item.kind for item in found] == [Kind.CLEARING]
    assert found[0].area_m2 == 40_000


def test_find_sure_camp_on_a_surer_clearing_stays_a_camp(planted: Any) -> None:
    found = find(
        planted.marks(block(9, 9, 10, 10), "clearing", GRANULE, log_odds=5),
        planted.marks(block(10, 10, 8, 8), "camp", GRANULE, log_odds=1),
    )
    assert [(item.kind, item.area_m2) for item in found] == [(Kind.CAMP, 6_400)]


def test_find_stronger_camp_in_a_clearing_both(planted: Any) -> None:
    found = find(
        planted.marks(block(10, 10, 40, 40), "clearing", GRANULE, log_odds=2),
        planted.marks(block(20, 20, 4, 4), "camp", GRANULE, log_odds=5),
    )
    assert [(item.kind, item.area_m2) for item in found] == [(Kind.CLEARING, 158_400), (Kind.CAMP, 1_600)]


@pytest.mark.parametrize("strength", [1.0, 3.0, 5.0])
def test_find_track_leading_to_a_clearing_both(planted: Any, strength: float) -> None:
    line = LineString([at(70, 100), at(70, 240)])
    found = find(
        planted.marks(block(50, 50, 60, 60), "clearing", GRANULE, log_odds=3),
        planted.marks(line.buffer(15), "track", GRANULE, log_odds=strength),
    )
    assert [item.kind for item in found] == [Kind.CLEARING, Kind.TRACK]
    assert found[1].length_m == pytest.approx(1300, rel=0.15)
    assert found[0].area_m2 == pytest.approx(360_000, rel=0.02)


def test_find_track_that_the_clearing_also_covers_stays_a_track(planted: Any) -> None:
    line = LineString([at(70, 112), at(70, 240)])
    body, arm = block(50, 50, 60, 60), line.buffer(15)
    found = find(
        planted.marks(shapely.union(body, line.buffer(20)), "clearing", GRANULE, log_odds=2),
        planted.marks(shapely.union(arm, body.boundary.buffer(25)), "track", GRANULE, log_odds=2.5),
        rules=RULES,
    )
    assert [item.kind for item in found] == [Kind.CLEARING, Kind.TRACK]
    assert found[0].area_m2 == pytest.approx(360_000, rel=0.25)
    assert found[1].length_m >= 1200


def test_find_separate_shapes_not_touched_by_contests(planted: Any) -> None:
    found = find(
        planted.marks(block(10, 10, 20, 20), "clearing", GRANULE),
        planted.marks(block(10, 30, 3, 3), "camp", GRANULE, log_odds=0.5),
    )
    assert [item.area_m2 for item in found] == [40_000, 900]


def test_find_lies_beside_clouds_where_most_of_its_pixels_do(planted: Any) -> None:
    for share, beside in ((0.6, True), (0.5, False)):
        marks = planted.marks(block(10, 10, 10, 10), "clearing", GRANULE)
        marks["beside_cloud"][: int(share * len(marks))] = True
        assert [item.beside_cloud for item in find(marks)] == [beside]


def test_find_nothing_marked_nothing_found() -> None:
    assert detections.find(np.zeros(0, MARK), GRANULE, RULES) == ()


def test_d9_find_across_the_antimeridian_split(planted: Any) -> None:
    granule = grid.granule("60KYF")
    x = grid.reproject(Point(180, -17), 4326, granule.epsg).x
    y = grid.reproject(Point(180, -17), 4326, granule.epsg).y
    line = LineString([(x - 400, y), (x + 400, y + 30)])
    marks = [planted.marks(box(x - 200, y + 600, x + 200, y + 900), "clearing", granule)]
    marks += [planted.marks(line.buffer(15), "track", granule)]
    for item in detections.find(np.concatenate(marks), granule, RULES):
        assert item.geometry.bounds[0] == -180
        assert item.geometry.bounds[2] == 180
        assert len(item.geometry.geoms) == 2
        assert all(part.bounds[2] - part.bounds[0] < 0.1 for part in item.geometry.geoms)


layers = hnp.arrays(np.int8, st.tuples(st.just(3), st.integers(1, 16), st.integers(1, 16)), elements=st.integers(-6, 3))


@given(layers, st.randoms(use_true_random=False))
def test_find_any_marks_no_pixel_twice_and_order_free(planted: Any, layers: np.ndarray, random: Any) -> None:
    parts = [planted.pixels(*np.nonzero(layer > 0), kind.value) for kind, layer in zip(Kind, layers, strict=True)]
    for part, layer in zip(parts, layers, strict=True):
        part["log_odds"] = layer[layer > 0]
    marks = np.concatenate(parts)
    found = detections.find(marks, GRANULE, LOOSE)
    outlines = [grid.reproject(item.footprint, 4326, GRANULE.epsg) for item in found]
    assert sum(o.area for o in outlines) == pytest.approx(sum(item.area_m2 for item in found), rel=1e-5)
    assert shapely.union_all(outlines, grid_size=0.01).area == pytest.approx(
        sum(item.area_m2 for item in found), rel=1e-5
    )
    assert sum(item.area_m2 for item in found) <= len({(m["row"], m["col"]) for m in marks}) * 100
    order = list(range(len(marks)))
    random.shuffle(order)
    assert detections.find(marks[order], GRANULE, LOOSE) == found
    for item in found:
        assert item.geometry.is_valid
        assert 0 <= item.confidence <= 1
        assert item.hits <= item.looks
        assert item.first_seen <= item.last_seen


def test_find_moved_on_the_grid_same_shapes(planted: Any) -> None:
    shape = shapely.union(Point(at(300, 300)).buffer(200), LineString([at(300, 300), at(340, 420)]).buffer(12))
    here = planted.marks(shape, "clearing", GRANULE)
    there = here.copy()
    there["row"] += 5003
    there["col"] += 4001
    (one,), (other,) = find(here), find(there)
    assert one.area_m2 == other.area_m2
