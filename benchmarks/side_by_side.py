"""Two ways of doing one thing, in turn, in one process: median and range of the ratios, and who else used the CPU.

In: pairs of functions. Out: rows for a table. Each contestant does the same work on the same data.

Work of this process alone is timed by its CPU seconds (user and system, threads included), which other work on the
machine disturbs least; work of other processes, and waiting for a network, by the wall clock.
"""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Job = Callable[[], object]


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
    others_pct: float = 0.0
    """CPU time of the machine that its other processes took meanwhile."""
    clock: str = "cpu"
    """What was timed: `cpu` or `wall` seconds."""


def compare(name: str, ours: Job, theirs: Job, *, rounds: int = 7, clock: str = "cpu") -> Row:
    """Run both in turn `rounds` times, after one round that does not count."""
    ours(), theirs()
    seconds = time.process_time if clock == "cpu" else time.perf_counter
    before = usage()
    pairs = [(_timed(ours, seconds), _timed(theirs, seconds)) for _ in range(rounds)]
    stolen, others = before.since()
    ratios = [two / one for one, two in pairs]
    return Row(
        name,
        statistics.median(one for one, _ in pairs),
        statistics.median(two for _, two in pairs),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        stolen,
        others,
        clock,
    )


def _timed(job: Job, seconds: Callable[[], float]) -> float:
    started = seconds()
    job()
    return seconds() - started


@dataclass(frozen=True, slots=True)
class Usage:
    """What the machine's CPUs had done at a moment, in seconds of all cores together."""

    wall_s: float
    busy_s: float
    stolen_s: float
    own_s: float

    def since(self) -> tuple[float, float]:
        """Per cent of the CPU time since then that was stolen, and that other processes used."""
        now = usage()
        whole = max(1e-9, (now.wall_s - self.wall_s) * (os.cpu_count() or 1))
        others = now.busy_s - self.busy_s - (now.own_s - self.own_s)
        return 100 * (now.stolen_s - self.stolen_s) / whole, max(0.0, 100 * others / whole)


def usage() -> Usage:
    """Of this moment; nothing busy and nothing stolen where the system does not tell."""
    times = os.times()
    own = times.user + times.system + times.children_user + times.children_system
    stat = Path("/proc/stat")
    if not stat.exists():
        return Usage(time.perf_counter(), own, 0.0, own)
    user, nice, system, _, _, irq, soft, stolen = map(int, stat.read_text().splitlines()[0].split()[1:9])
    ticks = os.sysconf("SC_CLK_TCK")
    return Usage(time.perf_counter(), (user + nice + system + irq + soft) / ticks, stolen / ticks, own)
