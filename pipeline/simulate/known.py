"""What somebody would know of a planted world's land beforehand: roads, the village, a reserve, a permit.

In: a planted world and its place. Out: vector layers, WGS84. Knows no seasons and no pixels; nothing that was planted
follows from it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely import affinity
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from pipeline.grid import RESOLUTION_M
from pipeline.simulate import outlines
from pipeline.simulate.region import Region
from pipeline.simulate.world import World

_RESERVE = (0.3, 0.27)  # of the world's height and width: its middle
_RESERVE_SHARE = 0.22  # of the world's area
_PERMIT_M = 60.0  # around the clearing that is permitted


Shapes = list[tuple[str, BaseGeometry]]
"""Names and shapes, in metres of the world, y to the south."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One vector layer, as an entry `[[context]]` of a profile names it."""

    name: str
    role: str
    content: dict[str, Any]
    """FeatureCollection with the column `name`, WGS84."""

    @property
    def file(self) -> str:
        """Its name in the folder of layers."""
        return f"{self.role}.geojson"


def layers(planted: World, place: Region) -> tuple[Layer, ...]:
    """The layers of a world; one of permits only where at least two clearings were planted.

    Args:
        planted: the world, with its events.
        place: where it lies.
    """
    roads: Shapes = [(f"{road.surface.removeprefix('road_')} road", road.line) for road in planted.layout.roads]
    told: list[tuple[str, str, Shapes]] = [
        ("Reserve", "protected", [("Planted reserve", _reserve(planted))]),
        ("Roads", "road", roads),
        ("Villages", "settlement", [("Planted village", planted.layout.yards)]),
        ("Felling permits", "permit", _permits(planted)),
    ]
    return tuple(Layer(name, role, _collection(shapes, place)) for name, role, shapes in told if shapes)


def _reserve(planted: World) -> BaseGeometry:
    """A blob in the north-west, inside the world."""
    height, width = (side * RESOLUTION_M for side in planted.size_px)
    rng = np.random.default_rng([planted.seed, 7])
    blob = outlines.outline("natural", _RESERVE_SHARE * height * width, rng=rng)
    moved = affinity.translate(blob, _RESERVE[1] * width, _RESERVE[0] * height)
    return moved.intersection(shapely.box(0, 0, width, height))


def _permits(planted: World) -> Shapes:
    """Around the second largest clearing."""
    clearings = sorted((e.planted for e in planted.events if e.planted.kind == "clearing"), key=lambda c: -c.area_m2)
    if len(clearings) < 2:
        return []
    metres = affinity.scale(clearings[1].geometry, RESOLUTION_M, RESOLUTION_M, origin=(0, 0))
    return [("Planted permit", metres.convex_hull.buffer(_PERMIT_M, quad_segs=2))]


def _collection(shapes: Shapes, place: Region) -> dict[str, Any]:
    features = []
    for name, metres in shapes:
        pixels = affinity.scale(metres, 1 / RESOLUTION_M, 1 / RESOLUTION_M, origin=(0, 0))
        shape = shapely.set_precision(place.to_wgs84(pixels), 1e-7)
        shape = shapely.orient_polygons(shape) if shapely.get_dimensions(shape) == 2 else shape
        features.append({"type": "Feature", "properties": {"name": name}, "geometry": mapping(shape)})
    return {"type": "FeatureCollection", "features": features}
