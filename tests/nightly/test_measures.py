"""NDVI and NBR of alerts' ground: medians day by day, the same however the ground is cut into tiles."""

from datetime import date, timedelta

import numpy as np
import pytest
from shapely import box

from pipeline import grid
from pipeline.alerts import record
from pipeline.detect.evidence import EPOCH
from pipeline.grid import Tile, Window
from pipeline.nightly import measures
from pipeline.nightly.latest import Latest
from pipeline.nightly.measures import Measures
from pipeline.schema import Alert, Measured, Normal, normal_pixels
from tests.publish.planted import make_alert

HERE = grid.granule("44QLH")
WHOLE = Window(512, 512, 64, 64)
GROUND = Window(530, 530, 20, 20)
QUARTERS = [Window(row, col, 32, 32) for row in (512, 544) for col in (512, 544)]
OLD, NEW = 19_000, 19_005


def tile(window: Window) -> Tile:
    return Tile(HERE, window, box(*HERE.window_bounds(window)))


def alert(**more: object) -> Alert:
    outline = grid.reproject(box(*HERE.window_bounds(GROUND)), HERE.epsg, 4326)
    return make_alert(outline, footprint=outline, mgrs=HERE.mgrs, **more)


def newest(window: Window) -> Latest:
    """The upper half of the ground seen bare on the new day, the rest green on the old one; noise in all of it."""
    rng = np.random.default_rng(3)
    noise = rng.integers(-30, 30, (6, *WHOLE.shape))
    green, bare = (
        np.array(values)[:, None, None] for values in ([250, 450, 300, 3000, 1500, 700], [900] * 3 + [1800] * 3)
    )
    days = np.full(WHOLE.shape, OLD, np.uint16)
    days[: GROUND.row + 10 - WHOLE.row] = NEW
    after = (np.where(days == NEW, bare, green) + noise).astype(np.uint16)
    rows, cols = window.within(WHOLE)
    return Latest(after[:, rows, cols], days[rows, cols], np.zeros(window.shape, np.uint8), days[rows, cols])


def normal(window: Window) -> Normal:
    median = np.broadcast_to(
        np.array([0.03, 0.05, 0.03, 0.30, 0.15, 0.07], np.float32)[:, None, None], (6, *window.shape)
    )
    spread = np.full((6, *window.shape), 0.01, np.float32)
    return Normal(window, normal_pixels(median, spread, np.full(window.shape, 9, np.uint8), HERE, window), ("a",))


def measured(windows: list[Window], one: Alert) -> tuple[Measured, ...]:
    found = Measures((one,))
    for window in windows:
        found.add(tile(window), newest(window), normal(window), found.over(tile(window)), first=True)
    return found.noted([one])[0].measured


def test_measures_are_medians_of_each_day_beside_the_normal() -> None:
    old, new = measured([WHOLE], alert())
    assert (old.day, new.day) == (EPOCH + timedelta(OLD), EPOCH + timedelta(NEW))
    assert (old.seen, new.seen) == (0.5, 0.5)
    assert old.ndvi == pytest.approx((0.3 - 0.03) / 0.33, abs=0.01)
    assert old.nbr == pytest.approx((0.3 - 0.07) / 0.37, abs=0.01)
    assert new.ndvi == pytest.approx((0.18 - 0.09) / 0.27, abs=0.01)
    for one in (old, new):
        assert one.ndvi_normal == pytest.approx(0.27 / 0.33, abs=0.001)
        assert one.ndvi_spread == pytest.approx(2 * np.hypot(0.03 * 0.01, 0.30 * 0.01) / 0.33**2, abs=0.001)
        assert one.nbr_normal == pytest.approx(0.23 / 0.37, abs=0.001)


def test_measures_any_cutting_into_tiles_gives_the_same() -> None:
    assert measured(QUARTERS, alert()) == measured(QUARTERS[::-1], alert()) == measured([WHOLE], alert())


def test_measures_keep_the_fuller_look_of_a_day_and_the_newest_days() -> None:
    days = [EPOCH + timedelta(OLD - n) for n in range(measures.MOST + 5, -1, -1)]
    known = tuple(Measured(day, 0.9, 0.1, None, None, 0.1, None, None) for day in days)
    found = measured([WHOLE], alert(measured=known))
    assert len(found) == measures.MOST
    assert [one.day for one in found[-2:]] == [EPOCH + timedelta(OLD), EPOCH + timedelta(NEW)]
    assert found[-2] == known[-1]


def test_measures_without_a_normal_tell_the_look_alone_and_survive_the_ledger() -> None:
    one = alert()
    found = Measures((one,))
    found.add(tile(WHOLE), newest(WHOLE), None, [one], first=True)
    (noted,) = found.noted([one])
    assert noted.measured[0].ndvi_normal is None
    assert noted.measured[0].ndvi is not None
    assert record.loads(record.dumps(noted)).measured == noted.measured


def test_record_written_before_there_were_measures_is_read() -> None:
    old = {name: value for name, value in record.to_record(alert()).items() if name != "measured"}
    assert record.from_record(old).measured == ()
    assert record.from_record(old).detection.first_seen == date(2025, 11, 1)
