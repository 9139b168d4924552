"""One tile on one night: the work of one Dask task.

In: a `TileJob` of plain facts. Out: a `TileAnswer` with the marks; arrays go to a depot. Assumes nothing about the
machine but what the job names.
"""

import hashlib
import logging
import time
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import card
from pipeline.config import Profile
from pipeline.depot import Depot
from pipeline.detect import change as detect_change
from pipeline.detect import detector, evidence, marks, opinion, weight
from pipeline.errors import DamagedError, ReadError, StateError
from pipeline.grid import Tile, Window
from pipeline.nightly import allocation, crops, drawn, grounds, latest, scratch, state, tilefile
from pipeline.nightly.scratch import Scratch
from pipeline.normal import composite, keep
from pipeline.scenes import ahead, blocks, residual
from pipeline.schema import Inspected, Look, Normal, Reason

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TileJob:
    """What a task needs to know."""

    tile: Tile
    profile: Profile
    as_of: date
    anchor: date
    """Date that the normal is built for."""
    history: tuple[Inspected, ...]
    """Scenes to build the normal from; empty where one is kept already."""
    new: tuple[Inspected, ...]
    """Scenes to look at, oldest first."""
    weights: Path | None
    """Folder of the model cards and weights; None for those that come with this project, wherever it is installed."""
    store: state.Store
    scratch: Scratch
    """For decoded blocks and looks."""
    crops: Depot
    """Where what the network saw around marks is left."""
    before: str
    """File of the tile's arrays after the night before; empty on the first night."""
    places: tuple[grounds.Place, ...] = ()
    """Of alerts that may be closed tonight."""
    attempt: int = 1
    """How often the night is run, this time included."""
    again: tuple[date, ...] = ()
    """UTC days of scenes whose looks are forgotten first: all scenes of these days are in `new` once more, since one of
    them has a better revision."""

    @property
    def model(self) -> str:
        """Folder of the model, on the machine where this is asked."""
        return str(card.folder_of(self.profile.detect.model, self.weights or card.BUILT_IN))


@dataclass(frozen=True, slots=True)
class TileAnswer:
    """What a task says."""

    tile: Tile
    marks: NDArray[np.void]
    """(n,) of `schema.MARK`."""
    crops: tuple[crops.Crop, ...]
    """What the network saw tonight around groups of them."""
    arrays: str
    """File of the tile's new arrays."""
    off_season: tuple[int, int]
    """Pixels that the tile answers for whose normal needed looks of other seasons, and pixels that have a normal."""
    normal_scenes: tuple[str, ...]
    """What the normal was built from."""
    place_days: dict[str, int]
    """Alert id to the scene day of the last clear look on its place here, for the places asked about."""
    blind: tuple[int, int]
    """Pixels without a clear look for longer than the profile allows, and all that the tile answers for."""
    clear_days: dict[str, int]
    """Scene day of the last clear look, or an empty text for never, to pixels that the tile answers for."""
    seen: dict[str, dict[str, int]]
    """Scene id to pixels by reason, over the pixels that the tile answers for."""
    unread: frozenset[str]
    """Ids of scenes of which something around the tile could not be read: their looks count for nothing yet."""
    seconds: dict[str, float]
    """Where the time went."""
    blocks: dict[str, int]
    """Blocks and bytes decoded, failed reads."""


def run(job: TileJob) -> TileAnswer:
    """Bring one tile up to date.

    Raises:
        ReadError, SceneError, StateError, ModelError: the tile cannot be done tonight; the night before stays.
    """
    allocation.keep_freed()
    clock = _Clock()
    blockstore = scratch.store(job.scratch, job.profile.read)
    network = detector.cached(job.model, on_gpu=job.profile.detect.on_gpu)
    normal = normal_for(job, around(job.tile, network.halo_px), blockstore)
    clock.lap("normal")
    layers = tilefile.without(tilefile.left(job.store.arrays, job.before, job.tile.window.shape), job.again)
    before, spool = layers.evidence, crops.Spool(blockstore.folder / "spool" / job.tile.key, job.tile)
    owned = job.tile.owned()
    seen: dict[str, dict[str, int]] = {}
    unread: set[str] = set()
    inner = near(job.tile, network.halo_px)
    for raw in ahead.read_looks(job.new, normal.window, store=blockstore, profile=job.profile):
        clock.lap("read")
        seen_look = residual.guard(raw, normal, rules=job.profile.mask).cropped(inner)
        clock.lap("prepare")
        core = seen_look.cropped(job.tile.window)
        seen[raw.scene.scene_id] = _reasons(core, owned)
        if (seen_look.reason == Reason.FAILED).any():  # tried again another night, so it must not count twice
            layers = replace(layers, latest=latest.blinded(layers.latest, core))
            unread.add(raw.scene.scene_id)
            continue
        trust = opinion.trust(raw, seen_look, job.tile.window, job.profile.evidence)
        found = detect_change.change(seen_look, normal.cropped(inner), job.tile, detector=network, trust=trust)
        clock.lap("network")
        spool.add(seen_look.cropped(job.tile.window.grown(network.halo_px)), found)
        layers = tilefile.Layers(
            evidence.add(layers.evidence, found, job.profile.evidence),
            latest.added(layers.latest, core),
        )
        clock.lap("evidence")
    new = state.arrays_name(job.tile.key, job.as_of, job.attempt)
    name = new if job.new or not job.before else job.before
    if name != job.before:
        tilefile.save(job.store.arrays, name, layers)
    if isinstance(job.scratch, Path):
        drawn.put(job.scratch, job.tile, drawn.tonight(job.tile, layers.evidence, layers.latest, job.as_of))
    clock.lap("save")
    thresholds = job.profile.rules.thresholds(network.card.thresholds)
    marked = marks.marks(layers.evidence, job.tile, owned, job.profile.evidence, thresholds)
    haloed = normal.cropped(job.tile.window.grown(network.halo_px))
    judged = crops.Judged(job.tile, owned, haloed, before, marked, job.profile.rules)
    cut = spool.cut(judged, job.crops)
    clock.lap("crops")
    stats = asdict(blockstore.stats)
    return TileAnswer(
        tile=job.tile,
        marks=marked,
        crops=cut,
        arrays=name,
        off_season=_off_season(normal.cropped(job.tile.window), owned),
        normal_scenes=normal.scene_ids,
        place_days=grounds.clear_days(job.places, job.tile, layers.latest.after_day),
        blind=_blind(layers, owned, job),
        clear_days=_clear_days(layers, owned),
        seen=seen,
        unread=frozenset(unread),
        seconds=clock.seconds,
        blocks=stats,
    )


def near(tile: Tile, halo_px: int) -> Window:
    """The window on which a tile's looks must be judged finally, with what network and weight see around it."""
    return tile.window.grown(max(halo_px, weight.REACH_PX))


def around(tile: Tile, halo_px: int) -> Window:
    """The window on which a tile's looks and its normal are needed."""
    return near(tile, halo_px).grown(residual.REACH_PX)


def normal_for(job: TileJob, window: Window, blockstore: blocks.BlockStore) -> Normal:
    """The tile's normal: the kept one, or a new one that is kept unless a read failed, or there was no history.

    Raises:
        ReadError: there are looks and nothing to compare them with, since no history could be read.
        StateError: the kept one is out of reach, damaged, or of another size, as after a model's folder has changed;
            but for the first it is dropped, and built anew next night.
    """
    key = normal_key(job.tile, job.anchor, job.profile)
    try:
        kept, unfit = keep.load(job.store.normals, key), ""
    except DamagedError:
        kept, unfit = None, "is damaged"
    if kept is not None and kept.window == window:
        return kept
    if kept is not None:
        unfit = f"covers {kept.window}, not {window}"
    if unfit and not job.history:
        keep.drop(job.store.normals, [key])
        raise StateError(f"{job.store.normals}/{key}: {unfit}; it is built anew next night")
    if job.new and not job.history:
        raise ReadError(f"{job.tile.key}: no normal, since no history could be read; tonight's looks are tried again")
    looks = list(ahead.read_looks(job.history, window, store=blockstore, profile=job.profile))
    built = composite.build(looks, granule=job.tile.granule, window=window, anchor=job.anchor, rules=job.profile.normal)
    if looks and not any((item.reason == Reason.FAILED).any() for item in looks):
        keep.save(job.store.normals, key, built)
    return built


def normal_key(tile: Tile, anchor: date, profile: Profile) -> str:
    """Name of a kept normal: another one as soon as its format, its size or a rule that shapes it changes."""
    shaping = (profile.normal, profile.mask, profile.register_, profile.detect)  # the model decides what lies around
    told = (part.model_dump_json(exclude={"device"}) for part in shaping)  # where the network runs shapes nothing
    rules = "|".join((str(keep.FORMAT), str(tile.window.shape), *told))
    return f"{tile.key}_{anchor.isoformat()}_{hashlib.sha256(rules.encode()).hexdigest()[:8]}"


def _blind(layers: tilefile.Layers, owned: NDArray[np.bool_], job: TileJob) -> tuple[int, int]:
    oldest = evidence.to_day(job.as_of) - job.profile.blind_after_days
    return int((owned & (layers.latest.after_day.astype(np.int32) < oldest)).sum()), int(owned.sum())


def _clear_days(layers: tilefile.Layers, owned: NDArray[np.bool_]) -> dict[str, int]:
    days, counts = np.unique(layers.latest.after_day[owned], return_counts=True)
    return {
        evidence.from_day(int(day)).isoformat() if day else "": int(count)
        for day, count in zip(days, counts, strict=True)
    }


def _off_season(normal: Normal, owned: NDArray[np.bool_]) -> tuple[int, int]:
    known = owned & (normal.count > 0)
    return int((known & (normal.pixels["season"].values < normal.count)).sum()), int(known.sum())


def _reasons(seen: Look, owned: NDArray[np.bool_]) -> dict[str, int]:
    counts = np.bincount(seen.reason[owned], minlength=len(Reason))
    return {reason.name.lower(): int(counts[reason]) for reason in Reason if counts[reason]}


class _Clock:
    """Adds up where the time of a task goes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now
