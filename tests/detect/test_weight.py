from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from pipeline import grid, schema
from pipeline.detect import weight
from pipeline.grid import Window
from pipeline.schema import Look, Normal, Reason, Shift

GRANULE = grid.granule("44QLH")
TILE = Window(256, 256, 40, 40)
AROUND = TILE.grown(weight.REACH_PX)


def look(*clouds: tuple[int, int, int], reason: Reason = Reason.CLOUD, shift: Shift = schema.NO_SHIFT) -> Look:
    """Squares (row, col, side) of a reason, counted from the tile's corner."""
    why = np.zeros(AROUND.shape, np.uint8)
    for row, col, side in clouds:
        why[row + weight.REACH_PX :, col + weight.REACH_PX :][:side, :side] = reason
    scene = schema.Scene("s", "", GRANULE, datetime(2024, 5, 1, tzinfo=UTC), None, None, 0.0, (), ())
    pixels = schema.look_pixels(np.zeros((6, *AROUND.shape), np.float32), why, GRANULE, AROUND)
    return Look(scene, AROUND, pixels, shift)


def normal(count: int = 8, season: int = 8) -> Normal:
    shape = AROUND.shape
    values = np.full((6, *shape), 0.1, np.float32)
    counts = np.full(shape, count, np.uint8)
    pixels = schema.normal_pixels(values, values, counts, GRANULE, AROUND, season=np.full(shape, season, np.uint8))
    return Normal(AROUND, pixels, ())


def weigh(seen: Look, usual: Normal | None = None) -> np.ndarray:
    """Sixteenths."""
    return weight.weight(seen, usual or normal(), TILE) % weight.IN_SEASON


def test_weight_of_a_clear_registered_look_in_season_is_whole() -> None:
    assert (weight.weight(look(), normal(), TILE) == weight.WHOLE + weight.IN_SEASON).all()


def test_weight_rises_with_the_distance_from_a_cloud() -> None:
    row = weigh(look((10, -30, 30)))[20]
    assert row[0] < weight.SUPPORT
    assert (np.diff(row.astype(int)) >= 0).all()
    assert row[17] == weight.WHOLE


def test_weight_beside_a_cloud_and_off_season_or_shifted_never_supports() -> None:
    for shift in (Shift(0.4, 0.3, False, ""), Shift(0, 0, False, "", measured=False)):
        assert weigh(look((10, -30, 30), shift=shift), normal(season=0))[20, 3] < weight.SUPPORT


def test_weight_off_season_far_from_clouds_still_supports() -> None:
    assert (weigh(look(shift=Shift(0, 0, False, "", measured=False)), normal(season=0)) >= weight.SUPPORT).all()


def test_weight_passes_over_a_bright_roof_with_its_dilation() -> None:
    assert (weigh(look((10, 10, 13))) == weight.WHOLE).all()


def test_weight_where_the_guard_overruled_falls_twice_as_far_away() -> None:
    cloud, overruled = (weigh(look((10, -30, 30), reason=r))[20] for r in (Reason.CLOUD, Reason.RESIDUAL_CLOUD))
    assert (overruled <= cloud).all()
    assert overruled[20] < cloud[20] == weight.WHOLE


@pytest.mark.parametrize("reason", [Reason.NODATA, Reason.SNOW, Reason.FAILED])
def test_weight_does_not_fall_beside_what_is_no_cloud(reason: Reason) -> None:
    assert (weigh(look((10, -30, 30), reason=reason)) == weight.WHOLE).all()


def test_weight_falls_with_the_registration_error() -> None:
    shifts = [Shift(r, 0, False, "") for r in (0, 0.3, 0.6, 1.2)]
    values = [int(weigh(look(shift=shift))[0, 0]) for shift in shifts]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == len(values)
    assert weigh(look(shift=Shift(1.2, 0, True, "")))[0, 0] > values[-1]


def test_weight_falls_with_the_share_of_other_seasons_and_tells_which_rule() -> None:
    found = [weight.weight(look(), normal(8, season), TILE)[0, 0] for season in (8, 5, 4, 0)]
    assert [code % weight.IN_SEASON for code in found] == [16, 13, 12, 8]
    assert [code >= weight.IN_SEASON for code in found] == [True, True, False, False]


def test_weight_falls_where_few_looks_made_the_normal_and_is_least_where_none_did() -> None:
    assert [int(weigh(look(), normal(n, n))[0, 0]) for n in (3, 2, 1, 0)] == [16, 10, 5, 1]


def test_weight_of_any_cut_is_the_same() -> None:
    rng = np.random.default_rng(3)
    places = [(int(r), int(c), int(s)) for r, c, s in rng.integers((-30, -30, 5), (60, 60, 30), (9, 3))]
    wide = replace(look(*places), shift=Shift(0.2, 0, False, ""))
    whole = weigh(wide)
    for part in (Window(256, 256, 20, 40), Window(276, 261, 20, 7)):
        cut = wide.cropped(part.grown(weight.REACH_PX))
        found = weight.weight(cut, normal().cropped(part), part) % weight.IN_SEASON
        assert (found == whole[part.within(TILE)]).all()


def test_weight_of_a_look_that_does_not_reach_far_enough_is_refused() -> None:
    with pytest.raises(ValueError, match="is needed"):
        weight.weight(look().cropped(TILE.grown(31)), normal(), TILE)
