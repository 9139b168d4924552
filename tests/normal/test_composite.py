from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from pipeline import grid, schema
from pipeline.config import NormalRules
from pipeline.normal import composite, seasonal
from pipeline.schema import Look, Normal, Reason, Scene

GRANULE = grid.granule("44QLH")
RULES = NormalRules()
ANCHOR = date(2024, 6, 1)
FOREST = np.array([0.03, 0.05, 0.04, 0.30, 0.15, 0.07], np.float32)
SOIL = np.array([0.10, 0.14, 0.19, 0.26, 0.33, 0.27], np.float32)
CLOUD = np.array([0.45, 0.45, 0.46, 0.55, 0.45, 0.40], np.float32)


def scene(day: date) -> Scene:
    sensed = datetime(day.year, day.month, day.day, 5, 30, tzinfo=UTC)
    return Scene(f"S2_{day:%Y%m%d}", "sentinel-2a", GRANULE, sensed, None, 19, 5.0, (), ())


def look(values: np.ndarray, *, day: date, reason: np.ndarray | None = None, row: int = 0) -> Look:
    """`values` is (band, y, x), or (band,) for a single pixel."""
    cube = values.reshape(6, 1, 1) if values.ndim == 1 else values
    reason = np.where(np.isnan(cube).all(axis=0), np.uint8(Reason.CLOUD), np.uint8(0)) if reason is None else reason
    window = grid.Window(row, 0, *cube.shape[1:])
    return Look(scene(day), window, schema.look_pixels(cube.astype(np.float32), reason, GRANULE, window))


def season(index: int) -> date:
    return date(2023, 5, 1) + timedelta(days=3 * index)


def build(looks: list[Look], rules: NormalRules = RULES) -> Normal:
    return composite.build(looks, granule=GRANULE, window=looks[0].window, anchor=ANCHOR, rules=rules)


def pixel(*spectra: np.ndarray, rules: NormalRules = RULES) -> Normal:
    return build([look(values, day=season(i)) for i, values in enumerate(spectra)], rules)


def noisy_looks(count: int, shape: tuple[int, int], seed: int) -> list[Look]:
    """Noisy forest and soil; random masked pixels, missed clouds, missed shadows, a band missing here and there."""
    rng = np.random.default_rng(seed)
    ground = np.where(rng.random(shape) < 0.5, FOREST[:, None, None], SOIL[:, None, None])
    looks = []
    for index in range(count):
        cube = (ground + rng.normal(0, 0.01, (6, *shape))).astype(np.float32)
        cube = np.where(rng.random(shape) < 0.1, CLOUD[:, None, None] * rng.uniform(0.4, 1), cube)
        cube = np.where(rng.random(shape) < 0.1, cube * 0.35, cube)
        reason = np.where(rng.random(shape) < 0.3, Reason.CLOUD, Reason.CLEAR).astype(np.uint8)
        cube = np.where(reason == 0, cube, np.nan).astype(np.float32)
        cube[rng.integers(6), rng.random(shape) < 0.02] = np.nan
        day = season(index) if index % 3 else date(2024, 1, 1) + timedelta(days=index)
        looks.append(look(cube, day=day, reason=reason))
    return looks


def oracle(looks: list[Look], y: int, x: int, rules: NormalRules) -> tuple[np.ndarray, np.ndarray, int, int, float]:
    """One pixel, slowly and obviously."""
    used: list[tuple[np.ndarray, bool]] = []
    for item in sorted(looks, key=lambda item: seasonal.order(item.scene, ANCHOR, rules)):
        values, same = item.reflectance[:, y, x], seasonal.in_season(item.scene.solar_day, ANCHOR, rules)
        room = len(used) < (rules.max_looks if same else rules.min_looks)
        if item.reason[y, x] == 0 and not np.isnan(values).any() and room:
            used.append((values, same))
    if not used:
        return np.full(6, np.nan), np.full(6, np.nan), 0, 0, np.nan
    stack = np.array([values for values, _ in used])
    blue, white, nir, swir = stack[:, 0], stack[:, 0] - stack[:, 2] / 2, stack[:, 3], stack[:, 4]
    third = (len(used) - 1) // 3
    blue_low, white_low = np.sort(blue)[third], np.sort(white)[third]
    cloud = (blue > blue_low + np.float32(0.03)) & (
        white > white_low + max(np.float32(0.02), np.float32(0.25) * abs(white_low))
    )
    shadow = (nir < np.median(nir) / 2) & (nir < np.median(nir) - np.float32(0.05)) & (swir < np.median(swir) / 2)
    keep = ~(cloud | shadow)
    median = np.median(stack[keep], axis=0)
    mad = np.median(np.abs(stack[keep] - median), axis=0)
    floor = np.float32(rules.min_spread * {1: 3, 2: 2}.get(int(keep.sum()), 1))
    spread = np.maximum(np.float32(1.4826) * mad, floor)
    ndvi = np.sort((stack[keep][:, 3] - stack[keep][:, 2]) / (stack[keep][:, 3] + stack[keep][:, 2]))
    barest = float(ndvi[1 if len(ndvi) >= 4 else 0])
    return median, spread, int(keep.sum()), sum(same for (_, same), ok in zip(used, keep, strict=True) if ok), barest


@pytest.mark.parametrize(("count", "rules"), [(1, RULES), (5, RULES), (17, NormalRules(max_looks=6, min_looks=5))])
def test_build_any_looks_equals_slow_oracle(count: int, rules: NormalRules) -> None:
    looks = noisy_looks(count, (7, 11), seed=count)
    normal = build(looks, rules)
    for y in range(7):
        for x in range(11):
            median, spread, used, same, barest = oracle(looks, y, x, rules)
            np.testing.assert_array_equal(normal.barest[y, x], np.float32(barest))
            np.testing.assert_array_equal(normal.median[:, y, x], median.astype(np.float32))
            np.testing.assert_array_equal(normal.spread[:, y, x], spread.astype(np.float32))
            assert (normal.count[y, x], normal.pixels["season"].values[y, x]) == (used, same)


def test_build_cut_into_strips_same_bits() -> None:
    looks = noisy_looks(9, (24, 13), seed=3)
    whole = build(looks)
    for start, stop in ((0, 1), (1, 17), (17, 24)):
        window = grid.Window(start, 0, stop - start, 13)
        part = composite.build(
            [item.cropped(window) for item in looks], granule=GRANULE, window=window, anchor=ANCHOR, rules=RULES
        )
        for name in ("median", "spread", "barest", "count", "season"):
            expected = whole.pixels[name].isel(y=slice(start, stop)).values
            assert part.pixels[name].values.tobytes() == expected.tobytes()


def test_build_looks_in_any_order_same_normal() -> None:
    looks = noisy_looks(9, (5, 6), seed=4)
    one, other = build(looks), build(looks[::-1])
    assert one.pixels.identical(other.pixels)
    assert one.scene_ids == other.scene_ids


def test_build_looks_left_unchanged() -> None:
    looks = noisy_looks(4, (5, 6), seed=5)
    before = [item.reflectance.tobytes() for item in looks]
    build(looks)
    assert [item.reflectance.tobytes() for item in looks] == before


def test_build_missed_cloud_does_not_enter_the_normal() -> None:
    normal = pixel(FOREST, FOREST, CLOUD, FOREST)
    np.testing.assert_array_equal(normal.median[:, 0, 0], FOREST)
    assert normal.count[0, 0] == 3
    np.testing.assert_allclose(normal.spread, RULES.min_spread)


def test_build_most_looks_missed_clouds_still_finds_the_ground() -> None:
    normal = pixel(CLOUD, CLOUD * 0.8, FOREST, CLOUD * 0.9, FOREST)
    np.testing.assert_array_equal(normal.median[:, 0, 0], FOREST)


def test_build_missed_haze_does_not_enter_the_normal() -> None:
    haze = FOREST + np.array([0.06, 0.055, 0.05, 0.03, 0.02, 0.01], np.float32)
    assert pixel(FOREST, haze, FOREST, haze, FOREST).count[0, 0] == 3


def test_build_missed_shadow_does_not_enter_the_normal() -> None:
    normal = pixel(FOREST, FOREST * 0.3, FOREST, FOREST * 0.25, FOREST)
    np.testing.assert_array_equal(normal.median[:, 0, 0], FOREST)
    assert normal.count[0, 0] == 3


def test_build_field_bare_in_some_looks_keeps_them_and_is_unsteady() -> None:
    crop = np.array([0.04, 0.07, 0.05, 0.42, 0.20, 0.11], np.float32)
    normal = pixel(crop, SOIL, crop, SOIL, SOIL, crop)
    assert normal.count[0, 0] == 6
    assert (normal.spread[2:, 0, 0] > 0.05).all()


def test_build_field_bare_in_two_of_its_looks_is_known_to_become_bare() -> None:
    crop = np.array([0.04, 0.07, 0.05, 0.42, 0.20, 0.11], np.float32)
    bare, green = (float((v[3] - v[2]) / (v[3] + v[2])) for v in (SOIL, crop))
    assert pixel(crop, SOIL, crop, SOIL, crop, crop).barest[0, 0] == pytest.approx(bare)
    assert pixel(crop, SOIL, crop, crop, crop, crop).barest[0, 0] == pytest.approx(green)


def test_build_white_sand_of_varying_brightness_kept() -> None:
    sand = np.array([0.35, 0.40, 0.45, 0.50, 0.55, 0.50], np.float32)
    assert pixel(sand, sand * 1.1, sand * 0.95, sand * 1.05).count[0, 0] == 4


def test_build_dark_water_kept() -> None:
    water = np.array([0.03, 0.03, 0.02, 0.02, 0.01, 0.005], np.float32)
    assert pixel(water, water * 0.3, water * 0.4, water).count[0, 0] == 4


def test_build_never_seen_nan_and_zero() -> None:
    normal = pixel(np.full(6, np.nan), np.full(6, np.nan))
    assert np.isnan(normal.median).all()
    assert np.isnan(normal.spread).all()
    assert normal.count[0, 0] == 0
    assert normal.caution == ""


def test_build_no_looks_nothing_known() -> None:
    window = grid.Window(512, 256, 3, 4)
    normal = composite.build([], granule=GRANULE, window=window, anchor=ANCHOR, rules=RULES)
    assert np.isnan(normal.median).all()
    assert not normal.count.any()
    assert normal.median.shape == (6, 3, 4)
    assert normal.scene_ids == ()


def test_build_one_and_two_looks_wider_spread() -> None:
    np.testing.assert_allclose(pixel(FOREST).spread, 3 * RULES.min_spread)
    np.testing.assert_allclose(pixel(FOREST, FOREST).spread, 2 * RULES.min_spread)
    np.testing.assert_allclose(pixel(FOREST, FOREST, FOREST).spread, RULES.min_spread)


def test_build_larger_min_spread_wider_spread() -> None:
    rules = NormalRules(min_spread=0.05)
    np.testing.assert_allclose(pixel(FOREST, FOREST, FOREST, rules=rules).spread, 0.05)


def test_d22_build_enough_looks_in_season_others_ignored() -> None:
    bare = look(SOIL, day=date(2024, 1, 15))
    green = [look(FOREST, day=season(i)) for i in range(RULES.min_looks)]
    normal = build([bare, *green])
    np.testing.assert_array_equal(normal.median[:, 0, 0], FOREST)
    assert (normal.count[0, 0], normal.caution) == (RULES.min_looks, "")


def test_build_few_looks_in_season_filled_up_and_said() -> None:
    winter = [look(FOREST, day=date(2024, 1, 1) + timedelta(days=i)) for i in range(9)]
    normal = build([*winter, look(FOREST, day=season(0))])
    assert normal.count[0, 0] == RULES.min_looks
    assert normal.pixels["season"].values[0, 0] == 1
    assert normal.caution == "season"


def test_build_longer_season_takes_more_looks() -> None:
    looks = [look(FOREST, day=date(2023, 6, 1) + timedelta(days=10 * i)) for i in range(10)]
    assert build(looks, NormalRules(season_days=45)).count[0, 0] == 5
    assert build(looks, NormalRules(season_days=75)).count[0, 0] == 8


def test_build_more_looks_than_max_looks_uses_the_newest() -> None:
    looks = [look(FOREST * (1 + i / 100), day=season(i)) for i in range(9)]
    normal = build(looks, NormalRules(max_looks=5))
    assert normal.count[0, 0] == 5
    np.testing.assert_allclose(normal.median[:, 0, 0], FOREST * 1.06, rtol=1e-6)


def test_build_look_of_another_window_refused() -> None:
    with pytest.raises(ValueError, match="covers 44QLH"):
        build([look(FOREST, day=season(0)), look(FOREST, day=season(1), row=5)])
