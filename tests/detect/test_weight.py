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


def normal(count: int = 8, season: int = 8, barest: float | None = 0.6) -> Normal:
    shape = AROUND.shape
    values = np.full((6, *shape), 0.1, np.float32)
    counts = np.full(shape, count, np.uint8)
    low = np.full(shape, np.nan if barest is None else barest, np.float32)
    seasons = np.full(shape, season, np.uint8)
    pixels = schema.normal_pixels(values, values, counts, GRANULE, AROUND, season=seasons, barest=low)
    return Normal(AROUND, pixels, ())


def weigh(seen: Look, usual: Normal | None = None) -> np.ndarray:
    """Sixteenths."""
    return weight.weight(seen, usual or normal(), TILE) % weight.IN_SEASON


def test_weight_of_a_clear_registered_look_in_season_is_whole() -> None:
    assert (weight.weight(look(), normal(), TILE) % weight.BARER == weight.WHOLE + weight.IN_SEASON).all()


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


def test_weight_falls_with_the_share_of_other_seasons_and_tells_if_the_season_is_known() -> None:
    cases = ((8, 8), (8, 5), (8, 4), (8, 0), (2, 2))
    found = [weight.weight(look(), normal(*case), TILE)[0, 0] for case in cases]
    assert [code % weight.IN_SEASON for code in found] == [16, 13, 12, 8, 10]
    assert [code % weight.BARER >= weight.IN_SEASON for code in found] == [True, True, False, False, False]


@pytest.mark.parametrize(("barest", "barer"), [(0.04, True), (0.02, False), (-0.2, False), (None, True)])
def test_weight_tells_if_the_place_is_barer_than_before(barest: float | None, barer: bool) -> None:
    found = weight.weight(look(), normal(barest=barest), TILE)  # the look's NDVI is 0
    assert ((found & weight.BARER > 0) == barer).all()


def test_weight_tells_if_the_place_lies_away_from_clouds() -> None:
    seen = weight.weight(look((10, -30, 30), shift=Shift(1.2, 0, False, "")), normal(season=0), TILE)[20]
    assert (seen & weight.AWAY > 0).tolist() == [col >= 10 for col in range(len(seen))]
    trust = np.full((TILE.height, TILE.width), 0.6)
    assert (weight.weight(look(), normal(), TILE, trust=trust) & weight.AWAY == 0).all()


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
