"""What a night reads: which scenes, which tiles, and what was decided about each scene as a whole.

In: an AOI, a date, catalogues and the state. Out: a `Plan`. Reads only sample windows of scenes.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.aoi import Aoi, area_km2
from pipeline.catalog import complete, merge
from pipeline.config import PATCH_PX, Catalog
from pipeline.depot import Depot, Folder
from pipeline.grid import Granule, Tile, Window
from pipeline.nightly import entries, history, state, task
from pipeline.nightly.scratch import Own, Scratch
from pipeline.nightly.workers import Workers
from pipeline.normal import keep, seasonal
from pipeline.notify.groups import Group
from pipeline.scenes import inspect
from pipeline.schema import Inspected, Scene

ScenesOfADay = tuple[Granule, date]
"""A granule and a UTC date: looks of one day are kept as one, so they can only be replaced together."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a night of one AOI reads."""

    tiles: tuple[Tile, ...]
    anchor: date
    history: dict[Granule, tuple[Inspected, ...]]
    """Scenes for the normal, per granule; empty where the normals are kept already."""
    new: dict[Granule, tuple[Inspected, ...]]
    """Scenes to look at, per granule, oldest first."""
    again: frozenset[ScenesOfADay]
    """Whose looks are forgotten first, since one of these scenes has a better revision; all of them are in `new`."""
    granules: tuple[str, ...]
    ledger: dict[str, dict[str, Any]]
    """The state's ledger with tonight's decisions."""
    past: dict[str, dict[str, Any]]
    """Ledger entries of scenes that were considered only for the normal."""
    failures: tuple[str, ...]
    """What could not be read of histories, and is tried again next night."""
    problems: tuple[str, ...]
    """What went wrong and is not fatal."""
    catalog_problems: tuple[str, ...]
    """Those of them that the catalogues made."""
    uncovered: BaseGeometry
    """WGS84 part of the AOI that no granule covers of which a catalogue lists a scene; may be empty."""
    catalog: str

    @property
    def uncovered_km2(self) -> float:
        """Size of what is not covered."""
        return area_km2(self.uncovered)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a night of one AOI works."""

    aoi: Aoi
    as_of: date
    catalogs: tuple[tuple[str, Catalog], ...]
    store: state.Store
    scratch: Path
    workers: Workers
    groups: tuple[Group, ...] = ()
    """Who is told of the night."""
    apart: bool = False
    """True where tasks share no folder with this process: they have scratch folders of their own."""

    @property
    def tasks_scratch(self) -> Scratch:
        """Where tasks keep what they do not need tomorrow."""
        return Own(f"{self.aoi.id}.{self.as_of}") if self.apart else self.scratch

    @property
    def crops(self) -> Depot:
        """Where tasks leave what the network saw around marks."""
        return self.store.crops if self.apart else Folder(self.scratch / "crops")


def scenes_since(desk: Desk) -> date:
    """No scene of tonight's search for looks was sensed before: solar and UTC days may differ by one."""
    return desk.as_of - timedelta(days=desk.aoi.profile.search.window_days + 1)


def make(desk: Desk, before: state.Manifest) -> Plan:
    """Decide what tonight reads.

    Raises:
        CatalogError: no catalogue answered.
    """
    rules = desk.aoi.profile.normal
    anchor = seasonal.anchor(desk.as_of, rules)
    of_period = before.granules if before.as_of and seasonal.anchor(before.as_of, rules) == anchor else ()
    kept = tiles_of(desk.aoi, [grid.granule(name) for name in of_period]) if of_period else ()
    ready = bool(kept) and not _lacking(desk, kept, anchor)
    days = desk.aoi.profile.search.window_days if ready else desk.aoi.profile.search.history_days
    found = complete.search(
        desk.aoi.geometry,
        start=desk.as_of - timedelta(days=days),
        end=desk.as_of,
        catalogs=desk.catalogs,
        stale_days=desk.aoi.profile.search.stale_days,
        save_to=desk.scratch / "items.json",
        watched=[grid.granule(name) for name in before.granules],
    )
    scenes = found.scenes
    granules = _granules(desk.aoi, before.granules, {scene.granule for scene in scenes})
    tiles = tiles_of(desk.aoi, granules)
    # a period's first night that is run again, or after a killed run, finds its normals kept and tells the same of them
    unknown = {tile.granule for tile in tiles if tile.granule.mgrs not in of_period}
    lacking = set[Granule]() if ready else unknown | _lacking(desk, tiles, anchor)
    past = _histories(desk, [tile for tile in tiles if tile.granule in lacking], scenes, anchor)
    new, ledger, again = _new(desk, scenes, tiles, anchor, before)
    return Plan(
        tiles=tiles,
        anchor=anchor,
        history={granule: each.scenes for granule, each in past.items()},
        new=new,
        again=again,
        granules=tuple(g.mgrs for g in granules),
        ledger=ledger,
        past=entries.of_history(past.values(), desk.as_of, besides=ledger),
        failures=tuple(line for each in past.values() for line in each.failures),
        problems=found.problems + tuple(line for each in past.values() for line in each.problems),
        catalog_problems=found.problems,
        uncovered=grid.uncovered(desk.aoi.geometry, granules),
        catalog=found.catalog,
    )


def tiles_of(aoi: Aoi, granules: Iterable[Granule]) -> tuple[Tile, ...]:
    """The tiles of an AOI, on the granules that have scenes."""
    size = aoi.profile.tiles.size_px
    return grid.tiles_over(aoi.geometry, tile_px=size, cell_px=PATCH_PX, available=granules)


def _tile_km2(tile: Tile) -> float:
    return area_km2(grid.reproject(tile.area, tile.granule.epsg, 4326))


def _granules(aoi: Aoi, known: Sequence[str], found: set[Granule]) -> tuple[Granule, ...]:
    """Keep the sharing-out of earlier nights; add granules only for places that had none."""
    old = {grid.granule(name) for name in known}
    candidates = old | {item for item in found if _touches(aoi, item)}
    if old and candidates != old:
        gain = sum(_tile_km2(t) for t in tiles_of(aoi, candidates)) - sum(_tile_km2(t) for t in tiles_of(aoi, old))
        if gain < 1e-3 * aoi.area_km2:
            candidates = old
    used = {tile.granule for tile in tiles_of(aoi, candidates)}
    return tuple(sorted(used))


def _touches(aoi: Aoi, granule: Granule) -> bool:
    return bool(grid.tiles_over(aoi.geometry, tile_px=grid.GRANULE_PX, available=[granule]))


def _lacking(desk: Desk, tiles: Sequence[Tile], anchor: date) -> set[Granule]:
    """Granules of which the reference or a normal is not kept, or is to be made again."""
    normals, found = desk.store.normals, set[Granule]()
    for granule in {tile.granule for tile in tiles}:
        mine = [tile for tile in tiles if tile.granule == granule]
        keys = (task.normal_key(tile, anchor, desk.aoi.profile) for tile in mine)
        reference = _reference(desk.store, granule, anchor, _windows(granule, mine))
        if not reference.exists or _waits(desk, granule, anchor) or not keep.all_kept(normals, keys):
            found.add(granule)
    return found


def _waits(desk: Desk, granule: Granule, anchor: date) -> bool:
    """Whether the normals of a granule were made while scenes of its history could not be read."""
    noted = history.noted(desk.store.normals, history.note_of(granule, anchor))
    return noted is not None and not noted.settled


def _reference(store: state.Store, granule: Granule, anchor: date, windows: tuple[Window, ...]) -> history.Kept:
    """Where it is kept: elsewhere as soon as the windows change, as they do with the outline of the AOI."""
    told = hashlib.sha256(repr(windows).encode()).hexdigest()[:8]
    return history.Kept(store.normals, f"reference_{granule.mgrs}_{anchor.isoformat()}_{told}.arrays")


def _area(granule: Granule, tiles: Iterable[Tile]) -> BaseGeometry:
    return grid.union(tile.area for tile in tiles if tile.granule == granule)


def _windows(granule: Granule, tiles: Iterable[Tile]) -> tuple[Window, ...]:
    return inspect.sample_windows(granule, _area(granule, tiles))


def _histories(
    desk: Desk, tiles: Sequence[Tile], scenes: tuple[Scene, ...], anchor: date
) -> dict[Granule, history.History]:
    """The history of each granule of some tiles; what is made again is dropped before."""
    found = {}
    for granule in sorted({tile.granule for tile in tiles}):
        mine = [tile for tile in tiles if tile.granule == granule]
        reference = _reference(desk.store, granule, anchor, _windows(granule, mine))
        past = history.Past(
            granule=granule,
            area=_area(granule, mine),
            scenes=tuple(scene for scene in scenes if scene.granule == granule),
            anchor=anchor,
            profile=desk.aoi.profile,
            reference=reference,
            scratch=desk.tasks_scratch,
        )
        begun = not reference.exists
        gathered = history.gather(past, desk.workers, label=f"{desk.aoi.id} {granule.mgrs}")
        found[granule] = _noted(desk, mine, anchor, gathered, begun=begun) if gathered.scenes else gathered
    return found


def _noted(
    desk: Desk, tiles: Sequence[Tile], anchor: date, gathered: history.History, *, begun: bool
) -> history.History:
    """Remember what is lost of a granule's history, where its normals are made with it and not with an earlier one.

    `begun`: there was no reference yet. A run that was killed may have left one without a normal and without a note.
    """
    normals, granule = desk.store.normals, tiles[0].granule
    keys = [task.normal_key(tile, anchor, desk.aoi.profile) for tile in tiles]
    waits = _waits(desk, granule, anchor)
    if not (waits or begun) and keep.any_kept(normals, keys):
        return gathered
    if waits:  # before the note: whatever becomes of tonight, no tile goes on with its old normal
        keep.drop(normals, keys)
    return history.note(gathered, normals, history.note_of(granule, anchor), night=desk.as_of)


def _new(
    desk: Desk, scenes: tuple[Scene, ...], tiles: tuple[Tile, ...], anchor: date, before: state.Manifest
) -> tuple[dict[Granule, tuple[Inspected, ...]], dict[str, dict[str, Any]], frozenset[ScenesOfADay]]:
    """Judge the scenes that were not used yet, and write the decisions into the ledger."""
    since = desk.as_of - timedelta(days=desk.aoi.profile.search.window_days)
    recent = [scene for scene in scenes if scene.solar_day >= since]
    ledger = before.ledger | entries.listed_again(recent, before.ledger)
    again = {_day(scene) for scene in recent if better(scene, ledger.get(scene.scene_id, {}))}
    left = [scene if _day(scene) in again else unused(scene, ledger.get(scene.scene_id, {})) for scene in recent]
    fresh = [scene for scene in left if scene is not None]
    jobs = []
    for granule in sorted({tile.granule for tile in tiles}):
        windows, others = _windows(granule, tiles), inspect.other_windows(granule, _area(granule, tiles))
        known = _reference(desk.store, granule, anchor, windows)
        reference = known if known.exists else None
        jobs += [
            history.InspectJob(scene, windows, desk.aoi.profile, reference, desk.tasks_scratch, others)
            for scene in fresh
            if scene.granule == granule
        ]
    new: dict[Granule, list[Inspected]] = {}
    for outcome in desk.workers.run(history.judge, jobs, label=f"{desk.aoi.id}: scenes"):
        scene = outcome.job.scene
        entry = ledger[scene.scene_id] = entries.of_look(scene, desk.as_of, before.ledger.get(scene.scene_id, {}))
        compared = outcome.job.reference is not None
        if outcome.result is None:  # what cannot be told without other scenes is asked again when there are some
            state_of = ("refused" if compared else "waiting") if outcome.final else "failed"
            entry |= {"state": state_of, "why": outcome.error}
            continue
        if not compared:
            why = f"fewer than {history.MIN_HISTORY} clear earlier scenes to compare with"
            entry |= {"state": "waiting", "why": why}
            continue
        entry |= entries.decisions(outcome.result)
        new.setdefault(outcome.job.scene.granule, []).append(outcome.result)
    lost = {_day(s) for s in fresh if _day(s) in again and ledger[s.scene_id]["state"] != "used"}
    ledger |= {s.scene_id: before.ledger[s.scene_id] for s in fresh if _day(s) in lost and s.scene_id in before.ledger}
    kept = {g: [item for item in found if _day(item.scene) not in lost] for g, found in new.items()}
    ordered = {g: tuple(sorted(found, key=lambda i: (i.scene.sensed, i.scene.scene_id))) for g, found in kept.items()}
    return ordered, ledger, frozenset(again - lost)


def _day(scene: Scene) -> ScenesOfADay:
    return scene.granule, scene.sensed.date()


def better(scene: Scene, entry: Mapping[str, Any]) -> bool:
    """Whether a scene that was used is listed tonight in a better revision, so that its look is replaced."""
    if entry.get("state") != "used" or "processed" not in entry:
        return False
    late = merge.late_parts(scene, entry.get("datastrips", ()))
    return not late and entries.processed(scene) > str(entry["processed"])


def unused(scene: Scene, entry: Mapping[str, Any]) -> Scene | None:
    """What of a scene is still to be looked at.

    Args:
        scene: as the catalogues list it tonight.
        entry: of the ledger; empty if the scene is new.

    Returns:
        The scene; only the datastrips that were listed after the others had been used (D5); or None. A scene that was
        refused is looked at again when another processing of it is listed.
    """
    if entry.get("state") == "refused":
        return None if entry.get("revision") == scene.revision else scene
    if entry.get("state") != "used":
        return scene
    late = merge.late_parts(scene, entry.get("datastrips", ()))
    return replace(scene, parts=late) if late else None
