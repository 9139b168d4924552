import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import schema
from pipeline.simulate import canvas, optics, outlines, shapes


@given(
    style=st.sampled_from(outlines.OUTLINES),
    area_ha=st.floats(0.05, 20),
    centre=st.tuples(st.floats(-50, 300), st.floats(-50, 300)),
    seed=st.integers(0, 99),
)
@settings(max_examples=25)
def test_clearing_any_outline_coverage_is_the_true_area(style, area_ha, centre, seed):
    rng = np.random.default_rng(seed)
    made = shapes.clearing(rng, centre=centre, area_ha=area_ha, outline=style, kept=0.0)
    assert made.area_m2 == pytest.approx(area_ha * 1e4, rel=1e-6)
    assert made.geometry.area * 100 == pytest.approx(made.area_m2, rel=1e-6)
    assert made.changed_m2 == pytest.approx(made.area_m2, rel=0.02)
    assert made.geometry.is_valid


def test_clearing_with_trees_kept_changes_less_ground():
    made = shapes.clearing(np.random.default_rng(0), centre=(0, 0), area_ha=4, kept=0.4)
    assert made.changed_m2 == pytest.approx(0.6 * made.area_m2, rel=0.1)


@pytest.mark.parametrize("cover", list(shapes.COVERS))
def test_clearing_every_cover_differs_from_forest(cover):
    made = shapes.clearing(np.random.default_rng(1), centre=(0, 0), area_ha=1, cover=cover, kept=0.0)
    forest = np.array([0.021, 0.039, 0.022, 0.285, 0.120, 0.047])[:, None]
    inside = made.target()[:, made.coverage > 0.9]
    assert np.abs(inside.mean(axis=1) / forest[:, 0] - 1).max() > 0.3


@given(length_m=st.floats(200, 5000), width_m=st.floats(3, 20), seed=st.integers(0, 99))
@settings(max_examples=15)
def test_track_any_size_has_its_length_and_never_more_than_its_area(length_m, width_m, seed):
    made = shapes.track(np.random.default_rng(seed), centre=(0, 0), length_m=length_m, width_m=width_m)
    assert made.geometry.length * 10 == pytest.approx(length_m, rel=1e-6)
    assert (made.length_m, made.width_m) == (pytest.approx(length_m), width_m)
    assert 0.1 * made.area_m2 < made.changed_m2 < 1.02 * made.area_m2
    assert made.geometry.is_simple


@pytest.mark.parametrize("area_ha", [0.04, 0.5, 2.0])
def test_camp_any_size_has_roofs_of_several_colours(area_ha):
    made = shapes.camp(np.random.default_rng(2), centre=(10, 10), area_ha=area_ha)
    assert len(np.unique(made.material)) >= 3
    assert area_ha * 1e4 <= made.area_m2 < 1.3 * area_ha * 1e4


@pytest.mark.parametrize("kind", schema.KINDS)
def test_random_planted_same_seed_same_bytes_and_room_for_the_blur(kind):
    one, two = (shapes.random_planted(kind, np.random.default_rng(7), frame_px=(256, 256)) for _ in range(2))
    for name in ("coverage", "material", "brightness", "spectra"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
    assert one.geometry.equals(two.geometry)
    assert one.row % 2 == one.col % 2 == 0
    assert 0 <= one.coverage.min() <= one.coverage.max() <= 1
    rim = (canvas.PAD_PX - 1) * optics.FACTOR
    assert not one.coverage[:rim].any()
    assert not one.coverage[:, -rim:].any()
    assert one.target().shape == (6, *one.coverage.shape)


@pytest.mark.parametrize("kind", schema.KINDS)
def test_random_planted_label_lies_on_the_geometry(kind):
    made = shapes.random_planted(kind, np.random.default_rng(3), frame_px=(256, 256))
    label = optics.inject(
        np.full((6, 256, 256), 0.05, np.float32), made.coverage, made.target(), at=(made.row, made.col)
    ).label
    rows, cols = np.nonzero(label > 0.3)
    west, north, east, south = made.geometry.buffer(25).bounds  # camps have footpaths outside their outline
    assert ((rows > north - 1) & (rows < south + 1) & (cols > west - 1) & (cols < east + 1)).all()
    assert label.any()


def test_random_planted_unknown_kind_says_what_there_is():
    with pytest.raises(ValueError, match="clearing, camp, track"):
        shapes.random_planted("airstrip", np.random.default_rng(0), frame_px=(64, 64))


def test_moved_shifts_arrays_and_geometry_together():
    made = shapes.camp(np.random.default_rng(0), centre=(20, 30), area_ha=0.5)
    moved = made.moved(4, -6)
    assert (moved.row, moved.col) == (made.row + 4, made.col - 6)
    assert moved.geometry.centroid.x == pytest.approx(made.geometry.centroid.x - 6)
    assert moved.geometry.centroid.y == pytest.approx(made.geometry.centroid.y + 4)
