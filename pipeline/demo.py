"""The demo: a planted world, a real STAC API on loopback, some nights, and what was found of what was planted.

In: a folder and a seed. Out: a home with results in it, a picture, and a table for people. Needs no network.
"""

import json
import logging
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rich.console import Console
from rich.table import Table
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from pipeline import disk, grid
from pipeline.errors import ConfigError, PartError
from pipeline.nightly import run
from pipeline.publish import cogs
from pipeline.simulate import known, scenes, serve

log = logging.getLogger(__name__)
FIRST_NIGHT = date(2022, 3, 1)
"""The dry season of the planted world, when its forest is hardest; scenes before and after the radiometric offset
stand in its history."""
CONFIGS = Path(__file__).parents[1] / "configs"
_PICTURE = "demo.png"
"""Written last: where it is, the demo is whole."""
NEAR_M = 20.0
"""An alert so near to a planted event is taken to mean it."""


@dataclass(frozen=True, slots=True)
class Score:
    """One planted event and what was said about it."""

    kind: str
    start: str
    size: str
    found: tuple[dict[str, Any], ...]
    """Properties of the alerts that lie on it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a demo planted and what its nights found."""

    planted: tuple[Score, ...]
    others: tuple[dict[str, Any], ...]
    """Properties of the alerts that lie on nothing planted."""
    folder: str
    """The results of the last night."""
    picture: str
    exit_code: int
    """Of the nights."""


def run_demo(out: Path, *, seed: int, workers: int | None, preset: str = "demo") -> Result:
    """Simulate a world, serve it, run its nights, and compare what was planted with what was found.

    Args:
        out: folder for everything; a folder that holds something else is refused.
        seed: another seed, another world.
        workers: processes; see `run.Options`.
        preset: size of the world.

    Raises:
        ConfigError: `out` holds something else, or cannot be made.
        PartError: the nights gave no result at all; their own words.
        WriteError: the disk is full.
    """
    with disk.writing(out, ConfigError):
        home = prepare(out)
    print(f"1 of 3  simulating a world of forest, fields, a river and a village (seed {seed}) ...", file=sys.stderr)
    with cogs.telling(out):
        built = scenes.build(out / "world", seed=seed, start=FIRST_NIGHT, preset=preset)
    shutil.copy(built.aoi, home.aois / built.aoi.name)
    tell_land(home, built.layers)
    with serve.serve(built.items) as url:
        print(f"2 of 3  serving it as a STAC API on {url}, running {len(built.nights)} nights ...", file=sys.stderr)
        point_to(home, url)
        report = run.over(home, built.nights, run.Options(workers=workers))
    for night in report.nights:
        if night.error:
            print(f"{night.as_of}: {night.error}", file=sys.stderr)
    folder = out / "out" / "latest" / report.nights[-1].aoi
    if not folder.exists():
        raise PartError(f"{out}: no night of the demo gave a result; the first: {report.nights[0].error}")
    print("3 of 3  comparing with what was planted", file=sys.stderr)
    alerts = json.loads((folder / "alerts.geojson").read_text(encoding="utf-8"))["features"]
    planted = json.loads(built.planted.read_text(encoding="utf-8"))["features"]
    scores, others = compare(planted, alerts)
    picture = out / _PICTURE
    with disk.writing(picture):
        draw(folder, planted, alerts, picture)
    return Result(scores, others, str(folder), str(picture), report.exit_code)


def at_hand(folder: Path) -> run.Home:
    """The home of a demo that has been run in a folder; where there is none, of a small one that is run there first.

    Raises:
        ConfigError, PartError, WriteError: see `run_demo`.
    """
    if not (folder / _PICTURE).exists():
        run_demo(folder, seed=7, workers=0, preset="tiny")
    return run.home(folder)


def prepare(out: Path) -> run.Home:
    """An empty home below `out`.

    Raises:
        ConfigError: `out` holds something that no demo has made.
    """
    marker = out / ".vanwatch-demo"
    if out.is_file() or (out.exists() and any(out.iterdir()) and not marker.exists()):
        raise ConfigError(f"{out}: is not empty, or a file, and not of an earlier demo; name another folder with --out")
    shutil.rmtree(out, ignore_errors=True)
    for name in ("aoi", "configs"):
        (out / name).mkdir(parents=True)
    marker.touch()
    for name in ("demo.toml", "catalogs.toml"):
        shutil.copy(CONFIGS / name, out / "configs" / name)
    return run.home(out)


def tell_land(home: run.Home, layers: Sequence[known.Layer]) -> None:
    """Let the profile `demo` name what is known of the land."""
    folder = home.configs / "land"
    with (home.configs / "demo.toml").open("a", encoding="utf-8") as profile:
        for layer in layers:
            scenes.saved(folder / layer.file, layer.content)
            entry = {"name": layer.name, "file": f"land/{layer.file}", "role": layer.role, "label": "name"}
            lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in entry.items())
            profile.write(f"\n[[context]]\n{lines}\n")


def point_to(home: run.Home, url: str) -> None:
    """Let the catalogue `local` be the API at `url`."""
    path = home.configs / "catalogs.toml"
    lines = path.read_text(encoding="utf-8").split("[local]")
    mended = "\n".join(f'url = "{url}"' if row.startswith("url") else row for row in lines[1].splitlines())
    path.write_text(f"{lines[0]}[local]{mended}\n", encoding="utf-8")


def compare(
    planted: list[dict[str, Any]], alerts: list[dict[str, Any]]
) -> tuple[tuple[Score, ...], tuple[dict[str, Any], ...]]:
    """Which alerts lie on which planted event, and which lie on none."""
    shapes = [_metres(feature) for feature in alerts]
    used: set[int] = set()
    scores = []
    for feature in planted:
        around = _metres(feature).buffer(NEAR_M)
        hits = [index for index, geometry in enumerate(shapes) if geometry.intersects(around)]
        used.update(hits)
        properties = feature["properties"]
        size = f"{properties['length_m']:.0f} m" if properties["kind"] == "track" else f"{properties['area_ha']:.2f} ha"
        found = tuple(alerts[index]["properties"] for index in hits)
        scores.append(Score(properties["kind"], properties["start"], size, found))
    return tuple(scores), tuple(alerts[i]["properties"] for i in range(len(alerts)) if i not in used)


def _metres(feature: dict[str, Any]) -> BaseGeometry:
    geometry = shape(feature["geometry"])
    home = next(iter(grid.home_squares(geometry.centroid.buffer(1e-4))))
    return grid.reproject(geometry, 4326, home.epsg)


def describe(result: Result) -> None:
    """Print the table and where to look."""
    table = Table(title="Planted and found")
    for column in ("planted", "since", "size", "found as", "status", "first seen", "size found"):
        table.add_column(column)
    for score in result.planted:
        best = sorted(score.found, key=lambda p: (p["kind"] != score.kind, -p["confidence"]))[:1]
        if not best:
            table.add_row(score.kind, score.start, score.size, "missed", "", "", "")
            continue
        size = f"{best[0]['length_m']:.0f} m" if best[0]["kind"] == "track" else f"{best[0]['area_ha']:.2f} ha"
        row = (best[0]["kind"], best[0]["status"], best[0]["first_seen"], size)
        table.add_row(score.kind, score.start, score.size, *row)
    console = Console(width=110)
    console.print(table)
    found = sum(bool(score.found) for score in result.planted)
    others = len(result.others)
    told = f"{others} alert{'' if others == 1 else 's'} on nothing planted"
    print(f"{found} of {len(result.planted)} planted events found; {told}.")
    print(f"Map:     {result.picture}")
    print(f"In QGIS: {result.folder}/vanwatch.qgz")
    print(f"Report:  {result.folder}/report.html in a browser")


def draw(folder: Path, planted: list[dict[str, Any]], alerts: list[dict[str, Any]], picture: Path) -> None:
    """Before and after in true colour, with the alerts drawn on it."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    figure, axes = plt.subplots(1, 2, figsize=(15, 6.4), layout="constrained")
    colours = {"clearing": "#ffd21f", "camp": "#ff3b30", "track": "#35d0ff"}
    for axis, name in zip(axes, ("before", "after"), strict=True):
        with rasterio.open(folder / f"{name}.tif") as source:
            red, green, blue = (source.read(index).astype("float32") / 10000 for index in (3, 2, 1))
            epsg, bounds = source.crs.to_epsg(), source.bounds
        image = np.clip(np.dstack([red, green, blue]) / 0.18, 0, 1) ** (1 / 1.6)
        axis.imshow(image, extent=(bounds.left, bounds.right, bounds.bottom, bounds.top), interpolation="nearest")
        axis.set_axis_off()
        axis.set_title({"before": "normal of the season", "after": "latest clear pixels, with alerts"}[name])
    for feature in alerts:
        geometry = grid.reproject(shape(feature["geometry"]), 4326, epsg)
        kind, status = feature["properties"]["kind"], feature["properties"]["status"]
        style = {"color": colours[kind], "linewidth": 1.6, "linestyle": "-" if status == "confirmed" else ":"}
        for part in getattr(geometry, "geoms", [geometry]):
            line = part.exterior if hasattr(part, "exterior") else part
            axes[1].plot(*line.xy, **style)
    handles = [Line2D([], [], color=colour, label=kind) for kind, colour in colours.items()]
    handles += [
        Line2D([], [], color="0.4", label="confirmed"),
        Line2D([], [], color="0.4", linestyle=":", label="possible"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(picture, dpi=110, metadata={"Software": None})
    plt.close(figure)
