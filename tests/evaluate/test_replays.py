"""What is counted: alerts on planted events and on nothing, and how long they took."""

from datetime import date, timedelta

import numpy as np
import pytest
import shapely

from pipeline import config, grid
from pipeline.detect.weight import BARER, IN_SEASON, WHOLE
from pipeline.evaluate import replays, rules
from pipeline.evaluate.replays import Planted, TileLooks
from pipeline.grid import Window

GRANULE = grid.granule("44QLH")
WINDOW = Window(6400, 5120, 64, 64)
START = date(2024, 5, 1)
EPOCH = date(1970, 1, 1)
PROFILE = config.Profile(title="t", use="research", search=config.Search(catalogs=("x",)))


def looks(*shown: tuple[int, int, int], days: int = 10) -> TileLooks:
    """Squares of 6 x 6 px (row, col, first look) that a clearing is seen on from some look on; five days apart."""
    probability = np.full((days, 3, 64, 64), 0.01, np.float32)
    for row, col, first in shown:
        probability[first:, 0, row : row + 6, col : col + 6] = 0.99
    weight = np.full((days, 64, 64), BARER + IN_SEASON + WHOLE, np.uint8)
    begun = (START - EPOCH).days
    dates = tuple(begun + 5 * n for n in range(days))
    return TileLooks(GRANULE, WINDOW, dates, probability, weight, np.ones((64, 64), bool))


def planted(row: int, col: int, start: int) -> Planted:
    """The event under such a square."""
    west, south, east, north = GRANULE.window_bounds(Window(WINDOW.row + row, WINDOW.col + col, 6, 6))
    place = grid.reproject(shapely.box(west, south, east, north), GRANULE.epsg, 4326)
    return Planted("clearing", START + timedelta(days=start), place)


def judged(tile: TileLooks, *events: Planted) -> replays.Score:
    return replays.judge([tile], events, rules.ours(config.Evidence()), PROFILE)


def test_judge_counts_events_delays_and_false_alerts() -> None:
    score = judged(looks((10, 10, 4), (40, 40, 6)), planted(10, 10, 17))
    assert (score.planted, score.missed, score.confirmed_false, score.possible_false) == (1, 0, 1, 0)
    assert (score.to_possible, score.to_confirmed) == ((3,), (8,))
    assert score.delays() == ("3", "8")


def test_judge_event_that_is_never_confirmed_is_missed() -> None:
    score = judged(looks((10, 10, 9)), planted(10, 10, 40), planted(40, 40, 0))
    assert (score.missed, score.to_possible, score.to_confirmed) == (2, (5,), ())
    assert score.delays() == ("5", "-")


def test_judge_alert_before_the_event_is_not_about_it() -> None:
    score = judged(looks((10, 10, 2)), planted(10, 10, 30))
    assert score.missed == 1


def test_judge_possible_alert_on_nothing_is_counted_apart() -> None:
    score = judged(looks((40, 40, 9)))
    assert (score.confirmed_false, score.possible_false) == (0, 1)


@pytest.mark.parametrize("cut", [20, 43])
def test_judge_any_cut_into_tiles_is_the_same(cut: int) -> None:
    whole = looks((10, 10, 4), (40, 40, 6))
    parts = []
    for start, stop in ((0, cut), (cut, 64)):
        window = Window(WINDOW.row + start, WINDOW.col, stop - start, 64)
        rows = slice(start, stop)
        parts.append(
            TileLooks(
                GRANULE,
                window,
                whole.days,
                whole.probability[:, :, rows],
                whole.weight[:, rows],
                whole.owned[rows],
            )
        )
    event = planted(10, 10, 17)
    rule = rules.ours(config.Evidence())
    assert replays.judge(parts, [event], rule, PROFILE) == replays.judge([whole], [event], rule, PROFILE)
