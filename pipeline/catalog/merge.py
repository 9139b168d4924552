"""The same acquisition under several ids, catalogues and reprocessings becomes one scene (D4).

In: scenes as parsed, one per item. Out: one scene per acquisition of a granule, with one part per datastrip in its
newest revision. Knows no catalogue and no item.

A satellite sees a granule at most once per orbit (100 minutes), so that times which agree to a minute mean the
same acquisition. Catalogues differ in what they tell: what one of them leaves out never keeps two scenes apart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pipeline.catalog import naming
from pipeline.grid import Granule
from pipeline.schema import Part, Scene

DATATAKE_SLACK = timedelta(seconds=60)
"""Reprocessing may move the start of a datatake by seconds."""
DATATAKE_LENGTH = timedelta(minutes=40)
"""A datatake ends before: so much later than its start may a granule be sensed."""
STRIP_SLACK = timedelta(seconds=3)
"""Reprocessing may move the start of a datastrip; true neighbours start much further apart."""
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Listed:
    """One part as listed, with its scene and its place in the input."""

    scene: Scene
    part: Part
    place: int


def merge(scenes: Iterable[Scene]) -> tuple[Scene, ...]:
    """Make one scene of all listings of the same acquisition.

    Args:
        scenes: in order of preference: where two revisions are equally good, the earlier one is kept. Otherwise
            their order does not matter.

    Returns:
        Scenes ordered by granule, time and id; `item_ids` holds the discarded listings too. Of each datastrip the
        highest baseline, then the newest processing, is kept; halves of a granule cut by a datastrip boundary
        are kept both.
    """
    listed = [_Listed(scene, part, place) for place, scene in enumerate(scenes) for part in scene.parts]
    by_granule: dict[Granule, list[_Listed]] = {}
    for entry in sorted(listed, key=_founding):
        by_granule.setdefault(entry.scene.granule, []).append(entry)
    merged = [_one(group) for entries in by_granule.values() for group in _acquisitions(entries)]
    return tuple(sorted(merged, key=lambda scene: (scene.granule, scene.sensed, scene.scene_id)))


def same_acquisition(one: Scene, other: Scene) -> bool:
    """Whether two listings show the same acquisition; what either does not tell counts as equal."""
    if one.granule != other.granule or (one.platform and other.platform and one.platform != other.platform):
        return False
    if None not in (one.relative_orbit, other.relative_orbit) and one.relative_orbit != other.relative_orbit:
        return False
    if one.datatake and other.datatake:
        return abs(one.datatake - other.datatake) <= DATATAKE_SLACK
    if one.datatake or other.datatake:
        start, sensed = (one.datatake, other.sensed) if one.datatake else (other.datatake, one.sensed)
        return start is not None and -DATATAKE_SLACK <= sensed - start <= DATATAKE_LENGTH
    return abs(one.sensed - other.sensed) <= DATATAKE_SLACK


def same_datastrip(one: Part, other: Part) -> bool:
    """Whether two parts of one acquisition are revisions of the same datastrip."""
    if (one.collection, one.item_id) == (other.collection, other.item_id):
        return True
    starts = naming.strip_start(one.datastrip), naming.strip_start(other.datastrip)
    if starts[0] and starts[1]:
        return abs(starts[0] - starts[1]) <= STRIP_SLACK
    # Where a datastrip is not named, only the same product counts as the same: a half must never be lost.
    same_product = one.generated is not None and _revision(one) == _revision(other)
    return same_product or one.item_id == other.item_id


def late_parts(scene: Scene, used: Sequence[str]) -> tuple[Part, ...]:
    """Parts of a scene whose datastrip is not among those already used.

    Args:
        scene: merged.
        used: datastrip identifiers, as the parts carried them.

    Returns:
        Empty where a datastrip, used or listed, has no name: what cannot be told apart is never used twice.
    """
    known = [naming.strip_start(name) for name in used]
    listed = [naming.strip_start(part.datastrip) for part in scene.parts]
    starts = [start for start in known if start is not None]
    if not starts or len(starts) < len(known) or None in listed:
        return ()
    late = (part for part, start in zip(scene.parts, listed, strict=True) if start and not _near(start, starts))
    return tuple(late)


def _near(start: datetime, others: Iterable[datetime]) -> bool:
    return any(abs(start - other) <= STRIP_SLACK for other in others)


def _founding(entry: _Listed) -> tuple[int, datetime, str, int, str, str, tuple[float, ...], int]:
    """The order in which listings found groups: those that tell most first, whatever order they came in."""
    scene, part = entry.scene, entry.part
    silent = (scene.datatake is None) + (not scene.platform) + (scene.relative_orbit is None)
    silent = 2 * silent + (naming.strip_start(part.datastrip) is None)
    revision = tuple(-value for value in _worth(part))
    orbit = scene.relative_orbit or 0
    return silent, _start(scene), scene.platform, orbit, part.item_id, part.collection, revision, entry.place


def _revision(part: Part) -> tuple[str, datetime]:
    """Baseline and processing time to the second: some catalogues cut the fraction off."""
    return part.baseline, part.generated.replace(microsecond=0) if part.generated else _NEVER


def _worth(part: Part) -> tuple[float, float]:
    """Larger is better; an unknown baseline is worst."""
    baseline, generated = _revision(part)
    return float(baseline or 0), (generated - _NEVER).total_seconds()


def _acquisitions(entries: Sequence[_Listed]) -> list[list[_Listed]]:
    """Group the listings of one granule by acquisition, each joined to the first founder that it agrees with."""
    groups: list[list[_Listed]] = []
    by_day: dict[int, list[int]] = {}
    """Numbers of the groups whose founder's datatake began on a day: none from farther than the day beside agrees."""
    for entry in entries:
        day = int(_start(entry.scene).timestamp() // 86400)
        near = sorted(number for beside in (day - 1, day, day + 1) for number in by_day.get(beside, ()))
        fitting = (groups[number] for number in near if same_acquisition(groups[number][0].scene, entry.scene))
        group = next(fitting, None)
        if group is None:
            by_day.setdefault(day, []).append(len(groups))
            groups.append([entry])
        else:
            group.append(entry)
    return groups


def _start(scene: Scene) -> datetime:
    """When its datatake began, or else the scene: of listings that agree, not farther apart than a datatake is long."""
    return scene.datatake or scene.sensed


def _one(group: Sequence[_Listed]) -> Scene:
    """One scene of a group; facts come from the kept revisions first, then from the others."""
    strips: list[list[_Listed]] = []
    for entry in group:
        strip = next((s for s in strips if any(same_datastrip(known.part, entry.part) for known in s)), None)
        if strip is None:
            strips.append([entry])
        else:
            strip.append(entry)
    kept = sorted((_best(strip) for strip in strips), key=_reading)
    told = [entry.scene for entry in (*kept, *sorted(group, key=_preference))]
    platform = next((scene.platform for scene in told if scene.platform), "")
    orbit = next((scene.relative_orbit for scene in told if scene.relative_orbit is not None), None)
    founder = group[0].scene
    datatake = next((entry.scene.datatake for entry in group if entry.scene.datatake), None)
    return replace(
        told[0],
        scene_id=naming.scene_id(platform, founder.granule, datatake or founder.sensed, orbit),
        platform=platform,
        datatake=datatake,
        published=min((scene.published for scene in told if scene.published), default=None),
        relative_orbit=orbit,
        cloud_pct=next((scene.cloud_pct for scene in told if scene.cloud_pct is not None), None),
        parts=tuple(entry.part for entry in kept),
        item_ids=tuple(sorted({name for scene in told for name in scene.item_ids})),
        listed=tuple(sorted({item for scene in told for item in _listed(scene)})),
    )


def _listed(scene: Scene) -> tuple[tuple[str, str], ...]:
    return scene.listed or tuple((part.catalog, part.item_id) for part in scene.parts)


def _preference(entry: _Listed) -> tuple[float, float, int]:
    baseline, generated = _worth(entry.part)
    return -baseline, -generated, entry.place


def _best(strip: Sequence[_Listed]) -> _Listed:
    """The highest baseline, then the newest processing, then the first that came."""
    return min(strip, key=_preference)


def _reading(entry: _Listed) -> tuple[bool, datetime, float, float, int]:
    """Datastrips in the order in which they were sensed; those without a name last, the best first."""
    start = naming.strip_start(entry.part.datastrip)
    return start is None, start or _NEVER, *_preference(entry)
