"""What covers the ground of a planted world: land cover and texture, the same on every day.

In: a layout, a seed and a raster. Out: a `Ground`. Any raster of any place gives a crop of the same land. Knows no
seasons, no changes and no instrument.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio import features

from pipeline.simulate import noise
from pipeline.simulate.layout import Layout
from pipeline.simulate.noise import Raster

Array = NDArray[np.float32]

PARCEL_M = 85.0
_HILL_M, _HILL_HEIGHT_M = 1400, 75


class Cover(IntEnum):
    """What a place is."""

    FOREST = 0
    SCRUB = 1
    GRASS = 2
    FIELD = 3
    YARD = 4
    RIVER = 5
    BUILT = 6


UNIT = np.dtype([("cover", "u1"), ("surface", "U16"), ("row", "i4"), ("col", "i4")])
"""One field, or one building or road with its surface: what has a spectrum of its own."""


@dataclass(frozen=True, slots=True)
class Ground:
    """The land under one raster."""

    raster: Raster
    cover: NDArray[np.uint8]
    """(Y, X) codes of `Cover`."""
    unit: NDArray[np.int32]
    """(Y, X) row of `units` where the cover is a field or built."""
    units: NDArray[np.void]
    """(n,) of `UNIT`."""
    evergreen: Array
    """(Y, X) share of trees that keep their leaves, 0 to 1."""
    lateness: Array
    """(Y, X) days by which trees and grass are later than the mean."""
    texture: Array
    """(Y, X) log of the brightness against the cover's mean."""
    slope: Array
    """(2, Y, X) rise of the ground to the south and to the east, metres per metre."""
    depth: Array
    """(Y, X) 0 in the middle of the river's channel, about 1 at the banks of its bed; larger outside."""


def ground(layout: Layout, raster: Raster, *, seed: int) -> Ground:
    """The land under a raster.

    Args:
        layout: of the world.
        raster: any window and any pixel size; texture finer than a pixel is left out.
        seed: of the world.
    """
    cover, depth = _covers(layout, raster, seed)
    unit, units = _fields(raster, cover, seed)
    unit, units = _built(layout, raster, (cover, unit, units))
    stand = noise.fractal(noise.key(seed, "stand"), raster, scale_m=900, octaves=5, gain=0.6)
    hill = noise.fractal(noise.key(seed, "hill"), raster, scale_m=_HILL_M, octaves=4)
    stand += 1.6 * np.exp(-((hill / 0.11) ** 2))  # lines of evergreen trees along the water, where a height line runs
    late = noise.smooth(noise.key(seed, "late"), raster, scale_m=500)
    single = noise.smooth(noise.key(seed, "single"), raster, scale_m=28)
    return Ground(
        raster,
        cover,
        unit,
        units,
        evergreen=(1 / (1 + np.exp(0.3 - 1.6 * stand - 0.9 * single))).astype(np.float32),
        lateness=9 * late + 9 * single,
        texture=_texture(raster, cover, seed),
        slope=_slope(raster, seed),
        depth=depth,
    )


def _covers(layout: Layout, raster: Raster, seed: int) -> tuple[NDArray[np.uint8], Array]:
    rows, cols = raster.rows_m()[:, None], raster.cols_m()[None, :]
    ragged = noise.fractal(noise.key(seed, "edge"), raster, scale_m=1.6 * layout.farm_radius_m, octaves=7, gain=0.62)
    away = np.hypot(rows - layout.village[0], cols - layout.village[1]) / layout.farm_radius_m
    farm = (1.2 - away + 0.6 * ragged).astype(np.float32)
    glade = noise.fractal(noise.key(seed, "glade"), raster, scale_m=420, octaves=4)
    cover = np.full(raster.shape, Cover.FOREST, np.uint8)
    cover[(glade > 2.15) | (farm > -0.05)] = Cover.SCRUB
    cover[glade > 2.6] = Cover.GRASS
    cover[farm > 0.06] = Cover.FIELD
    cover[(farm > 0.06) & (glade < -1.75)] = Cover.FOREST  # groves between the fields
    middle = np.interp(raster.rows_m(), layout.river_m[:, 0], layout.river_m[:, 1])
    lean = np.gradient(layout.river_m[:, 1], layout.river_m[:, 0])
    steep = np.sqrt(1 + np.interp(raster.rows_m(), layout.river_m[:, 0], lean) ** 2)
    wander = noise.fractal(noise.key(seed, "bank"), raster, scale_m=260, octaves=4)
    swing = noise.smooth(noise.key(seed, "channel"), raster, scale_m=420)
    across = (cols - middle[:, None]) / steep[:, None] / layout.river_half_m
    bed = np.abs(across) + 0.14 * wander
    depth = np.abs(across + 0.35 * swing) + 0.14 * wander  # the channel swings in its bed and leaves bars on one side
    cover[bed < 1.5] = Cover.FOREST  # trees along the banks
    cover[bed < 1] = Cover.RIVER
    return cover, depth.astype(np.float32)


def _fields(raster: Raster, cover: NDArray[np.uint8], seed: int) -> tuple[NDArray[np.int32], NDArray[np.void]]:
    """Parcels as blocks about jittered points; between some of them runs a bund with grass and trees."""
    warp = [9 * noise.smooth(noise.key(seed, "warp", axis), raster, scale_m=220) for axis in "yx"]
    y, x = np.nonzero(cover == Cover.FIELD)
    turn = 2 * np.pi * noise.uniform(noise.key(seed, "turn"), np.zeros(1, np.int64), np.zeros(1, np.int64))[0]
    down = (raster.rows_m()[y] + warp[0][y, x]) / PARCEL_M
    right = (raster.cols_m()[x] + warp[1][y, x]) / PARCEL_M
    down, right = down * np.cos(turn) - right * np.sin(turn), down * np.sin(turn) + right * np.cos(turn)
    best, second, place = _nearest_parcel(down, right, noise.key(seed, "parcel"))
    ids, index = np.unique(place, axis=0, return_inverse=True)
    unit = np.zeros(raster.shape, np.int32)
    unit[y, x] = index.ravel()
    bund = (second - best) * PARCEL_M < 4.0
    single = noise.smooth(noise.key(seed, "hedge"), raster, scale_m=16)[y, x]
    cover[y[bund], x[bund]] = np.where(single[bund] > 0.55, Cover.FOREST, Cover.GRASS)
    cover[y[single > 3.0], x[single > 3.0]] = Cover.FOREST  # single trees in the fields
    units = np.zeros(len(ids), UNIT)
    units["cover"], units["row"], units["col"] = Cover.FIELD, ids[:, 0], ids[:, 1]
    return unit, units


def _nearest_parcel(
    down: NDArray[np.float64], right: NDArray[np.float64], parcel_key: int
) -> tuple[Array, Array, NDArray[np.int32]]:
    """Distance to the nearest and to the second point in blocks (the larger of both axes), and the nearest's cell."""
    best = np.full(len(down), np.inf, np.float32)
    second = best.copy()
    place = np.zeros((len(down), 2), np.int32)
    base_row, base_col = np.floor(down).astype(np.int64), np.floor(right).astype(np.int64)
    for step_row in (-1, 0, 1):
        for step_col in (-1, 0, 1):
            row, col = base_row + step_row, base_col + step_col
            off = [0.15 + 0.7 * noise.uniform(noise.key(parcel_key, axis), row, col) for axis in "yx"]
            long = 0.55 + 0.9 * noise.uniform(noise.key(parcel_key, "long"), row, col)
            far = np.maximum(np.abs(down - row - off[0]) * long, np.abs(right - col - off[1]) / long).astype(np.float32)
            nearer = far < best
            second = np.where(nearer, best, np.minimum(second, far))
            place[nearer] = np.column_stack([row, col])[nearer]
            best = np.where(nearer, far, best)
    return best, second, place


Layers = tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.void]]


def _built(layout: Layout, raster: Raster, layers: Layers) -> tuple[NDArray[np.int32], NDArray[np.void]]:
    """Draw yards, roads and houses over the fields; each road and house is a unit of its own."""
    cover, unit, units = layers
    transform = Affine(raster.pixel_m, 0, raster.left_m, 0, raster.pixel_m, raster.top_m)
    yard = features.rasterize([layout.yards], raster.shape, transform=transform, dtype="uint8")
    cover[(yard > 0) & (cover != Cover.RIVER)] = Cover.YARD
    things = (*((road.surface, road.ground) for road in layout.roads), *layout.roofs)
    drawn = features.rasterize(
        [(shape, index + 1) for index, (_, shape) in enumerate(things)],
        raster.shape,
        transform=transform,
        dtype="int32",
    )
    hit = drawn > 0
    cover[hit] = Cover.BUILT
    more = np.zeros(len(things), UNIT)
    more["cover"], more["surface"], more["row"] = Cover.BUILT, [name for name, _ in things], np.arange(len(things))
    return np.where(hit, drawn - 1 + len(units), unit).astype(np.int32), np.concatenate([units, more])


def _texture(raster: Raster, cover: NDArray[np.uint8], seed: int) -> Array:
    """Crowns and their shadows in woodland, furrows and patches elsewhere."""
    crowns = [(9.0, 0.18), (24.0, 0.12), (70.0, 0.08), (300.0, 0.05)]
    woods = np.zeros(raster.shape, np.float32)
    for scale, strength in crowns:
        if scale >= raster.pixel_m:
            woods += np.float32(strength) * noise.smooth(noise.key(seed, "crown", int(scale)), raster, scale_m=scale)
    white = noise.grain(noise.key(seed, "grain"), raster)
    rough = np.float32(min(1.0, 2.5 / raster.pixel_m))
    woods += np.float32(0.16) * rough * white
    woods -= np.float32(0.5) * np.clip(
        np.abs(woods) - 0.3, 0, None
    )  # gaps between crowns are darker than crowns bright
    patch = noise.smooth(noise.key(seed, "patch"), raster, scale_m=45)
    open_land = np.float32(0.05) * rough * white + np.float32(0.05) * patch
    tall = (cover == Cover.FOREST) | (cover == Cover.SCRUB)
    texture: Array = np.where(tall, woods, open_land)
    return texture


def _slope(raster: Raster, seed: int) -> Array:
    """Gentle hills: the difference of heights over 40 m."""
    around = 20.0
    parts = []
    for top, left in ((around, 0.0), (0.0, around)):
        low, high = (
            noise.fractal(
                noise.key(seed, "hill"),
                Raster(raster.top_m + sign * top, raster.left_m + sign * left, raster.pixel_m, raster.shape),
                scale_m=_HILL_M,
                octaves=4,
            )
            for sign in (-1, 1)
        )
        parts.append((high - low) * np.float32(_HILL_HEIGHT_M / (2 * around)))
    return np.stack(parts)
