"""Simulated ground for chips: woods of mixed kinds, fields, water, old tracks and villages, at 10 m.

In: a random generator. Out: reflectance and what stands where. Lighter than `simulate.world`, which serves whole
granules: a chip takes milliseconds, and no two are alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.simulate import canvas, optics, shapes, spectra

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

WOODS = (
    "evergreen",
    "deciduous_green",
    "conifer",
    "conifer",
    "conifer_dying",
    "mangrove",
    "scrub_green",
    "deciduous_dry",
    "scrub_dry",
)
OPEN = (
    "grass_green",
    "grass_dry",
    "crop_young",
    "crop_green",
    "crop_ripe",
    "stubble",
    "paddy_flooded",
    "soil_laterite",
    "soil_brown",
    "soil_sandy",
    "soil_wet",
    "soil_black",
)
WATER = ("water_clear", "water_turbid")

_SWIR = slice(4, None)


@dataclass(frozen=True, slots=True)
class Land:
    """Ground of one chip, before anything happens."""

    reflectance: Array
    """(6, y, x)."""
    woody: Mask
    """(y, x): trees or shrubs."""
    fields: NDArray[np.int32]
    """(y, x): number of the field on open land, 0 elsewhere."""


def landscape(rng: np.random.Generator, *, side_px: int) -> Land:
    """Simulate the ground of a chip of `side_px` pixels, an even number."""
    size = (side_px, side_px)
    woody = ~canvas.thresholded(
        canvas.quick_noise(size, rng.uniform(5, 22), rng), float(rng.choice((0, rng.uniform(0, 0.8))))
    )
    colours = _woods(size, rng)
    fields = field_numbers(~woody, rng)
    colours = np.where(woody, colours, _open_land(fields, rng))
    if rng.random() < 0.2:
        water = np.abs(canvas.quick_noise(size, rng.uniform(8, 25), rng)) < rng.uniform(0.03, 0.25)
        colours = np.where(water, spectra.varied(str(rng.choice(WATER)), rng=rng)[:, None, None], colours)
        woody, fields = woody & ~water, np.where(water, 0, fields)
    seen = blurred(np.asarray(colours, np.float32))
    return Land(_with_old_things(seen, rng), woody, fields)


def field_numbers(open_land: Mask, rng: np.random.Generator) -> NDArray[np.int32]:
    """(y, x) numbers of fields that part the open land: a turned, uneven grid; 0 elsewhere."""
    rows, cols = np.mgrid[: open_land.shape[0], : open_land.shape[1]].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    bend = 1.5 * canvas.quick_noise(open_land.shape, 12.0, rng)
    along, across = (
        np.cos(angle) * rows + np.sin(angle) * cols + bend,
        -np.sin(angle) * rows + np.cos(angle) * cols - bend,
    )
    strip = np.floor(across / rng.uniform(4, 30)).astype(np.int64)
    cut = np.floor(along / rng.uniform(6, 45) + (strip * 0.618) % 1).astype(np.int64)
    numbers = np.unique(strip * 4096 + cut, return_inverse=True)[1].reshape(open_land.shape)
    return np.where(open_land, numbers + 1, 0).astype(np.int32)


def field_spectra(
    count: int, names: tuple[str, ...], rng: np.random.Generator, *, surface: shapes.Surface = spectra.natural
) -> Array:
    """(count, 6) a surface for each field, drawn from a few that are common here."""
    common = rng.choice(names, size=min(4, len(names)), replace=False)
    drawn: Array = np.stack([surface(str(rng.choice(common)), rng) for _ in range(count)])
    return drawn


def blurred(colours: Array) -> Array:
    """(6, y, x) as the instrument would show it, near enough: a blur, and 20 m pixels for the 20 m bands."""
    soft: Array = ndimage.gaussian_filter(colours, (0, 0.55, 0.55))
    coarse = ndimage.gaussian_filter(colours[_SWIR], (0, 0.6, 0.6))
    soft[_SWIR] = optics.upsample(optics.box_mean(coarse, factor=2))
    return soft


def _woods(size: tuple[int, int], rng: np.random.Generator) -> Array:
    """(6, y, x) two kinds of wood that pass into each other, with crowns and shade."""
    one, other = (spectra.varied(str(rng.choice(WOODS)), rng=rng) for _ in range(2))
    share = np.clip(0.5 + 0.6 * canvas.quick_noise(size, rng.uniform(4, 20), rng), 0, 1)
    grain = rng.uniform(0.03, 0.14) * rng.standard_normal(size, np.float32)
    grain += rng.uniform(0.0, 0.12) * canvas.quick_noise(size, rng.uniform(1, 3), rng)
    grain += rng.uniform(0.0, 0.10) * canvas.quick_noise(size, rng.uniform(6, 20), rng)
    colours: Array = spectra.mixed(one, other, share) * np.exp(grain)
    return colours


def _open_land(fields: NDArray[np.int32], rng: np.random.Generator) -> Array:
    table = field_spectra(int(fields.max()) + 1, OPEN, rng)
    grain = rng.uniform(0.01, 0.05) * rng.standard_normal(fields.shape, np.float32)
    grain += rng.uniform(0.0, 0.06) * canvas.quick_noise(fields.shape, 3.0, rng)
    colours: Array = np.moveaxis(table[fields], -1, 0) * np.exp(grain)
    return colours


def _with_old_things(seen: Array, rng: np.random.Generator) -> Array:
    """Clearings, tracks and villages that have long been there."""
    for kind, share in (("clearing", 0.35), ("camp", 0.2), ("track", 0.4)):
        while rng.random() < share:
            seen = put(seen, shapes.random_planted(kind, rng, frame_px=seen.shape[1:]))[0]
    return seen


def put(
    reflectance: Array, planted: shapes.Planted, *, keep: Array | None = None, rough: float = 1.0
) -> tuple[Array, Array]:
    """Inject a planted change: the changed pixels (6, y, x), and the label (y, x), the share of each that changed.

    Args:
        reflectance: (6, y, x) without NaN.
        planted: in the frame of `reflectance`.
        keep: (y, x) factor on the coverage, 0 where nothing may change; None changes all.
        rough: how much of the texture of the new ground is kept; 0 makes each of its materials perfectly even.
    """
    side = optics.FACTOR
    rows, cols = (extent // side for extent in planted.coverage.shape)
    at, frame = (planted.row, planted.col), reflectance.shape[1:]
    low = [max(0, -start) for start in at]
    high = [min(extent, limit - start) for extent, limit, start in zip((rows, cols), frame, at, strict=True)]
    if high[0] <= low[0] or high[1] <= low[1]:
        return reflectance, np.zeros(frame, np.float32)
    part = (slice(low[0] * side, high[0] * side), slice(low[1] * side, high[1] * side))
    spot = (at[0] + low[0], at[1] + low[1])
    coverage = planted.coverage[part]
    if keep is not None:
        near = keep[spot[0] : spot[0] + high[0] - low[0], spot[1] : spot[1] + high[1] - low[1]]
        coverage = coverage * np.repeat(np.repeat(near, side, axis=0), side, axis=1)
    target = np.moveaxis(planted.spectra[planted.material[part]], -1, 0) * planted.brightness[part] ** np.float32(rough)
    injected = optics.inject(reflectance, coverage.astype(np.float32), target, at=spot)
    return injected.reflectance, injected.label
