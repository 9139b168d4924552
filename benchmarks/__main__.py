"""`python -m benchmarks`: every bar of speed and memory in one table, kept as JSON and as `docs/speed.md`.

Each section's lines are kept under `build/bench` until the whole table is there, so that a run cut off goes on.
`--quick` takes the corner of a granule and three rounds: a look, not a measurement. `--stores` adds the stores.
"""

import argparse
import json
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import bars, cascade, material, network, night, nights, parts, reading, remote, report, stores
from benchmarks.bars import Line
from benchmarks.side_by_side import Row

RESULTS = Path("benchmarks/results")
PAGE = Path("docs/speed.md")


def main() -> None:
    """Measure, print, and write the table."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="where the granule is kept")
    parser.add_argument("--quick", action="store_true", help="a corner of the granule and three rounds")
    parser.add_argument("--again", action="store_true", help="forget the sections of a run that was cut off")
    parser.add_argument("--stores", action="store_true", help="also ways of keeping the state")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    kept = chosen.folder / ("quick" if chosen.quick else "whole")
    if chosen.again:
        shutil.rmtree(kept, ignore_errors=True)
    found: list[Line] = []
    with tempfile.TemporaryDirectory(dir=chosen.folder) as scratch:
        for name, measure in _sections(
            chosen.folder, Path(scratch), quick=chosen.quick, stores_too=chosen.stores
        ).items():
            found += _section(kept / f"{name}.json", measure)
    found.sort(key=lambda line: (not line.number, int(line.number or 0)))
    told = report.facts(found, machine=machine(), day=datetime.now(UTC).date(), quick=chosen.quick)
    print(report.text(found))
    path = (kept if chosen.quick else RESULTS) / f"{told['day']}-{re.sub('[^a-z0-9]+', '-', machine().lower())}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    page = kept / "speed.md" if chosen.quick else PAGE
    page.write_text(report.page(told), encoding="utf-8")
    for each in kept.glob("*.json"):
        if each != path:
            each.unlink()
    print(f"written to {path} and {page}")


def _sections(folder: Path, scratch: Path, *, quick: bool, stores_too: bool) -> dict[str, Callable[[], Iterable[Line]]]:
    small = material.built(folder, small=True)
    whole = small if quick else material.built(folder, small=False)
    sections: dict[str, Callable[[], Iterable[Line]]] = {
        "material": lambda: _likeness(whole),
        "reading": lambda: reading.lines(small, scratch, quick=quick),
        "network": lambda: network.lines(quick=quick),
        "cascade": lambda: cascade.lines(quick=quick),
        "parts": lambda: parts.lines(quick=quick),
        "nights": lambda: nights.lines(quick=quick),
        "remote": lambda: remote.lines(small, scratch, quick=quick),
        "night": lambda: night.apart(whole, scratch),
        "same": _same,
    }
    if stores_too:
        sections["stores"] = lambda: _stores(scratch)
    return sections


def _section(kept: Path, measure: Callable[[], Iterable[Line]]) -> list[Line]:
    if kept.exists():
        return [Line(**values) for values in json.loads(kept.read_text(encoding="utf-8"))]
    started, found = time.perf_counter(), []
    for line in measure():
        print(report.short(line), flush=True)
        found.append(line)
    print(f"  ({kept.stem}: {time.perf_counter() - started:.0f} s)", flush=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps([asdict(line) for line in found]), encoding="utf-8")
    return found


def _likeness(whole: material.Material) -> Iterable[Line]:
    bits = material.bits_per_pixel(whole)
    value = ", ".join(f"{name} {number:.2f}" for name, number in bits.items())
    yield bars.fact("", "compressed bits per pixel of six bands", value, note="deflate, predictor 2, blocks of 256 px")


def _same() -> Iterable[Line]:
    tests = "test_over_any_tile_size_gives_the_same_bytes, test_over_any_worker_count_gives_the_same_bytes"
    note = "tests of tests/nightly/test_run.py, not run here"
    yield bars.fact("10", "GeoJSON, any worker count, tile size and scheduler", tests, bar="identical", note=note)


def _stores(scratch: Path) -> Iterable[Line]:
    rows: list[Row] = stores.rows(scratch / "stores")
    yield from (bars.told(row.name, row) for row in rows)
    yield from (bars.fact("", name, value) for name, value in stores.facts(scratch / "facts"))


def machine() -> str:
    """Model and number of the cores."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else [platform.processor()]
    return f"{names[0].strip() if names else platform.machine()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
