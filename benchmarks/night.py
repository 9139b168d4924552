"""One night on one whole simulated granule: wall time by stage and peak memory.

In: a folder (the granule is kept there for the next time). Out: figures.
"""

import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipeline import demo
from pipeline.nightly import run
from pipeline.simulate import granule


@dataclass(frozen=True, slots=True)
class Figures:
    """What one night cost."""

    wall_s: float
    peak_gb: float
    """Driver and workers together (proportional set size, so that shared pages count once)."""
    worker_gb: float
    """The largest process."""
    stages: dict[str, float]
    """Seconds by stage, added over workers."""
    blocks: dict[str, int]
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
    return _night(place, options), _night(place, options)


def _night(place: run.Home, options: run.Options) -> Figures:
    with Watch() as watch:
        report = run.nightly(place, demo.FIRST_NIGHT, options)
    night = report.nights[0]
    if night.folder is None:
        raise RuntimeError(night.error)
    timings = json.loads((night.folder / "run.json").read_text())["timings"]
    return Figures(
        watch.wall_s, watch.peak / 1e9, watch.largest / 1e9, timings["seconds"], timings["blocks"], night.counts or {}
    )


class Watch:
    """Samples the memory of this process and its children while it is entered."""

    def __init__(self) -> None:
        """Nothing is measured before `with`."""
        self.peak = self.largest = 0
        self.wall_s = 0.0
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
        here = psutil.Process()
        while not self._stop.wait(0.5):
            sizes = []
            for process in [here, *here.children(recursive=True)]:
                try:
                    sizes.append(process.memory_full_info().pss)
                except psutil.Error:
                    continue
            self.peak, self.largest = max(self.peak, sum(sizes)), max(self.largest, *sizes)
