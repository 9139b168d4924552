"""The history of a granule: which earlier scenes tell what is normal, and the reference that scenes are judged by.

In: scenes and the area. Out: judged scenes, and a reference in a depot. Reads only sample windows.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio import features
from shapely.geometry.base import BaseGeometry

from pipeline import packed
from pipeline.config import Profile
from pipeline.depot import Depot
from pipeline.errors import DamagedError, StateError
from pipeline.grid import Granule, Window
from pipeline.nightly import scratch
from pipeline.nightly.scratch import Scratch
from pipeline.nightly.workers import Outcome, Workers
from pipeline.normal import seasonal
from pipeline.scenes import inspect
from pipeline.schema import Inspected, Reason, Scene

log = logging.getLogger(__name__)
MIN_HISTORY = 3
"""A median of fewer looks cannot outvote a missed cloud; new scenes wait until there are so many."""
_THIN = 4  # every so many sampled pixels decide which scenes are worth reading


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the reference of a granule is kept."""

    depot: Depot
    file: str

    @property
    def exists(self) -> bool:
        """True if there is one."""
        return self.depot.exists(self.file)


@dataclass(frozen=True, slots=True)
class Note:
    """Scenes of a granule's history that could not be read, although there is nothing wrong with them."""

    scene_ids: frozenset[str]
    night: str
    """On which they were first missed."""
    settled: bool
    """They could not be read on another night either, so that nobody waits for them any more."""


@dataclass(frozen=True, slots=True)
class InspectJob:
    """One scene to be judged as a whole."""

    scene: Scene
    windows: tuple[Window, ...]
    profile: Profile
    reference: Kept | None
    """Of `save_reference`; None means no reference."""
    scratch: Scratch
    others: tuple[Window, ...] = ()
    """Further windows, by which a scene is judged that is clouded over on `windows`."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A scene that could not be used, and why."""

    scene: Scene
    why: str
    final: bool
    """True where trying again is useless."""


@dataclass(frozen=True, slots=True)
class History:
    """What the past of a granule gives."""

    scenes: tuple[Inspected, ...]
    """For the normal; empty if there are fewer than `MIN_HISTORY`."""
    lost: tuple[Lost, ...]
    """Scenes that could not be used."""
    waits: bool = False
    """The reference and the normals are made again next night, for scenes that may be readable then."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be used and is not waited for, a line each."""
        return tuple(f"history {o.scene.scene_id}: {o.why}" for o in self.lost if o.final or not self.waits)

    @property
    def failures(self) -> tuple[str, ...]:
        """What may be readable next night, a line each."""
        again = "the normals are made again next night"
        return tuple(f"history {o.scene.scene_id}: {o.why}; {again}" for o in self.lost if self.waits and not o.final)


@dataclass(frozen=True, slots=True)
class Past:
    """Where the history of one granule is looked for."""

    granule: Granule
    area: BaseGeometry
    """What the granule answers for, in its CRS."""
    scenes: tuple[Scene, ...]
    anchor: date
    profile: Profile
    reference: Kept
    """Where the reference is written."""
    scratch: Scratch


def gather(past: Past, crew: Workers, *, label: str) -> History:
    """Choose the scenes for the normal, write the reference, and judge the scenes by it.

    Where scenes cannot be read, others take their place, less fitting ones; `note` remembers that.
    """
    rules = past.profile.normal
    ranked = seasonal.rank(past.scenes, past.anchor, rules)
    windows = inspect.sample_windows(past.granule, past.area)
    known: dict[str, inspect.Samples | None] = {}
    lost: list[Lost] = []

    def fetch(first: Scene) -> None:
        start = ranked.index(first)
        batch = [s for s in ranked[start : start + rules.max_looks] if s.scene_id not in known]
        jobs = [InspectJob(s, windows, past.profile, None, past.scratch) for s in batch]
        for outcome in crew.run(sample, jobs, label=f"{label}: history"):
            known[outcome.job.scene.scene_id] = outcome.result
            if outcome.result is None:
                lost.append(_lost(outcome))

    inside = _inside(past, windows)

    def seen(scene: Scene) -> NDArray[np.bool_] | None:
        if scene.scene_id not in known:
            fetch(scene)
        samples = known[scene.scene_id]
        return None if samples is None else clear(samples)[inside]

    chosen = seasonal.choose(ranked, seen, anchor=past.anchor, rules=rules)
    usable = [samples for scene in chosen if (samples := known[scene.scene_id]) is not None]
    reference = inspect.reference(usable) if len(usable) >= MIN_HISTORY else None
    if reference is None:
        return History((), tuple(lost))
    save_reference(past.reference, reference)
    jobs = [InspectJob(s, windows, past.profile, past.reference, past.scratch) for s in chosen]
    outcomes = crew.run(judge, jobs, label=f"{label}: history")
    lost += [_lost(outcome) for outcome in outcomes if outcome.result is None]
    judged = tuple(o.result for o in outcomes if o.result and all(offset.verified for offset in o.result.offsets))
    if len(judged) < MIN_HISTORY:
        past.reference.depot.delete([past.reference.file])
        return History((), tuple(lost))
    return History(judged, tuple(lost))


def note_of(granule: Granule, anchor: date) -> str:
    """The file in which lost scenes of a granule's history are noted; whatever the outline of the AOI."""
    return f"lost_{granule.mgrs}_{anchor.isoformat()}.arrays"


def noted(depot: Depot, file: str) -> Note | None:
    """The scenes that could not be read when the normals were made; None if there were none.

    A note that is broken stands for a history that nobody knows: it is gathered again.
    """
    if not depot.exists(file):
        return None
    try:
        values = packed.load(depot, file)
        return Note(frozenset(map(str, values["scene_ids"])), str(values["night"][0]), bool(values["settled"][0]))
    except (StateError, KeyError, IndexError) as err:
        log.warning("%s/%s: %s; the history is gathered again", depot, file, err)
        return Note(frozenset(), "", settled=False)


def note(found: History, depot: Depot, file: str, *, night: date) -> History:
    """Remember the scenes that could not be read.

    Args:
        found: a history, of which nothing that was made earlier is kept any more.
        depot: where the note is.
        file: its name.
        night: tonight. What is lost on a second night is not waited for any more; a second try in one night is none.

    Raises:
        WriteError: the depot cannot be written to.
    """
    before = noted(depot, file)
    lost = frozenset(o.scene.scene_id for o in found.lost if not o.final)
    if not lost:
        depot.delete([file])
        return found
    same = before is not None and lost <= before.scene_ids
    first = before.night if before is not None and same else night.isoformat()
    settled = before is not None and same and (before.settled or first < night.isoformat())
    names = np.array(sorted(lost), dtype=np.str_)
    packed.save(depot, file, {"scene_ids": names, "night": np.array([first]), "settled": np.array([settled])})
    return replace(found, waits=not settled)


def _lost(outcome: Outcome[InspectJob, Any]) -> Lost:
    return Lost(outcome.job.scene, outcome.error, outcome.final)


def clear(samples: inspect.Samples) -> NDArray[np.bool_]:
    """(window, y, x) bool, thinned out: sampled places that some part of the scene observes."""
    parts = [part.reason[:, ::_THIN, ::_THIN] == Reason.CLEAR for part in samples.parts]
    found: NDArray[np.bool_] = np.logical_or.reduce(parts)
    return found


def _inside(past: Past, windows: Sequence[Window]) -> NDArray[np.bool_]:
    """(window, y, x) bool, thinned out like `clear`: sampled places within the area."""
    masks = [
        features.geometry_mask([past.area], w.shape, past.granule.transform(w), invert=True, all_touched=True)
        for w in windows
    ]
    return np.stack(masks)[:, ::_THIN, ::_THIN]


def sample(job: InspectJob) -> inspect.Samples:
    """Read a scene's sample windows."""
    return inspect.read_samples(job.scene, job.windows, store=scratch.store(job.scratch, job.profile.read))


def judge(job: InspectJob) -> Inspected:
    """Decide offset and shift of a scene against the reference of its granule.

    Raises:
        ReadError, SceneError: it cannot be read, or not be used.
        StateError: the reference is out of reach, or damaged: then it is dropped, and made again next night.
    """
    try:
        reference = load_reference(job.reference) if job.reference else None
    except DamagedError:
        if job.reference:
            job.reference.depot.delete([job.reference.file])
        raise
    found = inspect.inspect(sample(job), reference, profile=job.profile)
    if job.others and not all(offset.verified for offset in found.offsets):
        return inspect.elsewhere(found, job.others, store=scratch.store(job.scratch, job.profile.read))
    return found


def save_reference(kept: Kept, reference: inspect.Reference) -> None:
    """Write a reference: its file is whole or absent."""
    windows = np.array([(w.row, w.col, w.height, w.width) for w in reference.windows], np.int64)
    names = np.array(reference.scene_ids, dtype=np.str_)
    packed.save(kept.depot, kept.file, {"windows": windows, "median": reference.median, "scene_ids": names})


def load_reference(kept: Kept) -> inspect.Reference:
    """Read what `save_reference` wrote.

    Raises:
        StateError: the file is missing or out of reach.
        DamagedError: it is broken.
    """
    values = packed.load(kept.depot, kept.file, remedy="the next night makes it again")
    windows = tuple(Window(*(int(number) for number in row)) for row in values["windows"])
    return inspect.Reference(windows, values["median"], tuple(str(name) for name in values["scene_ids"]))
