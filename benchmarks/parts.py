"""Bar 8, and the time-series part of a night beside that of nrt.

In: nothing. Out: lines, on one thread. The looks are drawn: forest with noise, a third of it missing.
"""

import datetime
import warnings
from collections.abc import Iterator

import numpy as np
import xarray as xr

from benchmarks import bars, nights
from benchmarks.bars import Line
from benchmarks.side_by_side import compare
from pipeline import config
from pipeline.detect import evidence
from pipeline.normal import ranks

LOOKS = 12
_ROWS = 16  # as many as the normal is built of at a time


def lines(*, quick: bool) -> Iterator[Line]:
    """The masked median and the evidence."""
    rounds = 3 if quick else 7
    yield from _median(rounds)
    yield _series(rounds)


def _median(rounds: int) -> Iterator[Line]:
    rng = np.random.default_rng(1)
    stack = rng.normal(0.1, 0.02, (LOOKS, 2, 1024, 1024)).astype(np.float32)
    stack[rng.random(stack.shape) < 1 / 3] = np.nan
    filled = np.where(np.isnan(stack), np.float32(np.inf), stack)
    found = np.empty(stack.shape[1:], np.float32)

    def ours() -> None:
        for band in range(2):
            for row in range(0, 1024, _ROWS):
                part = filled[:, band, row : row + _ROWS]
                found[band, row : row + _ROWS] = ranks.middle(part)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy tells of pixels that no look saw
        row = compare("median", ours, lambda: np.nanmedian(stack, axis=0), rounds=rounds)
        same = np.array_equal(found, np.nanmedian(stack, axis=0), equal_nan=True)
    what = f"masked median of {LOOKS} looks of a tile / numpy nanmedian"
    yield bars.at_least("8", what, row, bar=8)
    yield bars.fact("8", "the same, values", "identical" if same else "NOT identical", bar="identical", met=same)


def _series(rounds: int) -> Line:
    """One look added to the evidence of a tile, against one look of nrt's EWMA monitor of the same size."""
    what = "one look into the evidence of a tile / nrt, EWMA monitor"
    try:
        from nrt.monitor.ewma import EWMA
    except ImportError:
        return bars.fact("", what, bars.ABSENT)

    rng, side = np.random.default_rng(2), nights.SIDE
    times = np.datetime64("2024-01-01", "ns") + np.arange(24) * np.timedelta64(15, "D").astype("timedelta64[ns]")
    past = xr.DataArray(
        rng.normal(0.8, 0.02, (24, side, side)).astype(np.float32),
        dims=("time", "y", "x"),
        coords={"time": times, "y": np.arange(side), "x": np.arange(side)},
    )
    monitor = EWMA(trend=False, harmonic_order=1)
    monitor.fit(dataarray=past, method="OLS", screen_outliers=None)
    green = rng.normal(0.8, 0.02, (side, side))
    day, rules, known = datetime.datetime(2025, 1, 5), config.Evidence(), evidence.empty((side, side))
    look = nights.drawn(30)
    for number in range(1, 4):
        known = evidence.add(known, nights.drawn(number), rules)

    def theirs() -> None:
        monitor.monitor(array=green, date=day)

    row = compare("series", lambda: evidence.add(known, look, rules), theirs, rounds=rounds)
    note = "ours keeps the last 12 looks of three kinds, nrt one process value of one index"
    return bars.told(what, row, note)
