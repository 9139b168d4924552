import numpy as np
import pytest
from scipy import ndimage

from pipeline.learn import planting
from pipeline.learn.planting import Bed, Wish
from pipeline.simulate import spectra

SIDE = 256


@pytest.fixture
def bed() -> Bed:
    """An even wood with a bare strip in the east and a hole in the data, seen twice."""
    wood = np.broadcast_to(spectra.typical("evergreen")[:, None, None], (6, SIDE, SIDE)).copy()
    wood[:, :, 200:] = spectra.typical("soil_brown")[:, None, None]
    wood[:, 40:60, 40:60] = np.nan
    woody = np.zeros((SIDE, SIDE), np.bool_)
    woody[:, :200] = True
    seen = np.isfinite(wood[0])
    fit = {"clearing": woody & seen, "camp": seen, "track": seen}
    return Bed((wood, wood * np.float32(1.1)), fit, woody, 250.0)


def test_plant_same_seed_same_changes_and_bed_left_alone(bed: Bed) -> None:
    before = [look.copy() for look in bed.looks]
    wishes = [Wish("clearing", 1.0), Wish("camp", 0.2), Wish("track", 8.0)]
    one, other = (planting.plant(bed, wishes, np.random.default_rng(5)) for _ in range(2))
    for look, same, real, old in zip(one[1], other[1], bed.looks, before, strict=True):
        np.testing.assert_array_equal(look, same)
        np.testing.assert_array_equal(real, old)
        assert not np.array_equal(look, real, equal_nan=True)
    assert [put.contrast for put in one[0]] == [put.contrast for put in other[0]]
    assert len(one[0]) == 3
    assert one[2] == ()


def test_plant_missing_stays_missing_and_far_pixels_stay_as_they_are(bed: Bed) -> None:
    planted, looks, _ = planting.plant(bed, [Wish("clearing", 2.0)], np.random.default_rng(1))
    touched = np.zeros((SIDE, SIDE), np.bool_)
    touched[planted[0].rows, planted[0].cols] = True
    far = ~ndimage.binary_dilation(touched, iterations=planting.GAP_PX)
    for look, real in zip(looks, bed.looks, strict=True):
        np.testing.assert_array_equal(np.isnan(look), np.isnan(real))
        np.testing.assert_array_equal(look[:, far], real[:, far])


def test_plant_clearing_has_its_size_and_a_contrast_that_is_that_of_its_surface(bed: Bed) -> None:
    planted, looks, _ = planting.plant(bed, [Wish("clearing", 4.0)] * 3, np.random.default_rng(2))
    for put in planted:
        assert 0.4 * 400 < len(put.rows) < 1.6 * 400  # 4 ha are 400 pixels; trees are kept in some
        assert put.wooded
        step = np.abs(looks[0][:, put.rows, put.cols] - bed.looks[0][:, put.rows, put.cols]).mean()
        assert 0.3 * step < put.contrast < 4 * step


def test_plant_changes_keep_their_distance(bed: Bed) -> None:
    planted, _, _ = planting.plant(bed, [Wish("clearing", 0.3)] * 40, np.random.default_rng(3))
    assert len(planted) > 10
    numbers = np.zeros((SIDE, SIDE), np.int32)
    for number, put in enumerate(planted, start=1):
        numbers[put.rows, put.cols] = number
    for number in range(1, len(planted) + 1):
        near = ndimage.binary_dilation(numbers == number, iterations=planting.GAP_PX - 1)
        assert set(np.unique(numbers[near])) <= {0, number}


def test_plant_clearings_only_in_woods_camps_anywhere(bed: Bed) -> None:
    planted, _, _ = planting.plant(
        bed, [Wish("camp", 0.1)] * 60 + [Wish("clearing", 0.1)] * 10, np.random.default_rng(4)
    )
    assert {put.wooded for put in planted if put.wish.kind == "camp"} == {True, False}
    assert {put.wooded for put in planted if put.wish.kind == "clearing"} == {True}


def test_plant_no_room_wishes_come_back(bed: Bed) -> None:
    nowhere = Bed(bed.looks, {kind: np.zeros((SIDE, SIDE), np.bool_) for kind in bed.fit}, bed.woody, 250.0)
    wishes = (Wish("clearing", 1.0), Wish("track", 5.0))
    planted, _, left = planting.plant(nowhere, wishes, np.random.default_rng(6))
    assert planted == ()
    assert left == wishes
