from dataclasses import FrozenInstanceError, replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from pipeline import grid, schema
from pipeline.schema import Asset, Look, Normal, Part, Reason, Scene, Shift

GRANULE = grid.granule("44QLH")
WINDOW = grid.Window(-2, 100, 4, 5)


def part(**changes: object) -> Part:
    first = Part("S2A_one", "earth-search", "sentinel-2-l2a", "ds", "05.10", None, 0, (("B02", Asset("blue.tif")),))
    return replace(first, **changes)  # type: ignore[arg-type]


def scene(sensed: datetime, mgrs: str = "44QLH", parts: tuple[Part, ...] = ()) -> Scene:
    return Scene("s", "sentinel-2a", grid.granule(mgrs), sensed, None, 19, 1.0, parts, ("S2A_one",))


def look() -> Look:
    reflectance = np.arange(120, dtype=np.float32).reshape(6, 4, 5)
    reason = np.zeros((4, 5), np.uint8)
    reason[0, 0] = Reason.SNOW
    reflectance[:, 0, 0] = np.nan
    return Look(
        scene(datetime(2024, 1, 1, tzinfo=UTC)), WINDOW, schema.look_pixels(reflectance, reason, GRANULE, WINDOW)
    )


@pytest.mark.parametrize(
    ("mgrs", "sensed", "day"),
    [
        ("01KAB", datetime(2023, 8, 21, 22, 19, tzinfo=UTC), date(2023, 8, 21)),  # 177 W: 10:30 of the same date
        ("60KXE", datetime(2023, 8, 21, 22, 19, tzinfo=UTC), date(2023, 8, 22)),  # 177 E: 10:07 of the next
        ("44QLH", datetime(2024, 1, 1, 5, 30, tzinfo=UTC), date(2024, 1, 1)),
        ("10SDG", datetime(2018, 12, 31, 19, 3, tzinfo=UTC), date(2018, 12, 31)),
        ("59VMC", datetime(2022, 6, 30, 23, 59, tzinfo=UTC), date(2022, 7, 1)),
    ],
)
def test_d8_solar_day_near_midnight_utc_is_the_local_day(mgrs: str, sensed: datetime, day: date) -> None:
    assert scene(sensed, mgrs).solar_day == day


def test_revision_any_change_of_processing_changes_it() -> None:
    now = datetime(2024, 1, 1, tzinfo=UTC)
    first = scene(now, parts=(part(),))
    assert first.revision == scene(now, parts=(part(),)).revision
    others = [
        (part(baseline="05.11"),),
        (part(item_id="S2A_two"),),
        (part(collection="sentinel-2-c1-l2a"),),
        (part(generated=now),),
        (part(), part(item_id="S2A_two")),
    ]
    assert len({first.revision, *(scene(now, parts=parts).revision for parts in others)}) == 6


def test_asset_of_a_band_that_is_absent_none() -> None:
    assert part().asset("B02") == Asset("blue.tif")
    assert part().asset("B12") is None


def test_masked_only_clear_pixels_and_the_input_is_kept() -> None:
    before = look()
    where = np.zeros((4, 5), bool)
    where[0, :2] = True
    after = before.masked(where, Reason.RESIDUAL_CLOUD)
    assert after.reason[0].tolist() == [Reason.SNOW, Reason.RESIDUAL_CLOUD, 0, 0, 0]
    assert np.isnan(after.reflectance[:, 0, :2]).all()
    np.testing.assert_array_equal(after.reflectance[:, 1:], before.reflectance[:, 1:])
    assert before.reason[0, 1] == Reason.CLEAR
    assert np.isfinite(before.reflectance[:, 0, 1]).all()
    assert (after.reflectance.dtype, after.reason.dtype) == (np.float32, np.uint8)


def test_cropped_look_and_normal_same_pixels_and_coordinates() -> None:
    inner = grid.Window(-1, 102, 2, 3)
    small = look().cropped(inner)
    assert small.window == inner
    np.testing.assert_array_equal(small.reflectance, look().reflectance[:, 1:3, 2:5])
    for name, values in schema.coordinates(GRANULE, inner).items():
        np.testing.assert_allclose(small.pixels[name].values, values, atol=1e-6)
    layers = look().reflectance
    pixels = schema.normal_pixels(layers, layers / 10, look().reason, GRANULE, WINDOW)
    assert Normal(WINDOW, pixels, ()).cropped(inner).median.shape == (6, 2, 3)


def test_normal_pixels_without_season_counts_all_as_in_season() -> None:
    layers = look().reflectance
    count = np.arange(20, dtype=np.uint8).reshape(4, 5)
    pixels = schema.normal_pixels(layers, layers, count, GRANULE, WINDOW)
    np.testing.assert_array_equal(pixels["season"], count)
    pixels = schema.normal_pixels(layers, layers, count, GRANULE, WINDOW, season=count // 2)
    np.testing.assert_array_equal(pixels["season"], count // 2)


def test_coordinates_are_pixel_centres_of_the_grid() -> None:
    found = schema.coordinates(GRANULE, WINDOW)
    assert found["x"].tolist() == [GRANULE.left_m + 10 * col + 5 for col in range(100, 105)]
    assert found["y"].tolist() == [GRANULE.top_m - 10 * row - 5 for row in range(-2, 2)]


def test_look_pixels_bands_and_crs_said() -> None:
    pixels = look().pixels
    assert pixels["band"].values.tolist() == ["B02", "B03", "B04", "B08", "B11", "B12"]
    assert pixels.attrs["epsg"] == 32644


def test_reason_codes_stored_in_files_never_change() -> None:
    assert {reason.name: int(reason) for reason in Reason} == {
        "CLEAR": 0,
        "NODATA": 1,
        "CLOUD": 2,
        "SHADOW": 3,
        "SNOW": 4,
        "SATURATED": 5,
        "FAILED": 6,
        "RESIDUAL_CLOUD": 7,
    }


def test_kinds_order_of_every_kind_axis() -> None:
    assert schema.KINDS == ("clearing", "camp", "track")


def test_d33_mark_days_since_1970_fit() -> None:
    marks = np.zeros(1, schema.MARK)
    for name in ("first_day", "last_day"):
        marks[name] = (date(2100, 1, 1) - date(1970, 1, 1)).days
        assert marks[name][0] == 47482
    marks["row"] = marks["col"] = grid.GRANULE_PX
    assert (marks["row"][0], marks["col"][0]) == (10980, 10980)


def test_shift_length_both_directions() -> None:
    assert Shift(3.0, -4.0, True, "").length_px == 5


def test_shift_residual_is_all_of_it_unless_corrected_and_a_guess_where_unmeasured() -> None:
    assert Shift(0.2, 0.0, False, "").residual_px == 0.2
    assert Shift(1.2, 0.0, True, "").residual_px == 0.1
    assert Shift(0.0, 0.0, False, "", measured=False).residual_px == 0.3


def test_facts_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        scene(datetime(2024, 1, 1, tzinfo=UTC)).scene_id = "other"  # type: ignore[misc]
