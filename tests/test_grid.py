import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from shapely import Polygon, box

from pipeline import grid
from pipeline.aoi import area_km2
from pipeline.grid import Window

# what catalogues list for real products of each zone, hemisphere and letter cycle
KNOWN = [
    ("29RKH", 32629, 199980, 2800020),
    ("31NBJ", 32631, 199980, 900000),
    ("36NYH", 32636, 699960, 300000),
    ("13TDE", 32613, 399960, 4500000),
    ("59VMC", 32659, 399960, 6300000),
    ("01WCS", 32601, 300000, 7700040),
    ("47XML", 32647, 399960, 9100020),
    ("24MUV", 32724, 300000, 9500020),
    ("20EPT", 32720, 600000, 3300040),
    ("22HBD", 32722, 199980, 5900020),
    ("01CCV", 32701, 300000, 2000020),
    ("60CWS", 32760, 499980, 1200040),
]
windows = st.builds(Window, st.integers(-500, 500), st.integers(-500, 500), st.integers(1, 400), st.integers(1, 400))


@pytest.mark.parametrize(("mgrs", "epsg", "left", "top"), KNOWN)
def test_granule_known_tile_equals_the_real_grid(mgrs: str, epsg: int, left: int, top: int) -> None:
    assert grid.granule(mgrs) == grid.Granule(mgrs, epsg, left, top)
    assert grid.granule(f"T{mgrs}") == grid.granule(mgrs)


def listed_grids(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    """(mgrs, epsg, left, top) of the blue band of every recorded item."""
    for path in sorted(folder.rglob("*.json")):
        document = json.loads(path.read_text())
        for item in document.get("features", [document]) if isinstance(document, dict) else []:
            assets: dict[str, Any] = item.get("assets", {}) if isinstance(item, dict) else {}
            blue = assets.get("blue") or assets.get("B02") or assets.get("B02_10m") or {}
            name = re.search(r"_T?(\d\d[C-X][A-Z]{2})_", item.get("id", "") if blue else "")
            if name and "proj:transform" in blue:
                facts = item["properties"] | blue
                code = facts.get("proj:code") or facts["proj:epsg"]
                epsg = int(str(code).removeprefix("EPSG:"))
                yield name[1], epsg, int(blue["proj:transform"][2]), int(blue["proj:transform"][5])


def test_granule_all_recorded_items_equal_their_grids(shared_data: Path) -> None:
    found = set(listed_grids(shared_data / "stac"))
    found.discard(("34LBQ", 32734, 199980, 8900020))  # a recorded test item that carries its neighbour's raster
    assert len(found) > 50
    for mgrs, epsg, left, top in found:
        assert grid.granule(mgrs) == grid.Granule(mgrs, epsg, left, top)


def test_owned_areas_middle_of_all_recorded_tiles_their_own(shared_data: Path) -> None:
    for mgrs, epsg, left, top in sorted(set(listed_grids(shared_data / "stac"))):
        if mgrs == "34LBQ":
            continue
        middle = shapely.Point(left + 55_000, top - 55_000).buffer(1000)
        place = grid.reproject(middle, epsg, 4326)
        west, _, east, _ = place.bounds
        zone = epsg % 100
        if 6 * zone - 186 < west and east < 6 * zone - 180:  # tiles reach into the next zone, which then has its own
            assert [g.mgrs for g in grid.owned_areas(place)] == [mgrs]


@pytest.mark.parametrize(
    "name", ["", "T", "31UD", "31UDSX", "00UDS", "61UDS", "31IDS", "31UIS", "31UDO", "31UZS", "abc"]
)
def test_granule_no_mgrs_tile_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not an MGRS tile"):
        grid.granule(name)


def test_granule_zone_without_leading_zero_same() -> None:
    assert grid.granule("1KAB") == grid.granule("01KAB")


@given(windows, st.integers(0, 100))
def test_grown_any_window_shrinks_back(window: Window, by_px: int) -> None:
    assert window.grown(by_px).grown(-by_px) == window
    assert window.clipped(window.grown(by_px)) == window


@given(windows, st.integers(1, 64))
def test_aligned_any_window_smallest_around(window: Window, to_px: int) -> None:
    outer = window.aligned(to_px)
    edges = (outer.row, outer.col, outer.row + outer.height, outer.col + outer.width)
    assert all(edge % to_px == 0 for edge in edges)
    assert window.clipped(outer) == window
    assert outer.height < window.height + 2 * to_px
    assert outer.width < window.width + 2 * to_px


@given(windows, windows)
def test_clipped_any_two_windows_counts_common_pixels(one: Window, other: Window) -> None:
    def cells(window: Window) -> np.ndarray:
        canvas = np.zeros((2000, 2000), bool)
        canvas[Window(window.row + 600, window.col + 600, window.height, window.width).within(Window(0, 0, 0, 0))] = 1
        return canvas

    common = one.clipped(other)
    assert common.height * common.width == np.count_nonzero(cells(one) & cells(other))
    assert common.empty == (common.height == 0 or common.width == 0)


def test_within_window_of_a_position_array_finds_its_pixels() -> None:
    outer = Window(100, 200, 30, 40)
    positions = np.add.outer(1000 * np.arange(100, 130), np.arange(200, 240))
    inner = Window(110, 205, 3, 4)
    np.testing.assert_array_equal(
        positions[inner.within(outer)], np.add.outer(1000 * np.arange(110, 113), np.arange(205, 209))
    )


def test_transform_window_bounds_and_transform_agree() -> None:
    granule = grid.granule("44QLH")
    window = Window(-5, 20, 10, 30)
    west, south, east, north = granule.window_bounds(window)
    assert granule.transform(window) @ (0, 0) == (west, north)
    assert granule.transform(window) @ (30, 10) == (east, south)
    assert granule.window_bounds(granule.window) == granule.bounds


def test_window_over_any_shape_smallest_and_within_the_grid() -> None:
    granule = grid.granule("44QLH")
    west, _, _, north = granule.bounds
    inside = box(west + 101, north - 299, west + 149, north - 201)
    assert granule.window_over(inside) == Window(20, 10, 10, 5)
    assert granule.window_over(box(west - 500, north - 30, west + 20, north + 500)) == Window(0, 0, 3, 2)
    assert granule.window_over(box(west - 500, north, west - 400, north + 10)).empty


def test_reproject_there_and_back_same_place() -> None:
    shape = box(80.0, 19.5, 80.5, 20.0)
    back = grid.reproject(grid.reproject(shape, 4326, 32644), 32644, 4326)
    assert back.equals_exact(shape, 1e-9)


small_places = st.builds(
    lambda x, y, w, h: box(x, y, x + w, y + h),
    st.one_of(st.floats(-179, 178), st.floats(83.7, 84.1), st.floats(-0.2, 0.1)),
    st.one_of(st.floats(-75, 80), st.floats(-0.2, 0.1), st.floats(55.8, 64.0)),
    st.floats(0.01, 0.4),
    st.floats(0.01, 0.4),
)


@settings(max_examples=40)
@given(small_places)
def test_d14_owned_areas_any_place_given_out_exactly_once(place: Polygon) -> None:
    parts = grid.owned_areas(place)
    moved = [grid.reproject(shapely.segmentize(part, 500), g.epsg, 4326) for g, part in parts.items()]
    assert sum(part.area for part in moved) == pytest.approx(place.area, rel=1e-4)
    assert shapely.union_all(moved).symmetric_difference(place).area < 2e-4 * place.area
    for granule, part in parts.items():
        assert box(*granule.bounds).buffer(100).contains(part)


@settings(max_examples=25)
@given(small_places, st.integers(1, 5))
def test_owned_areas_neighbour_missing_others_take_over(place: Polygon, missing: int) -> None:
    homes = sorted(grid.owned_areas(place))
    around = {grid._square_granule(z, e, c, r, n) for z, e, c, r, n in squares_around(homes)}
    available = sorted(around - set(homes[:missing]))
    parts = grid.owned_areas(place, available)
    assert set(parts) <= set(available)
    moved = [grid.reproject(shapely.segmentize(part, 500), g.epsg, 4326) for g, part in parts.items()]
    assert sum(part.area for part in moved) == pytest.approx(shapely.union_all(moved).area, rel=1e-3)
    for granule, part in parts.items():
        assert box(*granule.bounds).buffer(100).contains(part)


def squares_around(homes: list[grid.Granule]) -> Iterator[tuple[int, int, int, int, bool]]:
    for home in homes:
        column, row = round(home.left_m / 1e5), round((home.top_m - 1e5) / 1e5)
        for c in range(max(1, column - 1), min(8, column + 1) + 1):
            for r in range(max(0, row - 1), row + 2):
                yield home.epsg % 100, home.epsg, c, r, home.epsg < 32700


def test_owned_areas_only_the_overlapping_neighbour_has_scenes_it_owns_the_overlap() -> None:
    home, above = grid.granule("44QLH"), grid.granule("44QLJ")
    overlap = box(310_000, above.bounds[1] + 100, 320_000, above.bounds[1] + 5_000)
    below = box(310_000, above.bounds[1] - 5_000, 320_000, above.bounds[1])
    place = grid.reproject(overlap.union(below), 32644, 4326)
    assert set(grid.owned_areas(place)) == {home}
    owned = grid.owned_areas(place, [above])
    assert set(owned) == {above}
    assert owned[above].area == pytest.approx(overlap.area, rel=1e-3)
    assert grid.owned_areas(place, []) == {}


@settings(max_examples=12)
@given(small_places, st.sampled_from([256, 512, 1024, 2048, 10980]), st.sampled_from([None, 1, 64, 256]))
def test_tiles_over_any_size_each_pixel_owned_once(place: Polygon, tile_px: int, cell_px: int | None) -> None:
    place = place.intersection(place.centroid.buffer(0.02))
    tiles = grid.tiles_over(place, tile_px=tile_px, cell_px=cell_px)
    pixels = owned_positions(tiles)
    assert len(pixels) == len(np.unique(pixels))
    np.testing.assert_array_equal(np.sort(pixels), np.sort(owned_positions(grid.tiles_over(place, tile_px=10980))))
    assert len({tile.key for tile in tiles}) == len(tiles)


def owned_positions(tiles: tuple[grid.Tile, ...]) -> np.ndarray:
    """A number for each owned pixel that tells granule, row and column."""
    names = sorted({tile.granule for tile in tiles})
    found = [np.empty(0, np.int64)]
    for tile in tiles:
        rows, cols = np.nonzero(tile.owned())
        place = names.index(tile.granule) * grid.GRANULE_PX + rows + tile.window.row
        found.append(place * grid.GRANULE_PX + cols + tile.window.col)
    return np.concatenate(found)


def test_tiles_over_last_tile_of_a_granule_smaller_not_dropped() -> None:
    granule = grid.granule("44QLH")
    _, south, east, _ = granule.bounds
    place = grid.reproject(box(east - 30_000, south + 12_000, east - 12_000, south + 30_000), 32644, 4326)
    tiles = grid.tiles_over(place, tile_px=4096, available=[granule])
    assert max(t.window.row + t.window.height for t in tiles) == grid.GRANULE_PX
    assert sum(np.count_nonzero(t.owned()) for t in tiles) == pytest.approx(1800 * 1800, rel=1e-3)


def test_tiles_over_touching_outline_leaves_no_lines() -> None:
    # its side runs along an edge between two squares: the intersection holds a line as well
    corners = [(390, 2250), (400, 2250), (400, 2260), (410, 2260), (410, 2270), (400, 2270), (400, 2280), (390, 2280)]
    shape = shapely.transform(Polygon(corners), lambda xy: xy * 1000)
    clipped = shape.intersection(box(400_000, 2_200_000, 500_000, 2_300_000))
    assert clipped.geom_type == "GeometryCollection"
    assert grid._areas(clipped).geom_type == "Polygon"
    assert grid._areas(clipped).area == clipped.area


def test_d9_split_at_antimeridian_ring_that_jumps_gives_two_sides() -> None:
    ring = Polygon([(179.8, -17), (-179.8, -17), (-179.8, -16.6), (179.8, -16.6)])
    split = grid.split_at_antimeridian(ring)
    assert split.bounds == (-180, -17, 180, -16.6)
    assert split.area == pytest.approx(0.4 * 0.4)
    assert all(part.area == pytest.approx(0.2 * 0.4) for part in split.geoms)


@pytest.mark.parametrize("shift", [-360, 0])
def test_d9_split_at_antimeridian_beyond_180_comes_back(shift: int) -> None:
    place = box(179.5 + shift, 10, 180.5 + shift, 11)
    split = grid.split_at_antimeridian(place)
    assert split.area == pytest.approx(1)
    assert (split.bounds[0], split.bounds[2]) == (-180, 180)


def test_d9_split_at_antimeridian_ordinary_place_unchanged() -> None:
    assert grid.split_at_antimeridian(box(80, 19, 81, 20)).equals(box(80, 19, 81, 20))


def test_d9_tiles_over_antimeridian_tiles_of_zones_1_and_60() -> None:
    place = grid.split_at_antimeridian(Polygon([(179.9, -17), (-179.9, -17), (-179.9, -16.9), (179.9, -16.9)]))
    tiles = grid.tiles_over(place, tile_px=2048)
    assert {tile.granule.epsg for tile in tiles} == {32701, 32760}
    for tile in tiles:
        middle = grid.reproject(tile.area.centroid, tile.granule.epsg, 4326)
        assert abs(middle.x) > 179.8


def test_unwrapped_crossing_ring_that_seems_to_cross_itself_is_valid() -> None:
    ring = Polygon([(179.9, -16.0), (-179.9, -16.9), (-179.95, -16.8), (179.8, -16.5)])
    assert not ring.is_valid
    assert grid.unwrapped(ring).is_valid


def test_unwrapped_several_parts_each_by_itself() -> None:
    parts = shapely.multipolygons([box(10, 1, 11, 2), Polygon([(179, 5), (-179, 5), (-179, 6), (179, 6)])])
    assert grid.unwrapped(parts).bounds == (10, 1, 181, 6)


@pytest.mark.parametrize("key", ["32V", "31X", "33X", "35X", "37X"])
def test_home_squares_norway_and_svalbard_wide_zones(key: str) -> None:
    # Bergen lies west of 6 E in zone 32; zones 32, 34 and 36 do not exist in band X
    longitude, latitude = {"32V": (5.3, 60.4), "31X": (8, 78), "33X": (20, 78), "35X": (32, 78), "37X": (40, 78)}[key]
    place = shapely.Point(longitude, latitude).buffer(0.01)
    assert {g.mgrs[:3] for g in grid.home_squares(place)} == {key}


@given(small_places)
def test_granule_any_home_square_found_again_by_name(place: Polygon) -> None:
    for granule in grid.home_squares(place):
        assert grid.granule(granule.mgrs) == granule
        assert CRS.from_epsg(granule.epsg).linear_units == "metre"


def test_uncovered_is_what_no_available_granule_reaches_without_slivers() -> None:
    here = grid.granule("43RGM")
    west, south, _, _ = here.bounds
    inside = box(west + 20_000, south + 20_000, west + 30_000, south + 30_000)
    across = box(west - 12_000, south + 20_000, west + 30_000, south + 30_000)
    assert grid.uncovered(grid.reproject(inside, here.epsg, 4326), [here]).is_empty
    left = grid.uncovered(grid.reproject(across.segmentize(1000), here.epsg, 4326), [here])
    assert area_km2(left) == pytest.approx(120, rel=0.001)
    assert area_km2(grid.uncovered(left, [])) == pytest.approx(120, rel=0.001)


@pytest.mark.parametrize("available", [["43RGM", "44RKT"], ["43RGM"], ["44RKT"], []])
def test_uncovered_and_owned_areas_together_are_the_whole_at_a_zone_boundary(available: list[str]) -> None:
    area = box(77.7, 29.0, 78.3, 29.2)
    granules = [grid.granule(name) for name in available]
    owned = sum(
        area_km2(grid.reproject(part.segmentize(500), granule.epsg, 4326))
        for granule, part in grid.owned_areas(area, granules).items()
    )
    assert owned + area_km2(grid.uncovered(area, granules)) == pytest.approx(area_km2(area), rel=1e-4)
