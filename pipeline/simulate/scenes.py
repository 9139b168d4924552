"""Simulated scenes on disk: COGs, STAC items, the truth and an AOI.

In: a seed, dates and a preset. Out: a folder that a night can run on. The same inputs give the same bytes.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry import mapping

from pipeline.simulate import known, optics, plan, presets, products, region, sky, world
from pipeline.simulate.land import Ground
from pipeline.simulate.noise import Raster
from pipeline.simulate.plan import Acquisition
from pipeline.simulate.products import Rendered
from pipeline.simulate.region import Region
from pipeline.simulate.world import World


@dataclass(frozen=True, slots=True)
class Built:
    """What `build` left behind."""

    items: Path
    """STAC ItemCollection, hrefs relative to it."""
    planted: Path
    """The truth: GeoJSON, WGS84."""
    aoi: Path
    """The AOI of the world: GeoJSON with profile `demo`."""
    nights: tuple[date, ...]
    """Days of the new acquisitions, oldest first."""
    start: date
    layers: tuple[known.Layer, ...] = ()
    """What is known of the land."""


def build(
    folder: Path, *, seed: int, start: date, preset: str = "demo", nights: int | None = None, workers: int = 2
) -> Built:
    """Simulate a world and everything that a catalogue would hold of it.

    Args:
        folder: made if need be; files of an earlier build are overwritten.
        seed: source of all choices.
        start: the first night; the history lies before it.
        preset: in `presets.PRESETS`.
        nights: how many of the new acquisitions; None for all.
        workers: threads.
    """
    rules = presets.PRESETS[preset]
    place = region.straddling(rules.size_px) if rules.straddles else region.within(rules.size_px)
    planted = plan.with_events(world.planted_world(seed, rules.size_px), rules, start=start)
    planned = plan.acquisitions(rules, seed=seed, start=start, nights=nights)
    planned = plan.seen_enough(planned, planted, latitude=place.latitude)
    ground = planted.ground()

    def one(acquisition: Acquisition) -> list[dict[str, Any]]:
        return products.write(folder, render(planted, acquisition, place, ground=ground), acquisition, place)

    with ThreadPoolExecutor(workers) as pool:
        found = [item for part in pool.map(one, planned) for item in part]
    new = sorted({a.sensed.date() for a in planned[len(rules.history) :]})
    return Built(
        items=saved(folder / "items.json", products.listed(found)),
        planted=saved(folder / "planted.geojson", truth(planted, place)),
        aoi=saved(folder / "aoi.geojson", aoi_feature(place)),
        nights=tuple(new),
        start=start,
        layers=known.layers(planted, place),
    )


def render(planted: World, acquisition: Acquisition, place: Region, *, ground: Ground) -> Rendered:
    """See a world through air and instrument, once."""
    day = acquisition.sensed.date()
    sun = sky.sun_position(day, place.latitude)
    whole = Raster(0, 0, 10.0, planted.size_px)
    fine = planted.reflectance(day, ground=ground, sun=sun)
    surface = optics.observe(fine, factor=planted.factor, shift_px=acquisition.shift_px)
    over = sky.air(acquisition.weather, whole, sun=sun)
    seen = sky.through(surface, over, acquisition.weather, sun=sun)
    classes = sky.classified(seen, over, whole, seed=acquisition.weather.seed)
    rng = np.random.default_rng([acquisition.weather.seed, 6])
    return Rendered(optics.add_noise(seen, rng=rng), classes, sun)


def truth(planted: World, place: Region) -> dict[str, Any]:
    """FeatureCollection of what was planted, WGS84."""
    features = []
    for event in planted.events:
        shape, change = place.to_wgs84(event.planted.geometry), event.planted
        properties = {
            "id": event.event_id,
            "kind": change.kind,
            "style": change.style,
            "start": event.start.isoformat(),
            "area_ha": round(change.area_m2 / 1e4, 4),
            "changed_ha": round(change.changed_m2 / 1e4, 4),
            "length_m": round(change.length_m, 1),
            "width_m": round(change.width_m, 1),
        }
        features.append({"type": "Feature", "properties": properties, "geometry": _rounded(shape)})
    return {"type": "FeatureCollection", "features": features}


def aoi_feature(place: Region) -> dict[str, Any]:
    """The region without a rim of 100 m."""
    height, width = place.size_px
    ground = shapely.segmentize(shapely.box(10, 10, width - 10, height - 10), 100)
    properties = {
        "id": "planted-world",
        "name": "Planted world",
        "profile": "demo",
        "note": "Simulated: nothing here is real.",
    }
    return {"type": "Feature", "properties": properties, "geometry": _rounded(place.to_wgs84(ground))}


def _rounded(shape: Any) -> dict[str, Any]:
    geometry: dict[str, Any] = mapping(shapely.orient_polygons(shapely.set_precision(shape, 1e-7)))
    return geometry


def saved(path: Path, content: dict[str, Any]) -> Path:
    """Write JSON, the same bytes for the same content; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path
