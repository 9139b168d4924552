"""One night on a real Dask cluster of 1, 2 and 4 workers that share nothing but URLs: wall time, CPU time, bytes kept.

In: a folder (a simulated world is made in it). Out: rows for a table, ratios to one worker within one run. The scenes
come from an HTTP server, state and results go to OpenStack Swift, the ledger to PostgreSQL, all on this machine and all
beside the workers on its cores: with as many workers as cores, wall times tell about the machine and only CPU times
about Vanwatch. `python -m benchmarks.cluster`.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks.side_by_side import usage
from pipeline import demo
from pipeline.bucket import Bucket
from pipeline.nightly import run
from pipeline.simulate import scenes
from tests import objectstore, postgres
from tests.nightly import cluster
from tests.nightly.planted import file_server, with_absolute_hrefs

TILE_PX = 256


@dataclass(frozen=True, slots=True)
class Row:
    """One night on some workers."""

    workers: int
    night: str
    wall_s: float
    worker_cpu_s: float
    """Of all workers together."""
    driver_cpu_s: float
    tiles: int
    decoded_mb: float
    """By all workers: a block that two of them need counts twice."""
    state_mb: float
    """In the object store after the night."""
    out_mb: float
    """Results in the object store."""
    busy: float
    """Load of the machine over its cores before the night began: above 0.5 its wall time says little."""
    stolen_pct: float


def rows(folder: Path, preset: str, counts: Sequence[int] = (1, 2, 4)) -> Iterator[Row]:
    """The first night, that builds normals, and the second, for each number of workers."""
    world = folder / "world"
    built = scenes.build(world, seed=7, start=demo.FIRST_NIGHT, preset=preset)
    with ExitStack() as stack:
        files = stack.enter_context(file_server(built.items.parent))
        store = stack.enter_context(objectstore.running(_made(folder / "swift")))
        server = stack.enter_context(postgres.running(_made(folder / "ledger")))
        stack.enter_context(_environment(store.environment))
        items = folder / "served.json"
        items.write_text(json.dumps(with_absolute_hrefs(built.items, files)))
        for count in counts:
            home = _home(folder / f"home{count}", built.aoi, store.place(), server.empty_database())
            with cluster.running(folder / f"cluster{count}", count, store.environment) as crew:
                options = run.Options(catalog=str(items), scheduler=crew.address)
                for night, name in zip(built.nights[:2], ("first, normals built", "second"), strict=True):
                    yield _row(home, run.nightly, (night, options), (crew, name))


def _row(home: run.Home, nightly: object, what: tuple[object, run.Options], where: tuple[cluster.Cluster, str]) -> Row:
    crew, name = where
    processes = [psutil.Process(worker.process.pid) for worker in crew.workers]
    busy, used = os.getloadavg()[0] / (os.cpu_count() or 1), usage()
    before, mine, started = _cpu(processes), time.process_time(), time.perf_counter()
    report = nightly(home, *what)  # type: ignore[operator]
    wall, driver = time.perf_counter() - started, time.process_time() - mine
    if report.exit_code or home.state_bucket is None or home.out_bucket is None:
        raise RuntimeError(str(report))
    with home.out_bucket.reading(f"latest/{report.nights[0].aoi}/run.json") as handle:
        told = json.load(handle)
    return Row(
        workers=len(crew.workers),
        night=name,
        wall_s=wall,
        worker_cpu_s=_cpu(processes) - before,
        driver_cpu_s=driver,
        tiles=len(told["tiles"]),
        decoded_mb=told["timings"]["blocks"]["bytes_decoded"] / 1e6,
        state_mb=_bytes(home.state_bucket) / 1e6,
        out_mb=_bytes(home.out_bucket) / 1e6,
        busy=busy,
        stolen_pct=used.since()[0],
    )


def _home(folder: Path, aoi: Path, place: Bucket, ledger: str) -> run.Home:
    made = demo.prepare(folder)
    shutil.copy(aoi, made.aois / aoi.name)
    profile = made.configs / "demo.toml"
    profile.write_text(profile.read_text().replace("size_px = 512", f"size_px = {TILE_PX}"))
    text = f'state = "{place}/state"\nout = "{place}/out"\ndatabase = "{ledger}"\n'
    (made.configs / "deployment.toml").write_text(text)
    return run.home(folder)


def _bytes(place: Bucket) -> int:
    return sum(kept.size for kept in place.listed().values())


def _cpu(processes: Sequence[psutil.Process]) -> float:
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@contextmanager
def _environment(told: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(told)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the rows there too")
    parser.add_argument("--preset", default="demo", help="size of the world: demo has about 20 tiles, tiny has 4")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cluster-", dir="/tmp") as folder:
        found = list(rows(Path(folder), chosen.preset))
    one = {row.night: row for row in found if row.workers == 1}
    print(f"{os.cpu_count()} cores, which store, ledger, scenes and driver share with the workers")
    titles = ("workers", "night", "wall s", "faster", "CPU s", "CPU/one", "driver", "MB read", "state", "out", "busy")
    print("{:>7} {:<21}{:>8}{:>8}{:>8}{:>9}{:>8}{:>9}{:>7}{:>7}{:>6}{:>9}".format(*titles, "stolen %"))
    for row in found:
        base = one[row.night]
        print(
            f"{row.workers:>7} {row.night:<21}{row.wall_s:8.1f}{base.wall_s / row.wall_s:8.2f}{row.worker_cpu_s:8.1f}"
            f"{row.worker_cpu_s / base.worker_cpu_s:9.2f}{row.driver_cpu_s:8.1f}{row.decoded_mb:9.1f}"
            f"{row.state_mb:7.1f}{row.out_mb:7.1f}{row.busy:6.1f}{row.stolen_pct:9.1f}"
        )
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(row) for row in found], indent=1))


if __name__ == "__main__":
    main()
