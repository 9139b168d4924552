"""`python -m benchmarks.nights`: what a night costs after many nights, and what evidence costs on disk.

In: nothing. Out: a table. The looks are drawn, so that three hundred of them cost seconds: forest that says next to
nothing, clouds over two thirds, and a few clearings. Whole nights: `python -m benchmarks.replay`.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from scipy import ndimage
from shapely.geometry import box

from benchmarks import tile
from benchmarks.bars import Line
from pipeline import config, grid, packed
from pipeline.depot import Folder
from pipeline.detect import evidence, marks
from pipeline.detect.evidence import Evidence
from pipeline.grid import Window
from pipeline.schema import KINDS, Change

SIDE = 1024
NIGHTS = (2, 30, 300)
GRANULE = grid.granule("44QLH")
TILE = grid.Tile(GRANULE, Window(0, 0, SIDE, SIDE), box(*GRANULE.window_bounds(Window(0, 0, SIDE, SIDE))))
START = datetime(2024, 1, 1, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Night:
    """One night of one tile, its evidence only."""

    number: int
    load_s: float
    add_s: float
    marks_s: float
    save_s: float
    disk_mb: float
    memory_mb: float


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(prog="python -m benchmarks.nights", description=__doc__).parse_args()
    print(f"evidence of one tile of {SIDE} px, seconds and MB")
    print("night   load    add  marks   save  on disk  in memory")
    for night in synthetic(NIGHTS[-1]):
        seconds = f"{night.load_s:6.2f} {night.add_s:6.2f} {night.marks_s:6.2f} {night.save_s:6.2f}"
        print(f"{night.number:5d} {seconds} {night.disk_mb:8.1f} {night.memory_mb:10.1f}")


def lines(*, quick: bool) -> Iterator[Line]:
    """Bar 9: a late night against an early one."""
    measured = {night.number: night for night in synthetic(NIGHTS[-2] if quick else NIGHTS[-1])}
    early, late = measured[min(measured)], measured[max(measured)]
    first, last = (night.load_s + night.add_s + night.marks_s + night.save_s for night in (early, late))
    with tempfile.TemporaryDirectory() as folder:
        task = tile.measure(Path(folder))
    whole = task.look_cpu_s + task.spare_cpu_s
    older = whole + last - first
    note = (
        f"by sums: a task with one look on its second night, and by how much its evidence costs more later ({last:.2f} "
        f"against {first:.2f} s; {late.disk_mb:.1f} and {early.disk_mb:.1f} MB on disk); whole nights: docs/evidence.md"
    )
    what, ratio = f"task of a tile, night {late.number} / night {early.number}", f"{older / whole:.2f}"
    yield Line("9", what, f"{older:.2f} s cpu", f"{whole:.2f} s cpu", ratio, "<= 1.1 x", older <= 1.1 * whole, note)


def synthetic(last: int) -> Iterator[Night]:
    """Nights of looks five days apart; those of `NIGHTS` are measured, as the median of three nights about them."""
    rules, owned = config.Evidence(), np.ones((SIDE, SIDE), bool)
    known, measured = evidence.empty((SIDE, SIDE)), list[Night]()
    with tempfile.TemporaryDirectory() as folder:
        depot, name = Folder(Path(folder)), "tile.arrays"
        for number in range(1, last + 2):
            look = drawn(number)
            if min(abs(number - wanted) for wanted in NIGHTS) > 1:
                known = evidence.add(known, look, rules)
                continue
            packed.save(depot, name, arrays(known))
            times = [time.process_time()]
            known = Evidence(**packed.load(depot, name))
            times.append(time.process_time())
            known = evidence.add(known, look, rules)
            times.append(time.process_time())
            marks.marks(known, TILE, owned, rules, (0.5, 0.5, 0.5))
            times.append(time.process_time())
            packed.save(depot, name, arrays(known))
            times.append(time.process_time())
            size = sum(values.nbytes for values in arrays(known).values())
            load_s, add_s, marks_s, save_s = np.diff(times).tolist()
            disk_mb = (depot.path / name).stat().st_size / 1e6
            measured.append(Night(number, load_s, add_s, marks_s, save_s, disk_mb, size / 1e6))
            if number - 1 in NIGHTS:
                yield _median(measured[-3:], number - 1)


def drawn(number: int) -> Change:
    """What the network might say of one look."""
    rng = np.random.default_rng(number)
    smooth = ndimage.zoom(rng.normal(size=(SIDE // 64, SIDE // 64)), 64, order=1)
    cloudy = smooth > np.quantile(smooth, 0.35)
    odds = rng.normal(-6, 1, (len(KINDS), SIDE, SIDE)).astype(np.float32)
    for at in (200, 600, 900):
        odds[0, at : at + 15, at : at + 15] = 3 if number % 40 > 20 else -6
    probability = (1 / (1 + np.exp(-odds))).astype(np.float32)
    probability[:, cloudy] = np.nan
    near = np.clip(ndimage.distance_transform_edt(~cloudy) / 16, 0.25, 1)
    weight = (32 + np.floor(15 * near)).astype(np.uint8)
    z = rng.normal(0, 1, (SIDE, SIDE)).astype(np.float32)
    return Change(TILE, f"s{number}", START + timedelta(days=5 * number), probability, z, weight)


def arrays(known: Evidence) -> dict[str, np.ndarray]:
    """What a night stores of it."""
    return {"day": known.day, "odds": known.odds, "weight": known.weight, "z": known.z}


def _median(nights: list[Night], number: int) -> Night:
    fields = ("load_s", "add_s", "marks_s", "save_s", "disk_mb", "memory_mb")
    return Night(number, *(statistics.median(getattr(night, name) for night in nights) for name in fields))


if __name__ == "__main__":
    main()
