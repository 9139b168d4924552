"""The verbs: one night over all AOIs, and a replay of many nights.

In: a home, a date and options. Out: files under `out/`, the state, and a `Report`. A failing tile or AOI is recorded
and the rest is delivered.
"""

import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pipeline import aoi as areas
from pipeline import config, disk
from pipeline.aoi import Aoi
from pipeline.catalog import search
from pipeline.config import Catalog
from pipeline.errors import ConfigError, StateError, VanwatchError
from pipeline.grid import Granule, Tile
from pipeline.nightly import deliver, evict, plan, state, task, workers
from pipeline.nightly.plan import Desk, Plan
from pipeline.nightly.task import TileAnswer, TileJob
from pipeline.nightly.workers import Outcome, Workers
from pipeline.publish import index
from pipeline.scenes import blocks
from pipeline.schema import Inspected

log = logging.getLogger(__name__)
Watched = tuple[Aoi, tuple[tuple[str, Catalog], ...]]
"""An AOI, and its catalogues in fail-over order."""
BUILT_IN_WEIGHTS = Path(__file__).parents[2] / "models" / "weights"


@dataclass(frozen=True, slots=True)
class Home:
    """Where a deployment keeps things."""

    folder: Path
    out: Path
    state: Path
    weights: Path = BUILT_IN_WEIGHTS

    @property
    def aois(self) -> Path:
        """Folder of the AOI files."""
        return self.folder / "aoi"

    @property
    def configs(self) -> Path:
        """Folder of the profiles and catalogues."""
        return self.folder / "configs"


def home(folder: Path) -> Home:
    """The usual places below a folder."""
    return Home(folder, folder / "out", folder / "state")


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may say about a run."""

    aois: tuple[str, ...] = ()
    """Ids in `aoi/` or paths of GeoJSON files; empty for all enabled ones."""
    catalog: str = ""
    """Name, URL or file to use in place of the profile's catalogues."""
    scheduler: str | None = None
    """Address of a Dask scheduler."""
    workers: int | None = None
    """Processes on this machine; 0 for none, None for one per core."""


@dataclass(frozen=True, slots=True)
class AoiReport:
    """What became of one AOI on one night."""

    aoi: str
    as_of: date
    error: str
    """Empty unless the whole AOI failed."""
    failed: tuple[str, ...] = ()
    """Parts that failed: tiles and scenes, each with its reason."""
    counts: dict[str, int] | None = None
    """Alerts by status, scenes used and refused, tiles."""
    folder: Path | None = None
    """Where the results lie."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a run."""

    nights: tuple[AoiReport, ...]

    @property
    def exit_code(self) -> int:
        """0 all done, 1 some part failed."""
        return 1 if any(night.error or night.failed for night in self.nights) else 0


def chosen_aois(place: Home, names: Sequence[str]) -> tuple[Aoi, ...]:
    """The AOIs that a run is about, checked whole.

    Raises:
        ConfigError: an AOI, its profile or a name is wrong.
    """
    if not names:
        enabled = tuple(item for item in areas.load_all(place.aois, place.configs) if item.enabled)
        if not enabled:
            raise ConfigError(f"{place.aois}: no AOI is enabled; set properties.enabled to true in one of them")
        return enabled
    files = [Path(name) for name in names if name.endswith((".geojson", ".json"))]
    ids = [name for name in names if not name.endswith((".geojson", ".json"))]
    found = [areas.load(path, place.configs) for path in files]
    known = {item.id: item for item in areas.load_all(place.aois, place.configs)} if ids else {}
    for name in ids:
        if name not in known:
            raise ConfigError(f"--aoi {name}: no such AOI in {place.aois}; there are: {', '.join(sorted(known))}")
        found.append(known[name])
    return tuple(found)


def catalogs_for(place: Home, aoi: Aoi, override: str) -> tuple[tuple[str, Catalog], ...]:
    """The catalogues of an AOI in fail-over order.

    Raises:
        ConfigError: a name is not in `catalogs.toml`.
    """
    path = place.configs / "catalogs.toml"
    known = config.load_catalogs(path) if path.exists() else {}
    names = [override] if override else list(aoi.profile.search.catalogs)
    try:
        return tuple(search.resolve(name, known) for name in names)
    except ConfigError as err:
        raise err if override else ConfigError(f"{aoi.path}: search.catalogs of its profile: {err}") from err


def nightly(place: Home, as_of: date, options: Options) -> Report:
    """Run one night.

    Raises:
        InputError: something that the user gave is wrong; nothing was changed.
    """
    return over(place, [as_of], options)


def replay(place: Home, first: date, last: date, options: Options) -> Report:
    """Run the nights from `first` to `last`, each as it would have been.

    Args:
        place: its state must be apart from the live one.
        first: first night.
        last: last night, included.
        options: as for a night.

    Raises:
        InputError: something that the user gave is wrong.
    """
    if last < first:
        raise ConfigError(f"--to {last} is before --from {first}; give the earlier date first")
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return over(place, days, options)


def watched(place: Home, options: Options) -> list[Watched]:
    """What a run is about, checked whole before anything is changed.

    Raises:
        InputError: an AOI, its profile, its model, a catalogue or a name is wrong.
    """
    chosen = [(item, catalogs_for(place, item, options.catalog)) for item in chosen_aois(place, options.aois)]
    for item, _ in chosen:
        deliver.check_model(place.weights, item)
        deliver.land_of(item)
    return chosen


def over(place: Home, days: Sequence[date], options: Options) -> Report:
    """Run the given nights, oldest first, with one set of workers.

    Raises:
        InputError: something that the user gave is wrong; nothing was changed.
    """
    nights, chosen = sorted(days), watched(place, options)
    with state.locked(place.state):
        for item, _ in chosen:
            with contextlib.suppress(StateError):  # a damaged state is that AOI's failure, told when its turn comes
                state.Store(place.state / item.id).load(nights[0])
        with _connected(place, options) as crew:
            report = Report(tuple(_nights(place, nights, chosen, crew)))
        if any(night.folder for night in report.nights):
            index.write(place.out)
        return report


def _connected(place: Home, options: Options) -> Any:
    return workers.connect(options.scheduler, workers=options.workers, scratch=place.state / "scratch")


def _nights(place: Home, days: Sequence[date], chosen: Sequence[Watched], crew: Workers) -> list[AoiReport]:
    reports = []
    for day in days:
        for item, catalogs in chosen:
            store, scratch = state.Store(place.state / item.id), place.state / "scratch" / item.id
            reports.append(_guarded(place, Desk(item, day, catalogs, store, scratch, crew), _one))
    return reports


def _guarded(place: Home, desk: Desk, job: Callable[[Home, Desk], AoiReport]) -> AoiReport:
    """One AOI's failure is its own."""
    shutil.rmtree(desk.scratch, ignore_errors=True)
    try:
        with disk.writing(desk.scratch):
            desk.scratch.mkdir(parents=True, exist_ok=True)
        return job(place, desk)
    except VanwatchError as err:
        log.error("%s %s: %s", desk.aoi.id, desk.as_of, err)
        return AoiReport(desk.aoi.id, desk.as_of, str(err))
    except Exception as err:  # the run loop: the other AOIs are delivered whatever happens here
        log.exception("%s %s: failed", desk.aoi.id, desk.as_of)
        return AoiReport(desk.aoi.id, desk.as_of, f"{type(err).__name__}: {err} (a bug; the log holds the traceback)")
    finally:
        shutil.rmtree(desk.scratch, ignore_errors=True)


def _one(place: Home, desk: Desk) -> AoiReport:
    """One night of one AOI: plan, tiles, alerts, files, commit."""
    started = time.perf_counter()
    before = desk.store.load(desk.as_of)
    tonight = plan.make(desk, before)
    jobs = _jobs(place, desk, tonight, before)
    planned = time.perf_counter()
    store = blocks.BlockStore(desk.scratch, desk.aoi.profile.read)
    eviction = evict.Eviction(jobs, store, halo_px=deliver.card_of(place.weights, desk.aoi).halo_px)
    outcomes = desk.workers.run(task.run, jobs, label=f"{desk.aoi.id}: tiles", done=eviction.done)
    worked = time.perf_counter()
    answers = [outcome.result for outcome in outcomes if outcome.result is not None]
    failed = tuple(f"tile {o.job.tile.key}: {o.error}" for o in outcomes if o.result is None)
    if jobs and not answers:
        return AoiReport(desk.aoi.id, desk.as_of, f"all {len(jobs)} tiles failed; the first: {failed[0]}", failed)
    ledger = _with_failures(tonight, outcomes)
    problems = failed + tonight.problems + _unread(ledger, desk.as_of)
    night = deliver.Night(
        desk=desk,
        plan=replace(tonight, ledger=ledger),
        answers=tuple(answers),
        failed=problems,
        before=before,
        seconds={"plan": planned - started, "tiles": worked - planned},
    )
    folder, after, counts = deliver.publish(night, out=place.out, weights=place.weights)
    desk.store.commit(before, after)
    return AoiReport(desk.aoi.id, desk.as_of, "", failed + _unread(ledger, desk.as_of), counts, folder)


def _jobs(place: Home, desk: Desk, tonight: Plan, before: state.Manifest) -> list[TileJob]:
    history: dict[Granule, tuple[Inspected, ...]] = tonight.history
    return [
        TileJob(
            tile=tile,
            profile=desk.aoi.profile,
            as_of=desk.as_of,
            anchor=tonight.anchor,
            history=history.get(tile.granule, ()),
            new=_scenes_for(tile, tonight, before),
            weights=place.weights,
            store=desk.store,
            scratch=desk.scratch,
            before=before.tiles.get(tile.key, ""),
        )
        for tile in tonight.tiles
    ]


def _scenes_for(tile: Tile, tonight: Plan, before: state.Manifest) -> tuple[Inspected, ...]:
    """Tonight's scenes; of those that are tried again, only the tiles that had failed."""
    chosen = []
    for inspected in tonight.new.get(tile.granule, ()):
        earlier = before.ledger.get(inspected.scene.scene_id, {}).get("failed_tiles")
        if earlier is None or tile.key in earlier:
            chosen.append(inspected)
    return tuple(chosen)


def _with_failures(tonight: Plan, outcomes: Sequence[Outcome[TileJob, TileAnswer]]) -> dict[str, dict[str, Any]]:
    """The ledger, with tiles whose read failed: these are tried again on the next nights."""
    ledger = {key: {k: v for k, v in entry.items() if k != "failed_tiles"} for key, entry in tonight.ledger.items()}
    for outcome in outcomes:
        for inspected in outcome.job.new:
            key = inspected.scene.scene_id
            lost = outcome.result is None or outcome.result.seen.get(key, {}).get("failed", 0) > 0
            if lost:
                ledger[key].setdefault("failed_tiles", []).append(outcome.job.tile.key)
                ledger[key]["state"] = "partly"
    return ledger


def _unread(ledger: dict[str, dict[str, Any]], as_of: date) -> tuple[str, ...]:
    """Scenes of tonight that could not be read at all or in part."""
    return tuple(
        f"scene {key}: {entry.get('why') or 'read failed on ' + ', '.join(entry.get('failed_tiles', []))}"
        for key, entry in sorted(ledger.items())
        if entry["night"] == as_of.isoformat() and entry["state"] in ("failed", "partly")
    )
