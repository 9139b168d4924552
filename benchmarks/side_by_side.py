"""Two ways of doing one thing, in turn, in one process: median and range of the ratios, and the CPU time stolen.

In: pairs of functions. Out: rows for a table. Each contestant does the same work on the same data.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison."""

    name: str
    ours_s: float
    """Median seconds of one round of ours."""
    theirs_s: float
    ratio: float
    """Median of theirs over ours, round by round: above 1 we are faster."""
    low: float
    high: float
    stolen_pct: float
    """CPU time that other guests of the machine took meanwhile; above 5 the row should be measured again."""


def compare(name: str, ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int = 7) -> Row:
    """Run both in turn `rounds` times, after one round that does not count."""
    ours(), theirs()
    stolen, started = stolen_s(), time.perf_counter()
    pairs = [(_seconds(ours), _seconds(theirs)) for _ in range(rounds)]
    share = 100 * (stolen_s() - stolen) / (time.perf_counter() - started)
    ratios = [two / one for one, two in pairs]
    return Row(
        name,
        statistics.median(one for one, _ in pairs),
        statistics.median(two for _, two in pairs),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        share,
    )


def _seconds(job: Callable[[], object]) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def stolen_s() -> float:
    """Seconds stolen from this machine since it started, per core; 0 where the system does not tell."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    lines = stat.read_text().splitlines()
    cores = sum(line.startswith("cpu") for line in lines) - 1
    return float(lines[0].split()[8]) / 100 / max(1, cores)
