"""`python -m benchmarks.replay`: three hundred whole nights on end, and what the last ones cost against the first.

In: the corner of the granule, in which four scenes lie. Out: a table. Each night has one new look of one tile of
1024 px, by turns of a scene in which changes were planted and of a clouded one; so alerts open and are confirmed, and
close once what was planted has become the normal. A second home is then begun, and its nights and the last of the
first one are run in turn, in one process, whose CPU seconds are those of the night. Half an hour.
"""

import argparse
import copy
import json
import shutil
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from rasterio.warp import transform_geom
from shapely.geometry import box, mapping

from benchmarks import material
from benchmarks.material import Material
from pipeline import demo
from pipeline.grid import Window
from pipeline.nightly import run

FOLDER = Path("build/bench")
NIGHTS = 300
EARLY, GROUP = 3, 20
"""The nights from the third on of a young home are compared with the last ones of an old one, so many each."""
SIDE = 1024
PLANTED, CLOUDED = -1, 0
"""Scenes of the material; one look in four is the clouded one."""


@dataclass(frozen=True, slots=True)
class Night:
    """What one night cost."""

    day: date
    cpu_s: float
    wall_s: float
    stages: dict[str, float]
    files: int
    """In state and out, after it."""
    alerts: int


def main() -> None:
    """Replay, print; what was replayed before is not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the granule is kept and the homes are made")
    parser.add_argument("--nights", type=int, default=NIGHTS)
    chosen = parser.parse_args()
    whole, folder = material.built(chosen.folder, small=True), chosen.folder / "replay"
    old, young = (replayed(whole, folder / name, chosen.nights) for name in ("old", "young"))
    before = [*_shown(islice(old, chosen.nights - GROUP)), *_shown(islice(young, EARLY - 1))]
    pairs = list(zip(_shown(islice(young, GROUP)), _shown(old), strict=True))
    print("\n".join(table([pair[0] for pair in pairs], [pair[1] for pair in pairs], before[0])))


def _shown(nights: Iterable[Night]) -> Iterator[Night]:
    for night in nights:
        told = f"{night.day}: {night.cpu_s:.2f} s cpu, {night.wall_s:.2f} s, {night.alerts} alerts"
        print(told, flush=True)
        yield night


def replayed(whole: Material, folder: Path, nights: int) -> Iterator[Night]:
    """Night after night over one tile.

    Raises:
        RuntimeError: a night failed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    place = demo.prepare(folder / "home")
    profile = place.configs / "demo.toml"
    profile.write_text(profile.read_text().replace("size_px = 512", f"size_px = {SIDE}"))
    (place.aois / "corner.geojson").write_text(json.dumps(_corner(whole)))
    catalog = folder / "items.json"
    catalog.write_text(json.dumps({"type": "FeatureCollection", "features": items(whole.items, nights)}))
    options = run.Options(catalog=str(catalog), workers=0)
    for number in range(nights):
        day = demo.FIRST_NIGHT + timedelta(days=number)
        started = time.process_time(), time.perf_counter()
        report = run.over(place, [day], options)
        cpu_s, wall_s = time.process_time() - started[0], time.perf_counter() - started[1]
        night = report.nights[0]
        if night.folder is None:
            raise RuntimeError(f"{day}: {night.error}")
        told = json.loads((night.folder / "run.json").read_text())
        kept = sum(path.is_file() for part in (place.state, place.out) for path in part.rglob("*"))
        alerts = len(json.loads((night.folder / "alerts.geojson").read_text())["features"])
        yield Night(day, cpu_s, wall_s, told["timings"]["seconds"], kept, alerts)


def items(of_material: Sequence[dict[str, Any]], nights: int) -> list[dict[str, Any]]:
    """The history as it is, and one item a day of the files of others."""
    made = [*of_material[:-1]]
    for number in range(nights):
        scene = of_material[CLOUDED if number % 4 == 3 else PLANTED]
        made.append(_again(scene, demo.FIRST_NIGHT + timedelta(days=number)))
    return made


def table(young: Sequence[Night], old: Sequence[Night], first: Night) -> Iterator[str]:
    """Medians; nights that took half as long as the first one to build a normal are left out."""
    most = first.stages["normal"] / 2
    early, late = (_medians([n for n in group if n.stages.get("normal", 0) < most]) for group in (young, old))
    yield f"| median of {GROUP} nights | from night {EARLY} | the last | ratio |"
    yield "|---|---:|---:|---:|"
    for name, value in early.items():
        yield f"| {name} | {value:.2f} | {late[name]:.2f} | {late[name] / value if value else float('nan'):.2f} |"


def _medians(nights: Sequence[Night]) -> dict[str, float]:
    told: list[dict[str, float]] = [
        {"CPU s": night.cpu_s, "wall s": night.wall_s}
        | {f"{stage}, s": seconds for stage, seconds in night.stages.items()}
        | {"files kept": night.files, "alerts": night.alerts}
        for night in nights
    ]
    return {name: statistics.median(values.get(name, 0.0) for values in told) for name in told[0]}


def _corner(whole: Material) -> dict[str, Any]:
    window = Window(SIDE, SIDE, SIDE, SIDE)
    outline = box(*whole.granule.window_bounds(window)).buffer(-50)
    lonlat = transform_geom(f"EPSG:{whole.granule.epsg}", "EPSG:4326", mapping(outline))
    properties = {"id": "corner", "name": "Corner", "profile": "demo"}
    return {"type": "Feature", "properties": properties, "geometry": lonlat}


def _again(scene: dict[str, Any], day: date) -> dict[str, Any]:
    """The same files, sensed on another day."""
    made = copy.deepcopy(scene)
    was = datetime.fromisoformat(scene["properties"]["datetime"]).date()
    made["id"] = scene["id"].replace(f"{was:%Y%m%d}", f"{day:%Y%m%d}")
    for name, value in made["properties"].items():
        if isinstance(value, str):
            dashed = value.replace(was.isoformat(), day.isoformat())
            made["properties"][name] = dashed.replace(f"{was:%Y%m%d}", f"{day:%Y%m%d}")
    return made


if __name__ == "__main__":
    main()
