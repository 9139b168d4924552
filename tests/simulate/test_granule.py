import pytest
from shapely.geometry import shape

from pipeline import grid
from pipeline.simulate import granule, region


def test_aoi_lies_in_the_square_of_the_granule_and_holds_all_that_is_planted() -> None:
    place = region.whole_granule()
    here = place.crops[0].granule
    owned = grid.home_squares(shape(granule._aoi(place)["geometry"]))
    assert list(owned) == [here]
    assert owned[here].area == pytest.approx((9980 * 10) ** 2, rel=1e-4)
    around = here.window_over(owned[here])
    assert (around.row, around.col) < (20, 20)
    assert min(around.height, around.width) > granule.BLOCK_PX
