"""Time series of alerts: what the tiles remember, added up over the alert's ground, however that is cut."""

import math
from datetime import timedelta

import numpy as np
from shapely import box

from pipeline import grid
from pipeline.detect import evidence
from pipeline.detect.evidence import EPOCH, SLOTS, STEP, UNKNOWN_Z, Z_STEP, Evidence
from pipeline.grid import Tile, Window
from pipeline.nightly import timelines
from pipeline.publish.series import Point
from pipeline.schema import Alert, Kind
from tests.publish.planted import make_alert

HERE = grid.granule("44QLH")
WHOLE = Window(512, 512, 64, 64)
DAYS = (19_000, 19_005, 19_010)


def remembered() -> Evidence:
    """Three days of looks on the newest slots, with holes."""
    rng = np.random.default_rng(3)
    known = evidence.empty(WHOLE.shape)
    for slot, day in zip(range(SLOTS - 3, SLOTS), DAYS, strict=True):
        seen = rng.random(WHOLE.shape) < 0.7
        known.day[slot] = np.where(seen, day, 0)
        known.odds[slot] = rng.integers(-60, 60, (3, *WHOLE.shape))
        known.z[slot] = np.where(rng.random(WHOLE.shape) < 0.1, UNKNOWN_Z, rng.integers(-20, 40, WHOLE.shape))
    return known


def part(known: Evidence, window: Window) -> tuple[Tile, Evidence]:
    rows, cols = window.within(WHOLE)
    cut = Evidence(*(getattr(known, name)[..., rows, cols] for name in ("day", "odds", "weight", "z")))
    return Tile(HERE, window, box(*HERE.window_bounds(window))), cut


def alert_over(window: Window, kind: Kind = Kind.CAMP) -> Alert:
    outline = grid.reproject(box(*HERE.window_bounds(window)), HERE.epsg, 4326)
    return make_alert(outline, kind=kind, footprint=outline, mgrs=HERE.mgrs)


def points(alert: Alert, windows: list[Window]) -> tuple[Point, ...]:
    gathered = timelines.Gathered((alert,))
    for window in windows:
        gathered.add(*part(remembered(), window))
    return gathered.points()[alert.alert_id]


def test_points_are_the_means_over_the_ground_day_by_day() -> None:
    found, known = points(alert_over(Window(520, 530, 10, 20)), [WHOLE]), remembered()
    rows, cols = slice(8, 18), slice(18, 38)
    assert [point.day for point in found] == [EPOCH + timedelta(days=day) for day in DAYS]
    for number, point in enumerate(found):
        slot = SLOTS - 3 + number
        seen = known.day[slot, rows, cols] > 0
        odds = known.odds[slot, 1, rows, cols][seen].astype(float).mean() * STEP
        z = known.z[slot, rows, cols][seen & (known.z[slot, rows, cols] != UNKNOWN_Z)].astype(float).mean() * Z_STEP
        assert math.isclose(point.probability, 1 / (1 + math.exp(-odds)))
        assert point.z is not None
        assert math.isclose(point.z, z)
        assert math.isclose(point.seen, seen.mean())


def test_points_any_cutting_into_tiles_gives_the_same() -> None:
    alert = alert_over(Window(530, 530, 20, 20))
    quarters = [Window(row, col, 32, 32) for row in (512, 544) for col in (512, 544)]
    assert points(alert, quarters) == points(alert, quarters[::-1]) == points(alert, [WHOLE])


def test_points_alert_elsewhere_has_none() -> None:
    assert points(alert_over(Window(900, 900, 5, 5)), [WHOLE]) == ()
