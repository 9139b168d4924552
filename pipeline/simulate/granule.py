"""One whole granule of 10980 x 10980 pixels, for benchmarks.

In: a seed and dates. Out: a folder like that of `scenes.build`, with files of full size. One block of land at 10 m is
repeated, mirrored, over the granule; the changes are planted in its north-western block alone. Blocks lie too far apart
for the compression to notice, so files are as large as real ones of such land.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import mapping

from pipeline.grid import GRANULE_PX
from pipeline.simulate import plan, presets, products, region, scenes, world
from pipeline.simulate.presets import Preset
from pipeline.simulate.products import Rendered
from pipeline.simulate.scenes import Built

REPEATS = 5
BLOCK_PX = GRANULE_PX // REPEATS
"""Of the land that is repeated."""
COG_BLOCK_PX = 1024
"""Of the files, as in public archives."""

_SQUARE_PX = 10_000


def build(
    folder: Path, *, seed: int, start: date, history: int = 6, nights: int = 1, repeats: int = REPEATS, workers: int = 2
) -> Built:
    """Simulate a history and some new scenes of one whole granule, or of its north-western corner.

    A build that was interrupted goes on after the last whole scene.

    Args:
        folder: made if need be; about 0.9 GB and, on one core, two minutes per scene.
        seed: source of all choices.
        start: the first night.
        history: earlier scenes, all in the same season of the year before.
        nights: new scenes, every five days.
        repeats: blocks of land per axis; `REPEATS` make a whole granule.
        workers: threads; each needs about 2 GB.
    """
    demo = presets.PRESETS["demo"]
    steps = tuple(5 * index for index in range(nights))
    rules = Preset((BLOCK_PX, BLOCK_PX), _days(history), steps, demo.clearings_ha, demo.camps_ha, demo.tracks_m)
    place = region.corner(repeats * BLOCK_PX)
    empty = world.planted_world(seed, rules.size_px, factor=1)
    planted = plan.with_events(empty, rules, start=start)
    planned = plan.acquisitions(rules, seed=seed, start=start)
    planned = plan.seen_enough(planned, planted, latitude=place.latitude, looks=nights)
    planned = tuple(replace(one, edge=None, split=None, reprocessed=None) for one in planned)
    ground = planted.ground()

    def one(acquisition: plan.Acquisition) -> list[dict[str, Any]]:
        kept = folder / f"{acquisition.sensed:%Y-%m-%d}.json"
        if kept.exists():
            found: list[dict[str, Any]] = json.loads(kept.read_text(encoding="utf-8"))["features"]
            return found
        done: Rendered = scenes.render(planted, acquisition, place, ground=ground)
        rest = done if acquisition.sensed.date() < start else scenes.render(empty, acquisition, place, ground=ground)
        filled = replace(done, repeats=repeats, elsewhere=rest.native, block_px=COG_BLOCK_PX)
        made = products.write(folder, filled, acquisition, place)
        scenes.saved(kept, products.listed(made))
        return made

    with ThreadPoolExecutor(workers) as pool:
        found = [item for part in pool.map(one, planned) for item in part]
    days = sorted({acquisition.sensed.date() for acquisition in planned[history:]})
    return Built(
        items=scenes.saved(folder / "items.json", products.listed(found)),
        planted=scenes.saved(folder / "planted.geojson", scenes.truth(planted, place)),
        aoi=scenes.saved(folder / "aoi.geojson", _aoi(place)),
        nights=tuple(days),
        start=start,
    )


def _days(history: int) -> tuple[int, ...]:
    """Days before the first night: five-day steps about the same day of the year before."""
    return tuple(365 + 5 * (history // 2) - 5 * index for index in range(history))


def _aoi(place: region.Region) -> dict[str, Any]:
    """What there is of the square that the granule alone answers for, in the north-west of its grid, but for edges."""
    side = min(place.size_px[0], _SQUARE_PX) - 10
    west, north, east, south = 10, 10, side, side
    ground = place.to_wgs84(shapely.segmentize(shapely.box(west, north, east, south), 500))
    properties = {"id": "planted-granule", "name": "Planted granule", "profile": "demo", "note": "Simulated."}
    geometry = mapping(shapely.orient_polygons(shapely.set_precision(ground, 1e-7)))
    return {"type": "Feature", "properties": properties, "geometry": geometry}
