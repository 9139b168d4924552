"""The guard on real dates: hazy and clouded ones must go, clear ones and fresh bare ground must stay."""

from datetime import datetime
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline import config, grid, schema
from pipeline.grid import Window
from pipeline.scenes import residual
from pipeline.schema import Look, Normal, Reason
from pipeline.sensors import BANDS

RULES = config.Mask()
GRANULE = grid.granule("31TDG")
CLOUDED = ("20200113", "20200118", "20200123")
# picked by eye
CLEAR_FARM = [
    "20180116",
    "20180126",
    "20180208",
    "20180218",
    "20180225",
    "20180228",
    "20180419",
    "20180426",
    "20180504",
    "20180506",
    "20180509",
    "20180511",
    "20180526",
    "20180628",
    "20180705",
    "20180708",
    "20180715",
    "20180723",
    "20180802",
    "20180807",
    "20180817",
    "20180901",
    "20180921",
    "20180926",
    "20181006",
    "20181008",
    "20181013",
    "20181021",
]
SOIL = np.array([0.07, 0.10, 0.14, 0.24, 0.34, 0.28], np.float32)  # dry bare soil, B02 to B12
LATERITE = np.array([0.05, 0.09, 0.18, 0.27, 0.38, 0.33], np.float32)
SLASH = np.array([0.06, 0.08, 0.10, 0.20, 0.27, 0.19], np.float32)  # felled, branches left


class _Place:
    """Stands for a scene: only its grid is asked for."""

    granule = GRANULE


def look_of(values: NDArray[np.float32], reason: NDArray[np.uint8] | None = None, at: Window | None = None) -> Look:
    window = at or Window(0, 0, *values.shape[1:])
    why = np.zeros(window.shape, np.uint8) if reason is None else reason.copy()
    why[np.isnan(values[:4]).any(axis=0) & (why == 0)] = Reason.NODATA
    clean = np.where(why > 0, np.float32(np.nan), values).astype(np.float32)
    return Look(_Place, window, schema.look_pixels(clean, why, GRANULE, window))  # type: ignore[arg-type]


def normal_of(median: NDArray[np.float32], at: Window | None = None) -> Normal:
    window = at or Window(0, 0, *median.shape[1:])
    spread, count = np.full_like(median, 0.01), np.full(window.shape, 6, np.uint8)
    return Normal(window, schema.normal_pixels(median.astype(np.float32), spread, count, GRANULE, window), ())


def masked(values: NDArray[np.float32], usual: NDArray[np.float32], rules: config.Mask = RULES) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (
        residual.guard(look_of(values), normal_of(usual), rules=rules).reason == Reason.RESIDUAL_CLOUD
    )
    return found


@pytest.fixture
def pixels(series: Any) -> Any:
    """(band, y, x) reflectance and reasons by SCL of every date of a site."""

    def load(site: str) -> dict[str, tuple[NDArray[np.float32], NDArray[np.uint8]]]:
        found = {}
        for day, scene in series(site).items():
            bands = []
            for band in (*BANDS, "SCL"):
                asset = scene.parts[0].asset(band)
                if asset is None:
                    continue
                with rasterio.open(asset.href) as file:
                    bands.append(file.read(1))
            side = bands[0].shape[0]
            bands = [v if v.shape[0] == side else v.repeat(2, 0).repeat(2, 1) for v in bands]
            values = np.where(np.stack(bands[:6]) > 0, np.stack(bands[:6]) * np.float32(1e-4), np.float32(np.nan))
            reason = np.zeros(values.shape[1:], np.uint8)
            if len(bands) == 7:
                reason[np.isin(bands[6], [8, 9, 10])], reason[bands[6] == 3], reason[bands[6] == 11] = 2, 3, 4
            found[day] = (values, reason)
        return found

    return load


def usual(dates: Any, day: str, *, season_days: int) -> NDArray[np.float32]:
    """Median of the other dates that are mostly clear."""
    number = lambda text: datetime.strptime(text, "%Y%m%d").timetuple().tm_yday  # noqa: E731
    stack = []
    for other, (values, reason) in dates.items():
        gap = abs(number(other) - number(day))
        if other != day and min(gap, 365 - gap) <= season_days and (reason > 1).mean() < 0.3 and other not in CLOUDED:
            stack.append(np.where(reason > 0, np.nan, values))
    with np.errstate(all="ignore"):
        ordered = np.sort(np.stack(stack), axis=0)
        count = np.isfinite(ordered).sum(axis=0)
        middle = np.take_along_axis(ordered, np.maximum(count - 1, 0)[None] // 2, axis=0)[0]
    return middle.astype(np.float32)


def share(found: NDArray[np.bool_], of: NDArray[np.bool_]) -> float:
    return float((found & of).sum() / of.sum())


@pytest.mark.parametrize(("day", "least"), [("20200113", 0.95), ("20200118", 0.95), ("20200123", 0.9)])
def test_guard_real_haze_and_cloud_without_classification_is_masked(pixels: Any, day: str, least: float) -> None:
    dates = pixels("boadella")
    values, _ = dates[day]
    assert share(masked(values, usual(dates, day, season_days=183)), np.isfinite(values[0])) > least


def test_guard_real_clear_dates_of_the_reservoir_stay(pixels: Any) -> None:
    """Water that rises and falls, changes colour, and slopes in winter light, against a normal of all seasons."""
    dates = pixels("boadella")
    lost = {}
    for day in dates:
        if day not in (*CLOUDED, "20210626"):
            lost[day] = float(masked(dates[day][0], usual(dates, day, season_days=183)).mean())
    assert max(lost.values()) < 0.05, lost
    assert np.mean(list(lost.values())) < 0.01, lost


def test_guard_real_haze_over_part_of_a_date_is_masked_in_part(pixels: Any) -> None:
    """2021-06-26: haze over the lower left; the reservoir has turned turquoise and is masked along with it."""
    dates = pixels("boadella")
    values, before = dates["20210626"][0], usual(dates, "20210626", season_days=183)
    found, land = masked(values, before), before[3] > 0.1
    hazy = land & (values[0] - before[0] > RULES.residual_blue)
    hazy[:, 200:] = False
    assert share(found, hazy) > 0.95
    clear = land & (values[0] - before[0] < 0.01)
    assert share(found & clear, land) < 0.02, "the edge around the haze and along the shore"


def test_guard_real_clear_dates_over_crops_stay(pixels: Any) -> None:
    """Sown, green, ripe, harvested, ploughed: none of it is a cloud."""
    dates = pixels("worldcereal-a")
    lost = {day: float(masked(dates[day][0], usual(dates, day, season_days=45)).mean()) for day in CLEAR_FARM}
    assert max(lost.values()) < 0.03, lost


def test_guard_real_cloud_that_the_classification_calls_clear_is_masked(pixels: Any) -> None:
    """2018-07-28: a small cloud comes in from the right, with thin haze before it that no other sign tells."""
    dates = pixels("worldcereal-a")
    values, reason = dates["20180728"]
    before = usual(dates, "20180728", season_days=45)
    found = masked(values, before)
    cloud = values[0] - before[0] > RULES.residual_blue
    assert not (reason[:, 30:] == Reason.CLOUD).any()
    assert share(found, cloud) > 0.75
    assert not found[:, :30].any()


@pytest.mark.parametrize("day", ["20170824", "20180610", "20180713"])
def test_guard_real_haze_that_the_classification_calls_clear_is_masked(pixels: Any, day: str) -> None:
    dates = pixels("worldcereal-a")
    values, reason = dates[day]
    assert (reason == 0).mean() > 0.9
    assert masked(values, usual(dates, day, season_days=45)).mean() > 0.8


@pytest.fixture
def forest(pixels: Any) -> NDArray[np.float32]:
    """Real forest of the hills, mirrored to 400 x 400 px."""
    values, _ = pixels("boadella")["20210721"]
    patch = np.nan_to_num(values[:, 120:220, 20:120], nan=0.03)
    tile = np.concatenate([patch, patch[:, ::-1]], axis=1)
    tile = np.concatenate([tile, tile[:, :, ::-1]], axis=2)
    return np.tile(tile, (1, 2, 2)).astype(np.float32)


def disc(side: int, hectares: float) -> NDArray[np.bool_]:
    rows, cols = np.mgrid[:side, :side] - side // 2
    found: NDArray[np.bool_] = np.hypot(rows, cols) <= np.sqrt(hectares * 100 / np.pi)
    return found


@pytest.mark.parametrize("hectares", [0.2, 1.0, 4.0, 20.0])
@pytest.mark.parametrize("ground", [SOIL, LATERITE, SLASH], ids=["soil", "laterite", "slash"])
@pytest.mark.parametrize("brightness", [0.7, 1.0, 1.4])
def test_guard_fresh_clearing_stays(
    forest: NDArray[np.float32], hectares: float, ground: NDArray[np.float32], brightness: float
) -> None:
    where = disc(forest.shape[1], hectares)
    texture = np.random.default_rng(1).normal(1, 0.08, forest.shape).astype(np.float32)
    after = np.where(where, brightness * ground[:, None, None] * texture, forest)
    kept = 1 - share(masked(after, forest), where)
    assert kept > 0.95


def test_guard_bright_roof_stays(forest: NDArray[np.float32]) -> None:
    where = disc(forest.shape[1], 0.8)
    after = np.where(where, np.float32(0.45), forest)
    assert not masked(after, forest).any()


@pytest.mark.parametrize("opacity", [0.15, 0.4, 1.0])
def test_guard_soft_white_cloud_is_masked_with_its_edges(forest: NDArray[np.float32], opacity: float) -> None:
    rows, cols = np.mgrid[:400, :400] - 200
    thick = (opacity * np.clip(1.4 - np.hypot(rows, cols) / 60, 0, 1)).astype(np.float32)
    white = np.array([0.55, 0.54, 0.53, 0.55, 0.35, 0.25], np.float32)[:, None, None]
    after = forest * (1 - thick) + white * thick
    found = masked(after, forest)
    assert share(found, after[0] - forest[0] > RULES.residual_blue) > 0.98
    assert not found[thick == 0].any() or share(found, thick == 0) < 0.03


def test_guard_shadow_is_masked_fire_and_felling_are_not(forest: NDArray[np.float32]) -> None:
    where = disc(400, 15.0)
    shadow = np.array([0.75, 0.65, 0.55, 0.3, 0.25, 0.25], np.float32)[:, None, None]
    assert share(masked(np.where(where, forest * shadow, forest), forest), where) > 0.95
    burnt = np.array([0.03, 0.035, 0.045, 0.08, 0.16, 0.17], np.float32)[:, None, None]
    assert not masked(np.where(where, burnt, forest), forest).any()


def test_guard_keeps_the_reasons_that_were_there(forest: NDArray[np.float32]) -> None:
    reason = np.zeros(forest.shape[1:], np.uint8)
    reason[:200] = Reason.CLOUD
    found = residual.guard(look_of(forest + 0.3, reason), normal_of(forest), rules=RULES)
    assert (found.reason[:200] == Reason.CLOUD).all()
    assert (found.reason[200:] == Reason.RESIDUAL_CLOUD).all()
    assert np.isnan(found.reflectance).all()


def test_guard_where_the_normal_is_missing_masks_nothing(forest: NDArray[np.float32]) -> None:
    assert not masked(forest + 0.3, np.full_like(forest, np.nan)).any()


def test_guard_other_windows_are_a_bug_of_the_caller(forest: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="the look covers"):
        residual.guard(look_of(forest), normal_of(forest[:, :100]), rules=RULES)


@pytest.mark.parametrize(
    "changed", [{"residual_blue": 0.5}, {"residual_min_ha": 12.0}, {"residual_shadow": 0.1}], ids=str
)
def test_guard_every_knob_matters(forest: NDArray[np.float32], changed: dict[str, float]) -> None:
    after = forest.copy()
    after[:, 40:60, 40:60] += 0.1
    after[:, 200:300, 200:300] *= 0.4
    assert masked(after, forest).sum() > masked(after, forest, RULES.model_copy(update=changed)).sum()


@pytest.fixture
def scattered(forest: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Clouds, shadows, clearings and gaps of many sizes, some at the limit of every rule."""
    rng = np.random.default_rng(6)
    after, reason = forest.copy(), np.zeros(forest.shape[1:], np.uint8)
    rows, cols = np.mgrid[:400, :400]
    for row, col, radius, kind in zip(*rng.integers(0, 400, (2, 40)), rng.integers(3, 30, 40), range(40), strict=True):
        where = np.hypot(rows - row, cols - col) < radius
        if kind % 4 == 0:
            after[:, where] += np.float32(rng.uniform(0.01, 0.2))
        elif kind % 4 == 1:
            after[:, where] *= np.float32(0.35)
        elif kind % 4 == 2:
            after[:, where] = SOIL[:, None]
        else:
            reason[where] = Reason.CLOUD
    return after, reason


@given(
    row=st.integers(0, 250),
    col=st.integers(0, 250),
    height=st.integers(2 * residual.REACH_PX + 1, 250),
    width=st.integers(2 * residual.REACH_PX + 1, 250),
    hectares=st.sampled_from([0.0, 1.0, 4.0, 12.0, 20.0]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_guard_is_the_same_whatever_the_window_beyond_its_reach(
    scattered: Any, forest: Any, row: int, col: int, height: int, width: int, hectares: float
) -> None:
    after, reason = scattered
    rules = config.Mask(residual_min_ha=hectares)
    whole = residual.guard(look_of(after, reason), normal_of(forest), rules=rules)
    part = Window(row, col, min(height, 400 - row), min(width, 400 - col))
    box = part.within(whole.window)
    found = residual.guard(look_of(after[:, *box], reason[box], part), normal_of(forest[:, *box], part), rules=rules)
    inner = part.grown(-residual.REACH_PX)
    if not inner.empty:
        assert np.array_equal(found.cropped(inner).reason, whole.cropped(inner).reason)
