import numpy as np
import pytest
import shapely

from pipeline import grid
from pipeline.grid import Window
from pipeline.simulate import region


@pytest.mark.parametrize("size", [(256, 256), (600, 800)])
def test_straddling_any_size_belongs_to_two_granules_on_their_20_m_lattice(size):
    place = region.straddling(size)
    ground = place.to_wgs84(shapely.box(1, 1, size[1] - 1, size[0] - 1))
    assert tuple(grid.home_squares(ground)) == tuple(crop.granule for crop in place.crops)
    for crop in place.crops:
        assert crop.on_granule.shape == crop.on_world.shape
        assert all(edge % 2 == 0 for edge in (crop.on_granule.row, crop.on_granule.col, *crop.on_granule.shape))
        assert all(edge % 2 == 0 for edge in (crop.on_world.row, crop.on_world.col))
        assert crop.granule.transform(crop.on_granule) == place.transform(crop.on_world)
    assert place.crops[0].on_world == Window(0, 0, *size)
    assert 19 < place.latitude < 21


def test_whole_granule_is_its_grid():
    place = region.whole_granule()
    assert place.crops[0].on_granule == place.crops[0].granule.window


def test_outline_of_a_cut_window_is_smaller_and_valid():
    place = region.straddling((100, 100))
    whole = region.outline(place, np.ones((100, 100), np.bool_), Window(0, 0, 100, 100))
    cut = region.outline(place, np.tri(100, dtype=np.bool_), Window(0, 0, 100, 100))
    assert cut.is_valid
    assert cut.area == pytest.approx(whole.area / 2, rel=0.03)


def test_within_lies_in_one_granule_on_one_cell() -> None:
    place = region.within((256, 256))
    (crop,) = place.crops
    assert crop.on_granule == crop.on_granule.aligned(256)
    middle = place.to_wgs84(shapely.Point(128, 128))
    assert list(grid.home_squares(middle.buffer(1e-4))) == [crop.granule]
    assert place.transform(Window(0, 0, 1, 1)) == crop.granule.transform(crop.on_granule)
