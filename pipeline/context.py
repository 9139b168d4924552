"""Context: what is known about the land, from vector layers that a profile names.

In: a profile's entries and the folder that they are relative to. Out: shapes, and what lies around a place. Knows no
alerts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline import config, grid
from pipeline.errors import ConfigError

REACH_M = 50_000.0
"""What lies further off is not told."""
_DEGREE_M = 111_320.0
_POINTS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing on the land."""

    name: str
    role: str
    geometry: BaseGeometry
    """WGS84."""
    layer: str = ""
    """Name of the profile's entry that it comes from."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Features as they lie in one UTM zone."""

    epsg: int
    features: tuple[Feature, ...]
    shapes: NDArray[np.object_]
    """One per feature, in metres."""


@dataclass(frozen=True, slots=True)
class Near:
    """Where a thing lies as seen from a place."""

    name: str
    role: str
    distance_m: float
    """0 inside it, or on it."""
    bearing_deg: float
    """From the place to its nearest point, clockwise from north; 0 where there is no distance."""
    inside: bool
    """Whether the place lies in it, at least in part: it is an area."""

    @property
    def words(self) -> str:
        """Like `border 3.4 km SW`."""
        if self.distance_m == 0:
            return f"{self.name} 0 m"
        point = _POINTS[round(self.bearing_deg / 45) % 8]
        far = f"{self.distance_m / 1000:.1f} km" if self.distance_m >= 1000 else f"{self.distance_m:.0f} m"
        return f"{self.name} {far} {point}"


def load(layers: Sequence[config.Context], folder: Path, over: BaseGeometry, *, source: str) -> tuple[Feature, ...]:
    """Read what lies in and around an AOI.

    Args:
        layers: from the profile.
        folder: what their files are relative to.
        over: WGS84 shape of the AOI.
        source: the profile's file, named in errors.

    Returns:
        Features within `REACH_M` or so, in the order of the layers.

    Raises:
        ConfigError: a file is missing or not readable, has no CRS, or lacks the column of names.
    """
    return tuple(
        feature
        for number, layer in enumerate(layers)
        for feature in _load(layer, folder, over, f"{source}: context.{number}")
    )


def place(features: Sequence[Feature], epsg: int) -> Placed:
    """Features in the metres of a UTM zone, once for everything that lies among them."""
    shapes = np.array([grid.reproject(feature.geometry, 4326, epsg) for feature in features], dtype=object)
    return Placed(epsg, tuple(features), shapes)


def around(shape: BaseGeometry, land: Placed) -> tuple[Near, ...]:
    """What lies around a place: of each role and name the nearest, nearest first.

    Args:
        shape: WGS84.
        land: from `place`, in the UTM zone in which to measure.
    """
    here = grid.reproject(shape, 4326, land.epsg)
    away = shapely.distance(here, land.shapes)
    nearest: dict[tuple[str, str], int] = {}
    for number in np.flatnonzero(away <= REACH_M).tolist():
        feature = land.features[number]
        key = feature.role, feature.name
        if key not in nearest or away[number] < away[nearest[key]]:
            nearest[key] = number
    found = (_near(here, land.shapes[n], float(away[n]), land.features[n]) for n in nearest.values())
    return tuple(sorted(found, key=lambda near: (near.distance_m, near.role, near.name)))


def box_around(over: BaseGeometry) -> BaseGeometry:
    """WGS84 box that reaches `REACH_M` or so beyond an AOI."""
    west, south, east, north = over.bounds
    tall = REACH_M / _DEGREE_M
    wide = tall / max(0.05, math.cos(math.radians(max(abs(south), abs(north)))))
    return shapely.box(west - wide, south - tall, east + wide, north + tall)


def _near(here: BaseGeometry, there: BaseGeometry, distance: float, feature: Feature) -> Near:
    if distance == 0:
        return Near(feature.name, feature.role, 0.0, 0.0, shapely.get_dimensions(there) == 2)
    (x, y), (to_x, to_y) = shapely.get_coordinates(shapely.shortest_line(here, there))
    return Near(feature.name, feature.role, distance, math.degrees(math.atan2(to_x - x, to_y - y)) % 360, False)


def _load(layer: config.Context, folder: Path, over: BaseGeometry, source: str) -> list[Feature]:
    path = folder / layer.file
    if not path.exists():
        raise ConfigError(f"{source}: file: no {path}; put it there, or take the entry out")
    import geopandas as gpd  # heavy: only for profiles that name layers
    import pyogrio

    try:
        crs = pyogrio.read_info(path)["crs"]
        if crs is None:
            raise ConfigError(f"{source}: file: {path} does not say its CRS; save it again with one")
        table = gpd.read_file(path, bbox=gpd.GeoSeries([box_around(over)], crs=4326), engine="pyogrio").to_crs(4326)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError, OSError) as err:
        raise ConfigError(f"{source}: file: {path} is not readable ({err}); save it as GeoPackage") from err
    if layer.label and layer.label not in table.columns:
        there = ", ".join(name for name in table.columns if name != "geometry") or "none"
        raise ConfigError(f"{source}: label: {path} has no column {layer.label!r}; there are: {there}")
    table = table[~(table.geometry.isna() | table.geometry.is_empty)]
    names = table[layer.label] if layer.label else [layer.name] * len(table)
    return [
        Feature(_called(name) or layer.name, layer.role, shapely.make_valid(shape), layer.name)
        for name, shape in zip(names, table.geometry, strict=True)
    ]


def _called(name: Any) -> str:
    """A name as text, empty where there is none; whole numbers beside missing ones come as fractions."""
    if name is None or name != name:
        return ""
    return str(int(name) if isinstance(name, float) and name.is_integer() else name).strip()
