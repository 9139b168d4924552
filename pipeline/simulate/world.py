"""The planted world: land, seasons and the changes planted in it, seen from above without air and instrument.

In: a seed, a size and events. Out: fine reflectance of any window on any day. Deterministic from seed and place, so any
window is a crop of the whole and memory is bounded by the window asked for. Knows no catalogue and no files.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from pipeline.grid import RESOLUTION_M, Window
from pipeline.simulate import land, layout, optics, phenology
from pipeline.simulate.land import Cover, Ground
from pipeline.simulate.noise import Raster
from pipeline.simulate.shapes import Planted

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Event:
    """One planted change and the day it began; it stays."""

    event_id: str
    planted: Planted
    """Placed in 10 m pixels of the world."""
    start: date


@dataclass(frozen=True, slots=True)
class World:
    """A planted world. Windows are in 10 m pixels from its north-west corner."""

    seed: int
    size_px: tuple[int, int]
    """(height, width) in 10 m pixels, both even."""
    layout: layout.Layout
    events: tuple[Event, ...] = ()
    factor: int = optics.FACTOR
    """Fine pixels per 10 m pixel and axis: 4, 2 or 1."""

    @property
    def window(self) -> Window:
        """All of it."""
        return Window(0, 0, *self.size_px)

    def raster(self, window: Window) -> Raster:
        """The fine raster over a window."""
        fine_m = RESOLUTION_M / self.factor
        shape = (window.height * self.factor, window.width * self.factor)
        return Raster(window.row * RESOLUTION_M, window.col * RESOLUTION_M, fine_m, shape)

    def ground(self, window: Window | None = None) -> Ground:
        """What does not change from day to day; computed once and handed to `reflectance` for each day."""
        return land.ground(self.layout, self.raster(window or self.window), seed=self.seed)

    def reflectance(
        self, day: date, window: Window | None = None, *, ground: Ground | None = None, sun: tuple[float, float]
    ) -> Array:
        """(6, Y, X) fine reflectance on a day, with every event that began on or before it.

        Args:
            day: season, water level, crops and events follow it.
            window: in 10 m pixels of the world, edges even; None for all of it.
            ground: of the same window, to spare its computation.
            sun: (azimuth, elevation) in degrees, for the light on slopes.
        """
        window = window or self.window
        ground = self.ground(window) if ground is None else ground
        seen = phenology.reflectance(ground, day, seed=self.seed, shade=slope_light(ground.slope, sun))
        for event in self.events:
            if event.start <= day:
                _paint(seen, event.planted, window, self.factor)
        return seen


def planted_world(seed: int, size_px: tuple[int, int], *, factor: int = optics.FACTOR) -> World:
    """A world without events.

    Args:
        seed: source of all choices.
        size_px: (height, width) in 10 m pixels, both even.
        factor: fine pixels per 10 m pixel and axis: 4, 2 or 1.

    Raises:
        ValueError: odd size, or another factor.
    """
    if size_px[0] % 2 or size_px[1] % 2:
        raise ValueError(f"size_px must be even to hold whole 20 m pixels, got {size_px}")
    if factor not in (1, 2, optics.FACTOR):
        raise ValueError(f"factor must be 1, 2 or {optics.FACTOR}, got {factor}")
    height, width = (side * float(RESOLUTION_M) for side in size_px)
    return World(seed, size_px, layout.laid_out(seed, height, width), factor=factor)


def slope_light(slope: Array, sun: tuple[float, float]) -> Array:
    """(Y, X) log of the light on each slope against flat ground, halved: L2A takes out part of it."""
    azimuth, elevation = np.deg2rad(sun)
    toward = -slope[0] * -np.cos(azimuth) - slope[1] * np.sin(azimuth)
    light: Array = 0.5 * np.log(np.clip(1 + toward / np.tan(elevation), 0.3, 2)).astype(np.float32)
    return light


def forest_share(world: World, *, pixel_m: float = 20.0) -> Array:
    """(Y, X) 1 where a coarse pixel of the world is forest, else 0."""
    shape = (int(world.size_px[0] * RESOLUTION_M / pixel_m), int(world.size_px[1] * RESOLUTION_M / pixel_m))
    ground = land.ground(world.layout, Raster(0, 0, pixel_m, shape), seed=world.seed)
    share: Array = (ground.cover == Cover.FOREST).astype(np.float32)
    return share


def _paint(seen: Array, planted: Planted, window: Window, factor: int) -> None:
    """Lay a change over fine reflectance that this module has just made."""
    coarser = optics.FACTOR // factor
    share = optics.box_mean(planted.coverage, factor=coarser)
    light = optics.box_mean(planted.target() * planted.coverage, factor=coarser)
    place = Window(planted.row, planted.col, share.shape[0] // factor, share.shape[1] // factor)
    inside = place.clipped(window)
    if inside.empty:
        return
    inner = tuple(slice(s.start * factor, s.stop * factor) for s in inside.within(place))
    outer = tuple(slice(s.start * factor, s.stop * factor) for s in inside.within(window))
    seen[(slice(None), *outer)] *= 1 - share[inner]
    seen[(slice(None), *outer)] += light[(slice(None), *inner)]
