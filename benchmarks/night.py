"""One night on one whole simulated granule: wall time by stage, peak memory, and the disk that it fills meanwhile.

In: the granule. Out: lines: bars 2, 7 and 9.
"""

import contextlib
import itertools
import json
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path

import psutil
import rasterio

from benchmarks import bars
from benchmarks.bars import Line
from benchmarks.material import Material
from benchmarks.side_by_side import usage
from pipeline import demo
from pipeline.nightly import run


@dataclass(frozen=True, slots=True)
class Figures:
    """What one night cost."""

    wall_s: float
    cpu_s: float
    """Of all processes together: what the wall time would be on one core with nothing else to do."""
    peak_gb: float
    """Driver and workers together (proportional set size, so that shared pages count once)."""
    worker_gb: float
    """The largest process."""
    scratch_gb: float
    """The most that decoded blocks took on the disk at a time."""
    state_gb: float
    """What is kept for the next night."""
    stages: dict[str, float]
    """Seconds by stage, added over workers."""
    blocks: dict[str, int]
    """What the tiles decoded; the samples, on which scenes are judged, were decoded before and are served to them."""


def apart(material: Material, folder: Path) -> list[Line]:
    """`lines` in a process of its own, whose memory is that of the night alone."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_listed, material, folder).result()


def _listed(material: Material, folder: Path) -> list[Line]:
    return list(lines(material, folder))


def lines(material: Material, folder: Path, *, workers: int = 2) -> Iterator[Line]:
    """A first evening, which builds the normal, the night of the new scene, and one without."""
    place = _home(material, folder / "home")
    options = run.Options(catalog=str(material.folder / "items.json"), workers=workers)
    eve = demo.FIRST_NIGHT - timedelta(days=1)
    first = _night(place, eve, options)
    bare_s, used = _bare_s(material, workers), usage()
    night = _night(place, demo.FIRST_NIGHT, options)
    stolen, others = used.since()
    bare_s = min(bare_s, _bare_s(material, workers))
    ratio = night.wall_s / bare_s
    what = f"night of {material.side_px} px / bare decoding of both dates, {workers} workers, no cascade"
    ours, peer = (f"{seconds:.1f} s wall" for seconds in (night.wall_s, bare_s))
    note = f"one round; {night.cpu_s:.0f} s of CPU; the evening before, with the normal: {first.wall_s:.0f} s"
    yield Line("7", what, ours, peer, f"{ratio:.1f}", "<= 4 x", ratio <= 4, note, round(stolen, 1), round(others, 1))
    yield Line("7", "the same with the cascade", "-", "-", "-", "<= 1.2 x", False, "no cascade: see bar 6")
    stages = ", ".join(
        f"{name} {seconds:.1f}" for name, seconds in sorted(night.stages.items(), key=lambda one: -one[1])
    )
    yield bars.fact("", "that night by stage, seconds added over workers", stages)
    decoded = night.blocks["blocks_decoded"]
    blocks = _blocks(Path(asset.href) for _, asset in material.part(-1).assets)
    share = f"{decoded} of {blocks} in its files, each once; the samples on which it was judged were decoded before"
    yield bars.fact(
        "2", "blocks that the tiles of that night decoded", share, bar="<= 1.1", met=decoded <= 1.1 * blocks
    )
    worker = f"{night.worker_gb:.2f} GB; all together {night.peak_gb:.2f} GB"
    yield bars.fact("9", "peak memory of a process of that night", worker, bar="<= 2 GB", met=night.worker_gb <= 2)
    before = f"{first.worker_gb:.2f} GB; all together {first.peak_gb:.2f} GB; disk {first.scratch_gb:.2f} GB"
    yield bars.fact("9", "the same while the normal is built", before, bar="<= 2 GB", met=first.worker_gb <= 2)
    yield bars.fact("", "kept for the next night", f"{night.state_gb:.2f} GB")
    quiet = _night(place, demo.FIRST_NIGHT + timedelta(days=1), options)
    value = f"{quiet.wall_s:.1f} s wall, {quiet.cpu_s:.0f} s of CPU"
    yield bars.fact("", "the night after, on which no scene was new", value)


def _home(material: Material, folder: Path) -> run.Home:
    shutil.rmtree(folder, ignore_errors=True)
    place = demo.prepare(folder)
    (place.aois / "granule.geojson").write_text((material.folder / "aoi.geojson").read_text())
    profile = place.configs / "demo.toml"
    profile.write_text(profile.read_text().replace("size_px = 512", "size_px = 1024"))
    return place


def _bare_s(material: Material, workers: int) -> float:
    """Wall seconds in which rasterio decodes each block of two dates once, in as many processes."""
    paths = material.files(-1) + material.files(-2)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(abs, range(4 * workers)))
        started = time.perf_counter()
        list(pool.map(_decode, paths))
        return time.perf_counter() - started


def _decode(path: str) -> None:
    with rasterio.Env(GDAL_CACHEMAX=64_000_000), rasterio.open(path) as source:
        for _, window in source.block_windows(1):
            source.read(1, window=window)


def _night(place: run.Home, as_of: date, options: run.Options) -> Figures:
    with Watch(place.state / "scratch") as watch:
        report = run.nightly(place, as_of, options)
    night = report.nights[0]
    if night.folder is None:
        raise RuntimeError(night.error)
    timings = json.loads((night.folder / "run.json").read_text())["timings"]
    return Figures(
        wall_s=watch.wall_s,
        cpu_s=watch.cpu_s,
        peak_gb=watch.peak / 1e9,
        worker_gb=watch.largest / 1e9,
        scratch_gb=watch.disk / 1e9,
        state_gb=_size(place.state) / 1e9,
        stages=timings["seconds"],
        blocks=timings["blocks"],
    )


def _blocks(paths: Iterable[Path]) -> int:
    """How many blocks the files hold."""
    count = 0
    for path in paths:
        with rasterio.open(path) as source:
            count += sum(1 for _ in source.block_windows(1))
    return count


def _size(folder: Path) -> int:
    """Bytes of all files below a folder, in which others may be deleting."""
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.stat(os.path.join(here, name)).st_size
    return total


class Watch:
    """Samples the memory of this process and its children, and the size of a folder, while it is entered."""

    def __init__(self, folder: Path) -> None:
        """Nothing is measured before `with`."""
        self.folder = folder
        self.peak = self.largest = self.disk = 0
        self.wall_s = self.cpu_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "Watch":
        self._started = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_s = time.perf_counter() - self._started
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        here, seconds = psutil.Process(), dict[int, float]()
        before = _cpu_s(here)
        for number in itertools.count():
            sizes = []
            for process in [here, *here.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    sizes.append(process.memory_full_info().pss)
                    seconds[process.pid] = _cpu_s(process)
            self.peak, self.largest = max(self.peak, sum(sizes)), max(self.largest, *sizes)
            self.cpu_s = sum(seconds.values()) - before
            if number % 5 == 0:  # looking into some thousand files costs more than asking for memory
                self.disk = max(self.disk, _size(self.folder))
            if self._stop.wait(1):
                return


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
