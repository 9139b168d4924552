"""One tile with changes planted in its own looks, and which of them a night would find: the work of one task.

In: a tile's job and wishes. Out: what was found of them, and what stands there without any. The looks, the normal, the
network, the evidence and the shapes are those of a night; only what is planted is not real.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from rasterio import features
from scipy import ndimage

from pipeline import grid, schema
from pipeline.alerts import detections
from pipeline.detect import change, detector, evidence, marks, opinion
from pipeline.evaluate.detectability import GROUNDS, Trial
from pipeline.learn import grounds, planting
from pipeline.learn.planting import Bed, Put, Wish
from pipeline.nightly import scratch, task
from pipeline.nightly.task import TileJob
from pipeline.scenes import look, residual
from pipeline.schema import KINDS, Detection, Look, Normal, Reason

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

CLEAR_SHARE = 0.5
"""A look counts where it sees at least this share of what the tile answers for."""
_LAND_NIR = 0.07  # normal reflectance; below it is water, where nobody camps
_SHORTEST = 1.25  # tracks are at least this multiple of the shortest that the rules accept
_MAX_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class PlantJob:
    """What is planted in one tile."""

    tile: TileJob
    wishes: tuple[Wish, ...]
    looks: int
    """So many of the tile's newest clear looks are used."""
    seed: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What some looks show without anything planted."""

    looks: int
    slot: int
    """Tells apart looks that were judged alone."""
    marks: NDArray[np.void]
    """(n,) of `schema.MARK`."""
    km2: float
    """Observed."""


@dataclass(frozen=True, slots=True)
class PlantAnswer:
    """What became of the wishes."""

    trials: tuple[Trial, ...]
    standing: tuple[Standing, ...]
    scenes: tuple[str, ...]
    """Looks that were used, oldest first."""
    unplaced: int
    """Wishes for which the tile had no room."""


@dataclass(frozen=True, slots=True)
class _Site:
    """One tile, ready to be planted; its pixels cover the tile with its surroundings."""

    job: TileJob
    normal: Normal
    looks: tuple[Look, ...]
    """Before the guard against residual clouds, so that it sees what is planted."""
    seen: Mask
    """(y, x) bool: clear in all looks, after the guard."""
    network: detector.Detector


def run(job: PlantJob) -> PlantAnswer:
    """Plant in one tile and look for it.

    Raises:
        ReadError, SceneError, StateError, ModelError: as for a night.
    """
    site = _site(job)
    if not site.looks:
        return PlantAnswer((), (), (), len(job.wishes))
    standing = _standing(site)
    bed = _bed(site, standing)
    rng = np.random.default_rng([job.seed, zlib.crc32(job.tile.tile.key.encode())])
    waiting = tuple(sorted(job.wishes, key=lambda wish: -wish.size))
    trials: list[Trial] = []
    for _ in range(_MAX_ROUNDS):
        planted, looks, waiting = planting.plant(bed, waiting, rng)
        if planted:
            trials += _judge(site, planted, looks)
        if not (planted and waiting):
            break
    return PlantAnswer(tuple(trials), standing, tuple(item.scene.scene_id for item in site.looks), len(waiting))


def _site(job: PlantJob) -> _Site:
    """The tile with its normal and the newest looks that see enough of it."""
    told = job.tile
    store = scratch.store(told.scratch, told.profile.read)
    network = detector.cached(told.model, on_gpu=told.profile.detect.on_gpu)
    window = task.around(told.tile, network.halo_px)
    normal = task.normal_for(told, window, store)
    owned, core = told.tile.owned(), told.tile.window.within(window)
    chosen: list[Look] = []
    seen = ~network.missing(normal.median)
    for inspected in reversed(told.new):
        if len(chosen) == job.looks or not owned.any():
            break
        raw = look.read_look(inspected, window, store=store, profile=told.profile)
        clear = seen & (residual.guard(raw, normal, rules=told.profile.mask).reason == Reason.CLEAR)
        if clear[core][owned].mean() >= CLEAR_SHARE:
            chosen.append(raw)
            seen = clear
    return _Site(told, normal, tuple(reversed(chosen)), seen, network)


def _standing(site: _Site) -> tuple[Standing, ...]:
    """What each look shows alone, and all of them together."""
    found = _changes(site, [item.reflectance for item in site.looks])
    runs = [(1, slot, [item]) for slot, item in enumerate(found)]
    if len(found) > 1:
        runs.append((len(found), 0, found))
    owned = site.job.tile.owned()
    made = []
    for count, slot, part in runs:
        seen = owned & np.logical_and.reduce([np.isfinite(item.probability[0]) for item in part])
        made.append(Standing(count, slot, _marks(site, part)[-1], float(seen.sum()) * grid.RESOLUTION_M**2 / 1e6))
    return tuple(made)


def _bed(site: _Site, standing: Sequence[Standing]) -> Bed:
    """Where what may be planted: on ground that all looks see and on which no alert stands already."""
    window, tile = site.normal.window, site.job.tile
    core = tile.window.within(window)
    free = np.zeros(window.shape, np.bool_)
    alerted = np.zeros(tile.window.shape, np.bool_)
    for item in standing:
        alerted[item.marks["row"] - tile.window.row, item.marks["col"] - tile.window.col] = True
    free[core] = tile.owned() & ~ndimage.binary_dilation(alerted, iterations=planting.GAP_PX)
    free &= site.seen
    woody = grounds.woody(site.normal.median)
    land = np.nan_to_num(site.normal.median[3]) > _LAND_NIR
    return Bed(
        looks=tuple(item.reflectance for item in site.looks),
        fit={"clearing": free & woody, "camp": free & land, "track": free & land},
        woody=woody,
        shortest_m=_SHORTEST * max(100.0, site.job.profile.rules.track.min_length_m),
    )


def _changes(site: _Site, reflectances: Sequence[Array]) -> list[schema.Change]:
    """What the network says of the looks, had they these pixels."""
    told, window = site.job, site.normal.window
    inner = task.near(told.tile, site.network.halo_px)
    found = []
    for item, values in zip(site.looks, reflectances, strict=True):
        pixels = schema.look_pixels(values, item.reason, told.tile.granule, window)
        raw = replace(item, pixels=pixels)
        guarded = residual.guard(raw, site.normal, rules=told.profile.mask).cropped(inner)
        trust = opinion.trust(raw, guarded, told.tile.window, told.profile.evidence)
        usual = site.normal.cropped(inner)
        found.append(change.change(guarded, usual, told.tile, detector=site.network, trust=trust))
    return found


def _marks(site: _Site, changes: Sequence[schema.Change]) -> list[NDArray[np.void]]:
    """Marks after the first look, after the second, and so on."""
    rules, tile = site.job.profile, site.job.tile
    thresholds = rules.rules.thresholds(site.network.card.thresholds)
    known, owned, made = evidence.empty(tile.window.shape), tile.owned(), []
    for found in changes:
        known = evidence.add(known, found, rules.evidence)
        made.append(marks.marks(known, tile, owned, rules.evidence, thresholds))
    return made


def _judge(site: _Site, planted: Sequence[Put], looks: Sequence[Array]) -> list[Trial]:
    """Which of the planted changes alerts overlap, after each look."""
    told = site.job
    maps = [
        _footprints(detections.find(marked, told.tile.granule, told.profile.rules), told.tile, site.normal.window)
        for marked in _marks(site, _changes(site, looks))
    ]
    trials = []
    for item in planted:
        number = KINDS.index(item.wish.kind)
        hits = [footprints[:, item.rows, item.cols] for footprints in maps]
        found = tuple(bool(hit[number].any()) for hit in hits)
        found_any = tuple(bool(hit.any()) for hit in hits)
        ground = GROUNDS[0] if item.wooded else GROUNDS[1]
        trials.append(Trial(item.wish.kind, item.wish.size, item.contrast, ground, found, found_any))
    return trials


def _footprints(found: Sequence[Detection], tile: grid.Tile, window: grid.Window) -> Mask:
    """(kind, y, x) bool on `window`: what the alerts of each kind cover."""
    covered = np.zeros((len(KINDS), *window.shape), np.bool_)
    for number, kind in enumerate(KINDS):
        mine = [grid.reproject(item.footprint, 4326, tile.granule.epsg) for item in found if item.kind == kind]
        if mine:
            transform = tile.granule.transform(window)
            covered[number] = features.geometry_mask(mine, window.shape, transform, invert=True)
    return covered
