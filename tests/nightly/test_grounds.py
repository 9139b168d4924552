"""Grounds: whose place was seen clear, and where the evidence still stands."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from shapely import box

from pipeline import config, grid
from pipeline.alerts.life import Ground
from pipeline.detect import evidence
from pipeline.grid import Tile, Window
from pipeline.nightly import grounds
from pipeline.schema import KINDS, MARK, Alert, Detection, Kind, Status

GRANULE = grid.granule("43RGM")
LAST = date(2025, 11, 1)
RULES = config.Evidence(close_days=90)


def alert_on(window: Window, **more: object) -> Alert:
    shape = grid.reproject(box(*GRANULE.window_bounds(window)), GRANULE.epsg, 4326)
    area_m2 = 100.0 * window.height * window.width
    numbers = (area_m2, 0.0, 0.0, (0.0, 0.9, 0.0), 0.9, 2, 2)
    found = Detection(Kind.CAMP, shape, shape, *numbers, LAST, LAST, 4.0, "43RGM")
    alert = Alert("VW-AAAAAAAA", "hills", Status.CONFIRMED, found, LAST, 0.0, (), (), (), (), "m")
    return replace(alert, **more)


def tile_at(row: int, col: int) -> Tile:
    window = Window(row, col, 256, 256)
    return Tile(GRANULE, window, box(*GRANULE.window_bounds(window)))


def marks_on(window: Window, kind: Kind) -> np.ndarray:
    rows, cols = np.mgrid[window.row : window.row + window.height, window.col : window.col + window.width]
    found = np.zeros(rows.size, MARK)
    found["row"], found["col"], found["kind"] = rows.ravel(), cols.ravel(), KINDS.index(kind)
    return found


def test_overdue_only_confirmed_ones_that_no_look_has_shown_for_long() -> None:
    alert = alert_on(Window(10, 10, 4, 4))
    assert grounds.overdue([alert], LAST + timedelta(days=89), RULES) == ()
    assert grounds.overdue([alert], LAST + timedelta(days=90), RULES) == (alert,)
    others = [replace(alert, status=status) for status in Status if status != Status.CONFIRMED]
    assert grounds.overdue(others, LAST + timedelta(days=900), RULES) == ()


def test_places_asks_every_tile_that_holds_some_of_it_and_no_other() -> None:
    tiles = [tile_at(0, 0), tile_at(0, 256), tile_at(256, 0)]
    asked = grounds.places([alert_on(Window(10, 250, 4, 12))], tiles)
    assert sorted(asked) == [tiles[0].key, tiles[1].key]


def test_places_on_the_other_side_of_the_globe_is_nowhere() -> None:
    far = box(-170.0, -20.0, -169.9, -19.9)
    alert = alert_on(Window(10, 10, 4, 4))
    alert = replace(alert, detection=replace(alert.detection, footprint=far, geometry=far))
    assert grounds.places([alert], [tile_at(0, 0)]) == {}


def test_clear_days_half_of_the_place_must_have_been_seen() -> None:
    tile, alert = tile_at(0, 0), alert_on(Window(10, 10, 4, 10))
    days = np.full((256, 256), 500, np.uint16)
    days[10:14, 10:16] = 400
    days[0:5] = 0
    asked = grounds.places([alert], [tile])[tile.key]
    assert grounds.clear_days(asked, tile, days) == {alert.alert_id: 400}
    days[10:14, 10:14] = 600
    assert grounds.clear_days(asked, tile, days) == {alert.alert_id: 500}
    assert grounds.clear_days((), tile, days) == {}


@pytest.mark.parametrize(
    ("answered", "clear_on"), [((500, 450), 450), ((500, None), None), ((500, 0), None), ((None, None), None)]
)
def test_judge_every_tile_of_the_place_must_have_seen_it(
    answered: tuple[int | None, ...], clear_on: int | None
) -> None:
    alert, tiles = alert_on(Window(10, 250, 4, 12)), [tile_at(0, 0), tile_at(0, 256)]
    asked = grounds.places([alert], tiles)
    told = {t.key: {alert.alert_id: day} for t, day in zip(tiles, answered, strict=True) if day is not None}
    found = grounds.judge([alert], asked, told, {})
    assert found == {alert.alert_id: Ground(False, evidence.from_day(clear_on) if clear_on else None)}


@pytest.mark.parametrize(
    ("window", "kind", "standing"),
    [
        (Window(10, 10, 4, 4), Kind.CAMP, True),
        (Window(10, 10, 4, 2), Kind.CAMP, True),
        (Window(10, 10, 4, 1), Kind.CAMP, False),
        (Window(10, 10, 4, 4), Kind.CLEARING, False),
        (Window(40, 40, 9, 9), Kind.CAMP, False),
    ],
)
def test_judge_evidence_of_its_own_kind_on_half_of_the_place_stands(window: Window, kind: Kind, standing: bool) -> None:
    alert = alert_on(Window(10, 10, 4, 4))
    found = grounds.judge([alert], {}, {}, {GRANULE: marks_on(window, kind)})
    assert found[alert.alert_id].standing is standing
