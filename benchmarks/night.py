"""One night on one whole simulated granule: wall time by stage, peak memory, and the disk that it fills meanwhile.

In: a folder (the granule is kept there for the next time). Out: figures.
"""

import contextlib
import itertools
import json
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import psutil
import rasterio

from pipeline import demo
from pipeline.nightly import run
from pipeline.simulate import granule


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
    blocks_in_files: int
    """Blocks of all files that the night reads."""
    counts: dict[str, int]


def whole_granule(folder: Path, *, history: int, workers: int) -> tuple[Figures, Figures]:
    """Run the first night (which builds the normal) and the same night again with the normal kept."""
    world = folder / f"granule_{history}"
    if not (world / "items.json").exists():
        granule.build(world, seed=7, start=demo.FIRST_NIGHT, history=history, nights=1)
    place = demo.prepare(folder / "home")
    (place.aois / "granule.geojson").write_text((world / "aoi.geojson").read_text())
    profile = place.configs / "demo.toml"
    profile.write_text(profile.read_text().replace("size_px = 512", "size_px = 1024"))
    options = run.Options(catalog=str(world / "items.json"), workers=workers)
    first, again = (_night(place, options) for _ in range(2))
    files = sorted(world.glob("scenes/**/*.tif"))
    new = [path for path in files if _day(path) >= demo.FIRST_NIGHT]
    return replace(first, blocks_in_files=_blocks(files)), replace(again, blocks_in_files=_blocks(new))


def _night(place: run.Home, options: run.Options) -> Figures:
    with Watch(place.state / "scratch") as watch:
        report = run.nightly(place, demo.FIRST_NIGHT, options)
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
        blocks_in_files=0,
        counts=night.counts or {},
    )


def _day(path: Path) -> date:
    """Day of the scene whose folder holds a file, like `S2A_44QLH_20220301_0_L2A/B02.tif`."""
    return date.fromisoformat(path.parent.name.split("_")[2])


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
