"""The history of a granule: which earlier scenes tell what is normal, and the reference that scenes are judged by.

In: scenes and the area. Out: judged scenes, and a reference in a depot. Reads only sample windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio import features
from shapely.geometry.base import BaseGeometry

from pipeline.config import Profile
from pipeline.depot import Depot
from pipeline.grid import Granule, Window
from pipeline.nightly import scratch, state
from pipeline.nightly.scratch import Scratch
from pipeline.nightly.workers import Outcome, Workers
from pipeline.normal import seasonal
from pipeline.scenes import inspect
from pipeline.schema import Inspected, Reason, Scene

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

    @property
    def lost(self) -> "Kept":
        """Beside it, where the scenes are noted that could not be read when it was made."""
        return Kept(self.depot, self.file.replace("reference", "lost", 1))

    @property
    def waits(self) -> bool:
        """True if it, and the normals made with it, are made again tonight, for such a scene may be readable now.

        Raises:
            StateError: the note is broken.
        """
        noted = _noted(self)
        return noted is not None and not noted.settled


@dataclass(frozen=True, slots=True)
class Note:
    """Scenes of a history that could not be read, although there is nothing wrong with them."""

    scene_ids: frozenset[str]
    settled: bool
    """They could not be read on two nights, so that nobody waits for them any more."""


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
    torn: frozenset[str] = frozenset()
    """Ids of those for which the reference and the normals are made again next night."""
    anew: bool = False
    """What is kept of normals was made when scenes could not be read, and is made again now."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be used and is not waited for, a line each."""
        return tuple(f"history {o.scene.scene_id}: {o.why}" for o in self.lost if o.scene.scene_id not in self.torn)

    @property
    def failures(self) -> tuple[str, ...]:
        """What may be readable next night, a line each."""
        return tuple(
            f"history {o.scene.scene_id}: {o.why}; the normals are made again next night"
            for o in self.lost
            if o.scene.scene_id in self.torn
        )


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

    Where scenes cannot be read, others take their place, less fitting ones; so what is made is made again next night,
    unless the same scenes cannot be read then either.
    """
    rules, before = past.profile.normal, _noted(past.reference)
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
    torn = _note(past.reference, before, frozenset(o.scene.scene_id for o in lost if not o.final))
    return History(judged, tuple(lost), torn, anew=before is not None and not before.settled)


def _noted(reference: Kept) -> Note | None:
    if not reference.lost.exists:
        return None
    values = state.load_arrays(reference.depot, reference.lost.file, remedy="delete it: the next night makes it again")
    return Note(frozenset(str(name) for name in values["scene_ids"]), bool(values["settled"][0]))


def _note(reference: Kept, before: Note | None, lost: frozenset[str]) -> frozenset[str]:
    """Note what was lost beside the reference; what of it is tried again next night: all, unless it was lost before."""
    if not lost:
        reference.depot.delete([reference.lost.file])
        return lost
    settled = before is not None and lost <= before.scene_ids
    names = np.array(sorted(lost), dtype=np.str_)
    state.save_arrays(reference.depot, reference.lost.file, {"scene_ids": names, "settled": np.array([settled])})
    return frozenset() if settled else lost


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
    """Decide offset and shift of a scene against the reference of its granule."""
    reference = load_reference(job.reference) if job.reference else None
    found = inspect.inspect(sample(job), reference, profile=job.profile)
    if job.others and not all(offset.verified for offset in found.offsets):
        return inspect.elsewhere(found, job.others, store=scratch.store(job.scratch, job.profile.read))
    return found


def save_reference(kept: Kept, reference: inspect.Reference) -> None:
    """Write a reference: its file is whole or absent."""
    windows = np.array([(w.row, w.col, w.height, w.width) for w in reference.windows], np.int64)
    names = np.array(reference.scene_ids, dtype=np.str_)
    state.save_arrays(kept.depot, kept.file, {"windows": windows, "median": reference.median, "scene_ids": names})


def load_reference(kept: Kept) -> inspect.Reference:
    """Read what `save_reference` wrote.

    Raises:
        StateError: the file is broken.
    """
    values = state.load_arrays(kept.depot, kept.file, remedy="delete it: the next night makes it again")
    windows = tuple(Window(*(int(number) for number in row)) for row in values["windows"])
    return inspect.Reference(windows, values["median"], tuple(str(name) for name in values["scene_ids"]))
