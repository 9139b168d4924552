"""Tracks: planted lines of known length and width come back as lines."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rasterio import features
from shapely import LineString, Point, union_all
from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.alerts import tracks

GRANULE = grid.granule("43RGM")
SIDE = 400
WINDOW = grid.Window(0, 0, SIDE, SIDE)


def line_at(points: list[tuple[float, float]]) -> LineString:
    """A line from (column, row) positions in pixels."""
    return LineString([(GRANULE.left_m + col * 10, GRANULE.top_m - row * 10) for col, row in points])


def pixels_of(*areas: BaseGeometry) -> tuple[np.ndarray, np.ndarray]:
    mask = features.rasterize(areas, (SIDE, SIDE), transform=GRANULE.transform(WINDOW))
    rows, cols = np.nonzero(mask)
    return rows, cols


def band(line: LineString, width_m: float) -> BaseGeometry:
    return line.buffer(width_m / 2, cap_style="flat")


STRAIGHT = {
    "west-east": line_at([(20, 50), (120, 50.4)]),
    "north-south": line_at([(50.2, 20), (50, 95)]),
    "diagonal": line_at([(20, 20), (100, 90)]),
    "slanting": line_at([(20, 20), (140, 55)]),
    "short": line_at([(50, 50), (72, 58)]),
}
WINDING = {
    "wide bends": line_at([(20 + x, 100 + 20 * math.sin(x / 15)) for x in np.arange(0, 200, 0.5)]),
    "narrow bends": line_at([(20 + x, 100 + 8 * math.sin(x / 6)) for x in np.arange(0, 200, 0.5)]),
    "spiral": line_at([(150 + t * 5 * math.cos(t), 150 + t * 5 * math.sin(t)) for t in np.arange(4, 18, 0.05)]),
}


@pytest.mark.parametrize("width_m", [20, 30, 40])
@pytest.mark.parametrize("name", [*STRAIGHT, *WINDING])
def test_trace_planted_line_length_within_five_percent(name: str, width_m: float) -> None:
    line = {**STRAIGHT, **WINDING}[name]
    found = tracks.trace(*pixels_of(band(line, width_m)), GRANULE)
    assert len(found) == 1
    assert found[0].length_m == pytest.approx(line.length, rel=0.05)
    assert found[0].width_m == pytest.approx(width_m, rel=0.1)
    assert found[0].line.hausdorff_distance(line) < 25
    assert found[0].line.geom_type == "LineString"


def test_trace_thin_line_width_not_below_a_pixel() -> None:
    rows = np.arange(30, 80)
    found = tracks.trace(rows, rows, GRANULE)
    assert found[0].width_m == 10
    assert found[0].length_m == pytest.approx(50 * 10 * math.sqrt(2), rel=0.05)


def test_trace_canopy_gap_up_to_60_m_one_track() -> None:
    line = line_at([(20, 20), (140, 55)])
    canopy = Point(line.interpolate(0.5, normalized=True)).buffer(25)
    found = tracks.trace(*pixels_of(band(line, 20).difference(canopy)), GRANULE)
    assert len(found) == 1
    assert found[0].length_m == pytest.approx(line.length, rel=0.05)
    assert found[0].width_m == pytest.approx(20, rel=0.1)


def test_trace_wide_gap_two_tracks() -> None:
    line = line_at([(20, 20), (140, 55)])
    canopy = Point(line.interpolate(0.5, normalized=True)).buffer(45)
    assert len(tracks.trace(*pixels_of(band(line, 20).difference(canopy)), GRANULE)) == 2


def test_trace_parallel_tracks_stay_apart() -> None:
    north, south = line_at([(20, 50), (100, 50)]), line_at([(20, 55), (100, 55)])
    found = tracks.trace(*pixels_of(band(north, 20), band(south, 20)), GRANULE)
    assert [round(track.length_m, -1) for track in found] == [800, 800]


def test_trace_side_road_one_track_with_all_lengths() -> None:
    main, side = line_at([(20, 100), (160, 100)]), line_at([(80, 100), (110, 40)])
    found = tracks.trace(*pixels_of(band(main, 20), band(side, 20)), GRANULE)
    assert len(found) == 1
    assert found[0].length_m == pytest.approx(main.length + side.length, rel=0.05)
    assert found[0].line.geom_type == "MultiLineString"


def test_trace_ragged_edge_no_spurs() -> None:
    line = line_at([(20, 50), (140, 80)])
    rng = np.random.default_rng(3)
    rows, _ = pixels_of(band(line, 30))
    near = np.argwhere(rng.random((SIDE, SIDE)) < 0.3)
    edge = [Point(GRANULE.left_m + c * 10 + 5, GRANULE.top_m - r * 10 - 5) for r, c in near]
    bumps = [p.buffer(4) for p in edge if line.distance(p) < 26]
    found = tracks.trace(*pixels_of(band(line, 30), *bumps), GRANULE)
    assert len(rows) < sum(len(track.pixels) for track in found)
    assert found[0].line.geom_type == "LineString"
    assert found[0].length_m == pytest.approx(line.length, rel=0.06)


def test_trace_small_holes_no_double_line() -> None:
    line = line_at([(20, 50), (140, 50)])
    holes = union_all([Point(GRANULE.left_m + c * 10 + 5, GRANULE.top_m - 495).buffer(4) for c in range(25, 140, 7)])
    found = tracks.trace(*pixels_of(band(line, 50).difference(holes)), GRANULE)
    assert found[0].length_m == pytest.approx(line.length, rel=0.05)


@pytest.mark.parametrize("side_px", [1, 3, 9, 30])
def test_trace_square_is_no_track(side_px: int) -> None:
    rows, cols = np.nonzero(np.ones((side_px, side_px)))
    assert tracks.trace(rows, cols, GRANULE) == ()


def test_trace_ring_road_once_around() -> None:
    ring = Point(GRANULE.left_m + 1000, GRANULE.top_m - 1000).buffer(400).exterior
    found = tracks.trace(*pixels_of(ring.buffer(15)), GRANULE)
    assert len(found) == 1
    assert found[0].length_m == pytest.approx(ring.length, rel=0.05)


def test_trace_nothing_gives_nothing() -> None:
    none = np.zeros(0, np.int32)
    assert tracks.trace(none, none, GRANULE) == ()


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14))))
def test_trace_any_mask_lines_valid_and_pixels_once(mask: np.ndarray) -> None:
    rows, cols = np.nonzero(mask)
    found = tracks.trace(rows, cols, GRANULE)
    used = [int(pixel) for track in found for pixel in track.pixels]
    assert len(used) == len(set(used)) <= len(rows)
    for track in found:
        assert track.line.is_valid
        assert track.line.geom_type in ("LineString", "MultiLineString")
        assert track.length_m == pytest.approx(track.line.length)
        assert track.length_m >= 3 * track.width_m >= 30
