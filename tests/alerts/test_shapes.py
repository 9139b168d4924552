"""Shapes: valid outlines with the area of their pixels, against slow and obvious oracles."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rasterio import features
from scipy import ndimage

from pipeline import grid
from pipeline.alerts import shapes

GRANULE = grid.granule("31UDS")
masks = hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(masks)
def test_groups_any_mask_same_as_dense_labelling(mask: np.ndarray) -> None:
    rows, cols = np.nonzero(mask)
    dense, count = ndimage.label(mask, np.ones((3, 3)))
    labels = shapes.groups(rows + 5000, cols + 7000)
    assert sorted(set(labels.tolist())) == list(range(count))
    assert len(set(zip(labels.tolist(), dense[rows, cols].tolist(), strict=True))) == count


@given(masks, st.randoms(use_true_random=False))
def test_groups_other_order_same_numbers(mask: np.ndarray, random: object) -> None:
    rows, cols = np.nonzero(mask)
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert shapes.groups(rows[order], cols[order]).tolist() == shapes.groups(rows, cols)[order].tolist()


@given(masks.filter(np.any))
def test_d24_polygon_any_mask_valid_with_the_area_of_its_pixels(mask: np.ndarray) -> None:
    rows, cols = np.nonzero(mask)
    labels = shapes.groups(rows, cols)
    total = 0.0
    for pixels in shapes.members(labels):
        outline = shapes.polygon(rows[pixels], cols[pixels], GRANULE)
        assert outline.geom_type in ("Polygon", "MultiPolygon")
        assert outline.is_valid
        assert outline.area == len(pixels) * shapes.PIXEL_M2
        total += outline.area
    assert total == mask.sum() * shapes.PIXEL_M2


@given(masks.filter(np.any))
def test_d24_polygon_drawn_back_same_pixels(mask: np.ndarray) -> None:
    rows, cols = np.nonzero(mask)
    outline = shapes.polygon(rows + 100, cols + 200, GRANULE)
    window = grid.Window(100, 200, *mask.shape)
    back = features.rasterize([outline], mask.shape, transform=GRANULE.transform(window))
    assert np.array_equal(back.astype(bool), mask)


def test_d24_polygon_corner_touch_one_multipolygon() -> None:
    outline = shapes.polygon(np.array([0, 1]), np.array([0, 1]), GRANULE)
    assert outline.geom_type == "MultiPolygon"
    assert outline.is_valid


def test_d24_polygon_hole_touching_the_edge_area_kept() -> None:
    mask = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]], bool)
    outline = shapes.polygon(*np.nonzero(mask), GRANULE)
    assert outline.is_valid
    assert outline.area == mask.sum() * 100


def test_groups_nothing_gives_nothing() -> None:
    none = np.zeros(0, np.int32)
    assert len(shapes.groups(none, none)) == 0
    assert shapes.members(shapes.groups(none, none)) == []


def test_groups_edge_to_edge_of_the_grid_no_wrap() -> None:
    rows, cols = np.array([0, 1]), np.array([grid.GRANULE_PX - 1, 0])
    assert shapes.groups(rows, cols).tolist() == [0, 1]


def test_polygonal_collection_lines_dropped() -> None:
    mixed = shapely.GeometryCollection([shapely.box(0, 0, 1, 1), shapely.LineString([(1, 1), (2, 2)])])
    assert shapes.polygonal(mixed).area == pytest.approx(1)
