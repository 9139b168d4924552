"""Where things lie in a planted world: river, village, roads and the farmland about them.

In: a seed and the world's size. Out: a `Layout` of lines and polygons in metres, y to the south. Knows no pixels and no
seasons.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon, affinity
from shapely.geometry.base import BaseGeometry

from pipeline.simulate import outlines

ROOFS = ("roof_tile", "roof_tile", "roof_metal", "roof_thatch", "roof_rusty", "concrete")


@dataclass(frozen=True, slots=True)
class Road:
    """A road that was there before."""

    surface: str
    line: shapely.LineString
    width_m: float

    @property
    def ground(self) -> BaseGeometry:
        """What it covers."""
        return self.line.buffer(self.width_m / 2, quad_segs=4)


@dataclass(frozen=True, slots=True)
class Layout:
    """The man-made and the wet."""

    village: tuple[float, float]
    """(row, column) of its middle in metres."""
    farm_radius_m: float
    """Farmland reaches about so far from the village."""
    yards: BaseGeometry
    """The trodden ground of the village."""
    roofs: tuple[tuple[str, Polygon], ...]
    """Surface and outline of each building."""
    roads: tuple[Road, ...]
    """Existing roads, the widest last."""
    river_m: NDArray[np.float64]
    """(n, 2) row and column of the river's middle, every 20 m southwards."""
    river_half_m: float
    """Half the width of its bed."""


def laid_out(seed: int, height_m: float, width_m: float) -> Layout:
    """Lay a world out.

    Args:
        seed: source of all choices.
        height_m: of the world, north to south.
        width_m: of the world, west to east.
    """
    rng = np.random.default_rng([seed, 1])
    side = min(height_m, width_m)
    village = (height_m * rng.uniform(0.5, 0.66), width_m * rng.uniform(0.55, 0.64))
    radius = 0.045 * side
    yards = shapely.union_all(
        [
            _at(outlines.outline("natural", 2 * radius**2 * size, rng=rng), village[0] + dy, village[1] + dx)
            for size, dy, dx in zip((1.0, 0.3, 0.2), (0, radius, -radius), (0, -1.2 * radius, radius), strict=True)
        ]
    )
    return Layout(
        village,
        0.24 * side,
        yards,
        tuple(_houses(yards, rng)),
        tuple(_roads(village, height_m, width_m, rng)),
        _river(height_m, width_m, rng),
        float(np.clip(0.008 * width_m, 18, 60)),
    )


def _at(ground: Polygon, row_m: float, col_m: float) -> Polygon:
    return affinity.translate(ground, col_m, row_m)


def _houses(yards: BaseGeometry, rng: np.random.Generator) -> list[tuple[str, Polygon]]:
    """Houses over the yards, in rows that roughly share a heading."""
    west, north, east, south = yards.bounds
    heading = rng.uniform(0, 90)
    houses: list[tuple[str, Polygon]] = []
    for _ in range(int(yards.area / 450)):
        size = rng.uniform(5, 16), rng.uniform(4, 9)
        house = outlines.building(*size, rng=rng, heading_deg=heading)
        house = _at(house, rng.uniform(north, south), rng.uniform(west, east))
        if yards.contains(house):
            houses.append((str(rng.choice(ROOFS)), house))
    return houses


def _roads(village: tuple[float, float], height_m: float, width_m: float, rng: np.random.Generator) -> list[Road]:
    """An asphalt road from north to south through the village, and earth roads into the forest."""
    row, col = village
    ends = [
        (
            "road_earth",
            4.0,
            [(row, col), (row - 0.1 * height_m, 0.3 * width_m), (rng.uniform(0.3, 0.7) * height_m, 0.0)],
        ),
        (
            "road_earth",
            3.0,
            [(row, col), (0.2 * height_m, col - 0.15 * width_m), (0.0, rng.uniform(0.2, 0.4) * width_m)],
        ),
        ("road_earth", 3.0, [(row, col), (row + 0.06 * height_m, 0.7 * width_m), (row + 0.2 * height_m, width_m)]),
        (
            "road_asphalt",
            8.0,
            [(0.0, rng.uniform(0.5, 0.7) * width_m), (row, col), (height_m, rng.uniform(0.4, 0.6) * width_m)],
        ),
    ]
    return [Road(surface, _bent(points, rng), width) for surface, width, points in ends]


def _bent(points: list[tuple[float, float]], rng: np.random.Generator) -> shapely.LineString:
    """A smooth line through (row, column) points, with bends of its own."""
    knots = np.array(points, np.float64)
    along = np.linspace(0, 1, 160)
    middle = np.linspace(0, 1, len(knots))
    path = np.column_stack([np.interp(along, middle, knots[:, axis]) for axis in (0, 1)])
    length = np.hypot(*np.diff(knots, axis=0).T).sum()
    for wave in (1.5, 3.0, 7.0):
        phase = rng.uniform(0, 2 * np.pi, 2)
        bend = np.sin(2 * np.pi * wave * along[:, None] + phase) * length * 0.02 / wave
        path += bend * np.sin(np.pi * along * (len(knots) - 1))[:, None] ** 2
    kernel = np.hanning(19) / np.hanning(19).sum()
    padded = np.pad(path, ((9, 9), (0, 0)), mode="reflect", reflect_type="odd")
    smooth = np.column_stack([np.convolve(padded[:, axis], kernel, "valid") for axis in (0, 1)])
    return shapely.LineString(smooth[:, ::-1])


def _river(height_m: float, width_m: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """It enters in the north, meanders and leaves in the south."""
    rows = np.arange(-200, height_m + 220, 20.0)
    cols = np.full(len(rows), width_m * rng.uniform(0.76, 0.84))
    for period, share in ((1.9, 0.05), (0.8, 0.035), (0.33, 0.016)):
        cols += width_m * share * np.sin(2 * np.pi * rows / (period * height_m) + rng.uniform(0, 2 * np.pi))
    return np.column_stack([rows, cols])
