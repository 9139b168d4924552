"""`python -m benchmarks.rules`: our rule of evidence against those of other systems, on the same looks.

In: a simulated year, and the real series in which nothing happened. Out: a table, printed and written into
`docs/evidence.md`. The looks are those of a replay, night by night, with the shipped network; they are kept in the
folder, so that a second call takes seconds. Delete the folder after the weights have changed.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import box, mapping, shape

from pipeline import aoi as areas
from pipeline import config, demo, grid
from pipeline.detect.evidence import STEP, Evidence
from pipeline.evaluate import replays, rules
from pipeline.evaluate.replays import Planted, Score, TileLooks
from pipeline.ledger import database
from pipeline.ledger.nights import Books
from pipeline.nightly import plan, run, tilefile, watched
from pipeline.simulate import scenes

SERIES = Path(__file__).parents[2] / "shared" / "data" / "series"
PAGE = Path(__file__).parents[1] / "docs" / "evidence.md"
BEGIN, END = "<!-- table: python -m benchmarks.rules -->\n", "<!-- end of table -->\n"
SEED = 11
RULES = {
    "ours": rules.ours(config.Evidence()),
    "bounded sum, unweighted (before)": rules.page,
    "RADD (Bayesian updating)": rules.radd,
    "GLAD (2 of 4)": rules.glad,
    "OPERA DIST-S1": rules.dist_s1,
    "single look": rules.single_look,
}


def main() -> None:
    """Replay what has not been replayed yet, judge, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rules", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=Path("build/bench/rules"), help="where worlds and looks are kept"
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="file whose table is replaced")
    parser.add_argument("--seed", type=int, default=SEED, help="of the simulated year; another one in another folder")
    chosen = parser.parse_args()
    world = chosen.folder / "world"
    if not (world / "aoi.geojson").exists():
        scenes.build(world, seed=chosen.seed, start=demo.FIRST_NIGHT, preset="year")
    found = {"year": judged(chosen.folder, "year", world / "items.json", planted_in(world), demo.FIRST_NIGHT)}
    for name, first in (("worldcereal-a", date(2018, 1, 1)), ("boadella", date(2020, 6, 1))):
        if (SERIES / name).is_dir():
            found[name] = judged(chosen.folder, name, SERIES / name / "items.json", (), first)
    table = "\n".join(rows(found)) + "\n"
    print(table)
    if chosen.page.exists():
        head, rest = chosen.page.read_text(encoding="utf-8").split(BEGIN)
        chosen.page.write_text(head + BEGIN + table + END + rest.split(END)[1], encoding="utf-8")


def rows(found: dict[str, dict[str, Score]]) -> Iterator[str]:
    """The table in Markdown."""
    quiet = [name for name in found if name != "year"]
    yield (
        "| rule | year: confirmed | days to possible | days to confirmed | false confirmed | false possible | "
        + " | ".join(f"{name}: false confirmed | false possible" for name in quiet)
        + " |"
    )
    yield "|" + " --- |" * (6 + 2 * len(quiet))
    for rule in RULES:
        year = found["year"][rule]
        to_possible, to_confirmed = year.delays()
        cells = [rule, f"{year.planted - year.missed} of {year.planted}", to_possible, to_confirmed]
        cells += [str(year.confirmed_false), str(year.possible_false)]
        for name in quiet:
            cells += [str(found[name][rule].confirmed_false), str(found[name][rule].possible_false)]
        yield "| " + " | ".join(cells) + " |"


def judged(folder: Path, name: str, items: Path, planted: Sequence[Planted], first: date) -> dict[str, Score]:
    """Every rule on the looks of one series."""
    place = home_over(folder / name, items)
    tiles = looks_of(folder / f"{name}.npz", place, items, first)
    profile = watched.aois(place.aois, place.configs, [])[0].profile
    return {rule: replays.judge(tiles, planted, told, profile) for rule, told in RULES.items()}


def planted_in(world: Path) -> tuple[Planted, ...]:
    """What was planted in a simulated world."""
    found = json.loads((world / "planted.geojson").read_text())["features"]
    return tuple(
        Planted(f["properties"]["kind"], date.fromisoformat(f["properties"]["start"]), shape(f["geometry"]))
        for f in found
    )


def home_over(folder: Path, items: Path) -> run.Home:
    """A home that watches all that the items cover, or the AOI beside them."""
    place = demo.prepare(folder)
    beside = items.parent / "aoi.geojson"
    if beside.exists():
        (place.aois / "area.geojson").write_text(beside.read_text())
        return place
    boxes = np.array([item["bbox"] for item in json.loads(items.read_text())["features"]])
    (west, south), (east, north) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    feature: dict[str, Any] = {
        "type": "Feature",
        "properties": {
            "id": "series",
            "name": "Series",
            "profile": "demo",
            "overrides": {"search": {"history_days": 800}},  # boadella has few dates a year
        },
        "geometry": mapping(box(west, south, east, north)),
    }
    (place.aois / "area.geojson").write_text(json.dumps(feature))
    return place


def looks_of(kept: Path, place: run.Home, items: Path, first: date) -> tuple[TileLooks, ...]:
    """All looks that a replay from `first` on remembers, night by night."""
    aoi = watched.aois(place.aois, place.configs, [])[0]
    if not kept.exists():
        np.savez_compressed(kept, **_replayed(place, aoi, items, first))  # type: ignore[arg-type]
    with np.load(kept) as values:
        stored = {name: values[name] for name in values.files}
    granules = [grid.granule(str(name)) for name in stored["granules"]]
    tiles = {tile.key: tile for tile in plan.tiles_of(aoi, granules)}
    made = []
    for key in sorted({name.split("/")[0] for name in stored if "/" in name}):
        days, odds, weight, seen = (stored[f"{key}/{name}"] for name in ("day", "odds", "weight", "seen"))
        probability = 1 / (1 + np.exp(-odds.astype(np.float32) * STEP))
        probability[~np.repeat(seen[:, None], odds.shape[1], axis=1)] = np.nan
        tile = tiles[key]
        made.append(TileLooks(tile.granule, tile.window, tuple(days.tolist()), probability, weight, tile.owned()))
    return tuple(made)


def _replayed(place: run.Home, aoi: areas.Aoi, items: Path, first: date) -> dict[str, NDArray[Any]]:
    listed = [item["properties"]["datetime"][:10] for item in json.loads(items.read_text())["features"]]
    nights = sorted({day for day in map(date.fromisoformat, listed) if day >= first})
    arrays = place.store(aoi.id).arrays
    granules: tuple[str, ...] = ()
    known: dict[str, dict[int, dict[str, NDArray[Any]]]] = {}
    for night in nights:
        report = run.over(place, [night], run.Options(catalog=str(items), workers=0))
        print(f"{aoi.id} {night}: {report.nights[0].error or report.nights[0].counts}", flush=True)
        with database.opened(place.ledger) as ledger:
            left = Books(ledger, aoi.id).load(date.max, scenes_since=night)
        granules = left.granules
        for key, name in left.tiles.items():
            evidence = tilefile.read(arrays, name).evidence
            looks = known.setdefault(key, {})
            looks |= {int(day): _look(evidence, day) for day in np.unique(evidence.day) if day and day not in looks}
    values: dict[str, NDArray[Any]] = {"granules": np.array(granules)}
    for key, looks in known.items():
        values[f"{key}/day"] = np.array(sorted(looks))
        for field in ("odds", "weight", "seen"):
            values[f"{key}/{field}"] = np.stack([looks[day][field] for day in sorted(looks)])
    return values


def _look(evidence: Evidence, day: int) -> dict[str, NDArray[Any]]:
    """One day's look out of the slots."""
    at = evidence.day == day
    return {
        "seen": at.any(axis=0),
        "odds": np.where(at[:, None], evidence.odds, np.int8(0)).sum(axis=0, dtype=np.int8),
        "weight": np.where(at, evidence.weight, np.uint8(0)).sum(axis=0, dtype=np.uint8),
    }


if __name__ == "__main__":
    main()
