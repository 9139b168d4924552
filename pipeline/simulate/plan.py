"""What is observed and what happens: the acquisitions of a simulated world, and the changes planted in it.

In: a seed, dates and a preset. Out: `Acquisition` and `Event` values. Knows no pixels of scenes and no files.

Two relative orbits see the region, each every five days with two satellites in turn. The history holds what real
archives hold: a processing baseline that changes on the way, offsets that were taken out or not, one flag that lies, an
acquisition cut into two datastrips, one that was processed twice, and orbit edges.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.grid import RESOLUTION_M, Window
from pipeline.simulate import optics, shapes, sky, world
from pipeline.simulate.noise import Raster
from pipeline.simulate.presets import Preset
from pipeline.simulate.shapes import Planted
from pipeline.simulate.sky import Weather
from pipeline.simulate.world import Event, World

Stored = Literal["plain", "removed", "present", "removed, denied"]
"""How files hold the offset of baseline 04.00 and later: before it (`plain`), taken out, still in, or taken out though
the catalogue says it was not."""

ORBITS = ((19, 0, 0.55), (62, 2, -0.6))
"""Relative orbit, its phase in the five days, and the region's place in its swath."""

OFFSET_DAY = date(2022, 1, 25)
"""From here on ESA's products carried the radiometric offset (baseline 04.00)."""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """One overpass."""

    sensed: datetime
    platform: str
    """`sentinel-2a` ..."""
    relative_orbit: int
    baseline: str
    stored: Stored
    weather: Weather
    shift_px: tuple[float, float]
    """(row, column) by which the scene lies off."""
    edge: float | None = None
    """Where the swath ends: share of the region's width that is seen, from the west; None for all."""
    split: float | None = None
    """Where a datastrip ends: share of the region's height; None for one datastrip."""
    reprocessed: tuple[str, Stored] | None = None
    """Baseline and offset of a second processing, listed beside the first."""


def acquisitions(
    preset: Preset, *, seed: int, start: date, nights: int | None = None, offset_day: date | None = None
) -> tuple[Acquisition, ...]:
    """All overpasses, oldest first.

    Args:
        preset: which days.
        seed: of weather and pointing.
        start: the first night.
        nights: how many of the new acquisitions; None for all.
        offset_day: since when products carry the offset; None for the real day, or the middle of the history where
            fewer than two of its overpasses come after that.
    """
    first = start - timedelta(days=max(preset.history))
    middle = start - timedelta(days=max(preset.history) // 2)
    within = (start - OFFSET_DAY).days > sorted(preset.history)[:2][-1] and first < OFFSET_DAY
    changed = offset_day or (OFFSET_DAY if within else middle)
    steps = [-days for days in preset.history] + list(preset.night_steps[:nights])
    made = [
        _acquisition(seed, index, _overpass(start + timedelta(days=step)), changed, preset.cloudy)
        for index, step in enumerate(steps)
    ]
    known, new = made[: len(preset.history)], made[len(preset.history) :]
    early = [index for index, one in enumerate(known) if one.stored == "plain"]
    late = [index for index, one in enumerate(known) if one.stored != "plain"]
    if len(early) > 2:
        known[early[1]] = replace(known[early[1]], split=0.55)
        known[early[2]] = replace(known[early[2]], reprocessed=("05.00", "present"))
    if late:
        known[late[-1]] = replace(known[late[-1]], stored="removed, denied")
    if len(early) > 4:
        known[early[4]] = replace(known[early[4]], edge=0.7)
    if len(new) > 4:
        new[2] = replace(new[2], edge=0.8)
    return tuple(sorted((*known, *new), key=lambda one: one.sensed))


def _overpass(wanted: date) -> tuple[date, int]:
    """The first overpass on or after a day, and which of the orbits it is."""
    waits = [(phase - wanted.toordinal()) % 5 for _, phase, _ in ORBITS]
    return wanted + timedelta(days=min(waits)), int(np.argmin(waits))


def _acquisition(
    seed: int, index: int, overpass: tuple[date, int], changed: date, always_cloudy: float | None
) -> Acquisition:
    day, orbit_index = overpass
    rng = np.random.default_rng([seed, 2, day.toordinal()])
    orbit, _, view = ORBITS[orbit_index]
    if always_cloudy is not None:  # mostly overcast days, and clear ones between them
        cloudy = rng.beta(2 * always_cloudy, 2 * (1 - always_cloudy))
    elif day.month in (6, 7, 8, 9):  # monsoon
        cloudy = rng.uniform(0.25, 0.8)
    else:
        cloudy = rng.choice((0.0, 0.04, 0.12, 0.3), p=(0.25, 0.25, 0.3, 0.2))
    weather = Weather(
        seed=int(rng.integers(2**31)),
        cloud_share=float(cloudy),
        veil=float(rng.choice((0.0, rng.uniform(0.1, 0.6)), p=(0.7, 0.3))),
        haze=float(rng.gamma(2.0, 0.004)),
        cloud_height_m=float(rng.uniform(700, 2600)),
        view=view,
    )
    after = day >= changed
    held: tuple[Stored, Stored] = ("removed", "present")
    stored: Stored = held[index % 2] if after else "plain"
    baseline = "03.01" if not after else "04.00" if day < date(2022, 12, 6) else "05.09" if day.year < 2024 else "05.11"
    number = (day.toordinal() - ORBITS[orbit_index][1]) // 5
    letters = "ab" if day < date(2025, 1, 21) else "abc"
    moment = datetime(day.year, day.month, day.day, 5, 9 + 10 * orbit_index, int(rng.integers(60)), tzinfo=UTC)
    shift = rng.normal(0, 0.12 if after else 0.28, 2).clip(-0.7, 0.7)
    platform = f"sentinel-2{letters[number % len(letters)]}"
    return Acquisition(moment, platform, orbit, baseline, stored, weather, (float(shift[0]), float(shift[1])))


def with_events(empty: World, preset: Preset, *, start: date) -> World:
    """The world with a preset's changes, each in forest, away from the others, begun about the first night."""
    rng = np.random.default_rng([empty.seed, 3])
    free = world.forest_share(empty) > 0.5
    made: list[Event] = []
    wanted = [("track", size) for size in preset.tracks_m] + [
        *(("clearing", (size, 0.0)) for size in preset.clearings_ha),
        *(("camp", (size, 0.0)) for size in preset.camps_ha),
    ]
    for index, (kind, size) in enumerate(wanted):
        planted = _placed(kind, size, free, rng)
        latest = preset.night_steps[-min(len(preset.night_steps), max(4, len(preset.night_steps) // 6))]
        begun = start + timedelta(days=int(rng.integers(-4, latest + 1)))
        made.append(Event(f"{kind}-{index + 1}", planted, begun))
        free &= ~_footprint(planted, free.shape, margin_px=14)
    return replace(empty, events=tuple(made))


def _placed(kind: str, size: tuple[float, float], free: NDArray[np.bool_], rng: np.random.Generator) -> Planted:
    """The first of many random draws that lies in free forest; the best one where none does wholly."""
    best: tuple[float, Planted] | None = None
    for _ in range(400):
        centre = (2 * rng.uniform(0.06, 0.94) * free.shape[0], 2 * rng.uniform(0.06, 0.94) * free.shape[1])
        drawn = _drawn(kind, size, centre, rng)
        west, north, east, south = drawn.geometry.bounds
        inside = north > 12 and west > 12 and south < 2 * free.shape[0] - 12 and east < 2 * free.shape[1] - 12
        share = float(free[_footprint(drawn, free.shape, margin_px=1)].mean()) if inside else 0.0
        if best is None or share > best[0]:
            best = (share, drawn)
        if share > 0.99:
            break
    if best is None or best[0] < 0.7:
        raise ValueError(f"no room for a {kind} of {size} in the forest of this world; use another seed or size")
    return best[1]


def _drawn(kind: str, size: tuple[float, float], centre: tuple[float, float], rng: np.random.Generator) -> Planted:
    if kind == "track":
        return shapes.track(rng, centre=centre, length_m=size[0], width_m=size[1])
    if kind == "camp":
        return shapes.camp(rng, centre=centre, area_ha=size[0])
    return shapes.clearing(rng, centre=centre, area_ha=size[0], kept=float(rng.choice((0.0, 0.15))))


def _footprint(planted: Planted, shape: tuple[int, int], *, margin_px: int) -> NDArray[np.bool_]:
    """(Y, X) pixels of 20 m that a change touches, grown by `margin_px` of them."""
    share = optics.box_mean(planted.coverage, factor=2 * optics.FACTOR) > 0
    place = Window(planted.row // 2, planted.col // 2, *share.shape)
    whole = Window(0, 0, *shape)
    inside = place.clipped(whole)
    mask = np.zeros(shape, np.bool_)
    if not inside.empty:
        mask[inside.within(whole)] = share[inside.within(place)]
    grown: NDArray[np.bool_] = ndimage.binary_dilation(mask, iterations=margin_px)
    return grown


def seen_enough(
    planned: tuple[Acquisition, ...], planted: World, *, latitude: float, looks: int = 3
) -> tuple[Acquisition, ...]:
    """The same overpasses with the clouds elsewhere where an event would not be seen often enough after its start.

    Args:
        planned: oldest first.
        planted: the world with its events.
        latitude: of the region, for the sun.
        looks: clear looks that every event gets.
    """
    last = max((event.start for event in planted.events), default=date.min)
    order = [index for index, one in enumerate(planned) if one.sensed.date() >= last and one.edge is None][::-1]
    calm = list(planned)
    for index in order:
        if all(sum(_sees(one, event, latitude) for one in calm) >= looks for event in planted.events):
            break
        calm[index] = _calmer(calm[index], planted, latitude)
    return tuple(calm)


def _calmer(one: Acquisition, planted: World, latitude: float) -> Acquisition:
    """The acquisition under another sky of the same kind that hides no event; a clear one where none is found."""
    for attempt in range(40):
        weather = replace(one.weather, seed=(one.weather.seed + attempt) % 2**31, veil=0.0)
        other = replace(one, weather=weather)
        if all(_sees(other, event, latitude) for event in planted.events):
            return other
    return replace(one, weather=replace(one.weather, cloud_share=0.0, veil=0.0))


def _sees(one: Acquisition, event: Event, latitude: float) -> bool:
    """Whether an acquisition sees more than nine tenths of an event clearly after its start."""
    if one.sensed.date() < event.start or one.edge is not None:
        return False
    west, north, east, south = (int(side) for side in event.planted.geometry.bounds)
    here = Raster(north * RESOLUTION_M, west * RESOLUTION_M, RESOLUTION_M, (south - north + 2, east - west + 2))
    sun = sky.sun_position(one.sensed.date(), latitude)
    return bool(sky.air(one.weather, here, sun=sun).clear.mean() > 0.9)
