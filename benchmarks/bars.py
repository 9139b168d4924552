"""The bars: what is asked of speed and memory, and how a measured row is held against it.

In: rows of two contestants. Out: lines of the table. Measures nothing.
"""

from dataclasses import dataclass

from benchmarks.side_by_side import Row

ABSENT = "not measured: not installed (uv pip install --group bench)"
"""Where a peer is missing that is no dependency."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    number: str
    """Of the bar; empty for what is told beside them."""
    what: str
    ours: str
    peer: str
    ratio: str
    """Median and range over the rounds, or a count."""
    bar: str
    met: bool | None
    """None where nothing is asked, or where it could not be measured."""
    note: str = ""
    stolen_pct: float = 0.0
    others_pct: float = 0.0


def at_least(number: str, what: str, row: Row, *, bar: float, note: str = "") -> Line:
    """Ours must be so many times as fast as the peer."""
    return _of(number, what, row, (row.ratio, row.low, row.high), f">= {bar:g} x", row.ratio >= bar, note)


def at_most(number: str, what: str, row: Row, *, bar: float, note: str = "") -> Line:
    """Ours may take at most so many times the peer's time."""
    values = (1 / row.ratio, 1 / row.high, 1 / row.low)
    return _of(number, what, row, values, f"<= {bar:g} x", 1 / row.ratio <= bar, note)


def told(what: str, row: Row, note: str = "") -> Line:
    """A row of which nothing is asked: how many times as fast ours is."""
    return _of("", what, row, (row.ratio, row.low, row.high), "", None, note)


def fact(number: str, what: str, value: str, *, bar: str = "", met: bool | None = None, note: str = "") -> Line:
    """Something counted, not compared."""
    return Line(number, what, value, "", "", bar, met, note)


def _of(
    number: str, what: str, row: Row, values: tuple[float, float, float], bar: str, met: bool | None, note: str
) -> Line:
    ratio = f"{values[0]:.2f} ({values[1]:.2f}..{values[2]:.2f})"
    ours, peer = (f"{seconds:.3f} s {row.clock}" for seconds in (row.ours_s, row.theirs_s))
    return Line(number, what, ours, peer, ratio, bar, met, note, round(row.stolen_pct, 1), round(row.others_pct, 1))
