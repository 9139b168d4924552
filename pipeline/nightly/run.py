"""The verbs: one night over all AOIs, and a replay of many nights.

In: a home, a date and options. Out: results, the state, and a `Report`. A failing tile or AOI is recorded
and the rest is delivered.
"""

import contextlib
import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from models.card import BUILT_IN
from pipeline import deployment, disk
from pipeline.bucket import Bucket
from pipeline.depot import Depot, Folder
from pipeline.errors import ConfigError, StateError, VanwatchError
from pipeline.ledger import database
from pipeline.ledger.database import Database
from pipeline.ledger.manifest import Done
from pipeline.ledger.nights import Books
from pipeline.nightly import (
    allocation,
    blindness,
    deliver,
    history,
    jobs,
    news,
    plan,
    ready,
    state,
    task,
    telling,
    typed,
    verdicts,
    watched,
    workers,
)
from pipeline.nightly.plan import Desk
from pipeline.nightly.state import Store
from pipeline.nightly.telling import Sent
from pipeline.nightly.watched import Watched
from pipeline.nightly.workers import OnDask, Workers
from pipeline.notify.groups import NOBODY, Groups
from pipeline.publish import collection, index, sending

log = logging.getLogger(__name__)
ALARM = 3
"""Exit code of a night that was done whole while an AOI is blind, or its catalogue silent, for longer than allowed."""
BUILT_IN_WEIGHTS = BUILT_IN


@dataclass(frozen=True, slots=True)
class Home:
    """Where a deployment keeps things."""

    folder: Path
    out: Path
    state: Path
    weights: Path = BUILT_IN_WEIGHTS
    database: str = ""
    """URL of the ledger; empty for a file in the state folder."""
    state_bucket: Bucket | None = None
    """Where the arrays are, if not in `state`."""
    out_bucket: Bucket | None = None
    """Where results go; `out` is then only where they are built."""

    @property
    def aois(self) -> Path:
        """Folder of the AOI files."""
        return self.folder / "aoi"

    @property
    def configs(self) -> Path:
        """Folder of the profiles and catalogues."""
        return self.folder / "configs"

    def store(self, aoi_id: str) -> Store:
        """Where the arrays of an AOI are."""
        depot: Depot = self.state_bucket or Folder(self.state)
        return Store(depot.below(aoi_id))

    @property
    def ledger(self) -> str:
        """URL of the ledger."""
        return self.database or database.default_url(self.state)


def home(folder: Path) -> Home:
    """The places of a deployment: below a folder, unless `configs/deployment.toml` says otherwise.

    Raises:
        ConfigError: that file is wrong.
    """
    told = deployment.load(folder)
    return Home(
        folder,
        told.out,
        told.state,
        database=told.database,
        state_bucket=told.state_bucket,
        out_bucket=told.out_bucket,
    )


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
    """Where the results lie on this machine."""
    url: str = ""
    """Where they lie in an object store."""
    alarms: tuple[str, ...] = ()
    """What somebody should look into: the AOI is blind, or its catalogue silent, for longer than its profile allows."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a run."""

    nights: tuple[AoiReport, ...]
    told: tuple[Sent, ...] = ()
    """Messages that were sent, or could not be."""

    @property
    def exit_code(self) -> int:
        """0 all done, 1 some part failed, or somebody could not be told."""
        failed = any(night.error or night.failed for night in self.nights) or any(sent.error for sent in self.told)
        return 1 if failed else 0

    @property
    def alarms(self) -> tuple[str, ...]:
        """Of the last night of each AOI: those of earlier ones are past."""
        last = {night.aoi: night.alarms for night in self.nights}
        return tuple(line for lines in last.values() for line in lines)


def nightly(place: Home, as_of: date, options: Options, *, notify: bool = True) -> Report:
    """Run one night, and tell the groups of `configs/notify.toml` what is new.

    Args:
        place: the home.
        as_of: the night.
        options: as the user gave them.
        notify: False: nobody is told of this night, now or later.

    Raises:
        InputError: something that the user gave is wrong; nothing was changed.
    """
    return over(place, [as_of], options, telling.groups_of(place.aois, place.configs) if notify else NOBODY)


def replay(place: Home, first: date, last: date, options: Options) -> Report:
    """Run the nights from `first` to `last`, each as it would have been.

    Args:
        place: its state must be apart from the live one; so must its ledger, which a nightly run may take over.
        first: first night.
        last: last night, included.
        options: as for a night.

    Raises:
        InputError: something that the user gave is wrong, or the ledger knows nights whose arrays are not in the state.
    """
    if last < first:
        raise ConfigError(f"--to {last} is before --from {first}; give the earlier date first")
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    named = watched.aois(place.aois, place.configs, options.aois)
    if database.begun(place.ledger):
        with database.opened(place.ledger) as books:
            for item in named:
                if Books(books, item.id).last() is not None:
                    place.store(item.id).refuse_others_ledger(books.shown)
    return over(place, days, options)


def checked(place: Home, options: Options) -> list[Watched]:
    """What a run is about, checked whole before anything is changed.

    Raises:
        InputError: an AOI, its profile, its model, a catalogue or a name is wrong.
    """
    named = watched.aois(place.aois, place.configs, options.aois)
    chosen = [(item, watched.catalogs(place.configs, item, options.catalog)) for item in named]
    for item, _ in chosen:
        deliver.check_model(place.weights, item)
        if not options.scheduler:
            ready.check_here(item)
        deliver.land_of(item)
    return chosen


def over(place: Home, days: Sequence[date], options: Options, groups: Groups = NOBODY) -> Report:
    """Run the given nights, oldest first, with one set of workers.

    Args:
        place: the home.
        days: the nights.
        options: as the user gave them.
        groups: who is told of them.

    Raises:
        InputError: something that the user gave is wrong; nothing was changed.
    """
    allocation.keep_freed()
    nights, chosen = sorted(days), checked(place, options)
    with contextlib.ExitStack() as stack:
        # what the user named is tried before a folder is made
        crew = stack.enter_context(_connected(place, options)) if options.scheduler else None
        if database.file_of(place.ledger) is None:
            database.check(place.ledger)
        for name, bucket in (("state", place.state_bucket), ("out", place.out_bucket)):
            if bucket:
                bucket.check(name)
        stack.enter_context(state.locked(place.state))
        if not database.begun(place.ledger):  # before an empty one is made
            for item, _ in chosen:
                place.store(item.id).refuse_lost_ledger(place.ledger)
        books = stack.enter_context(database.opened(place.ledger))
        stack.enter_context(books.locked([item.id for item, _ in chosen]))
        for item, _ in chosen:
            place.store(item.id).refuse_earlier_form()
            Books(books, item.id).load(nights[0], scenes_since=nights[0])
            if Books(books, item.id).last() is None:
                place.store(item.id).refuse_lost_ledger(books.shown)
        if isinstance(crew, OnDask):
            ready.check(crew, place.state_bucket or place.state, [item.profile for item, _ in chosen])
        crew = crew or stack.enter_context(_connected(place, options))
        report = Report(tuple(_nights(place, nights, chosen, (crew, books, groups))))
        if groups.groups:
            report = replace(report, told=telling.after(books, groups, report.nights, out=place.out_bucket))
        if place.out_bucket and any(night.url for night in report.nights):
            sending.front(place.out_bucket, place.out)
            shutil.rmtree(place.out, ignore_errors=True)
        elif any(night.folder for night in report.nights):
            index.write(place.out)
            collection.write(place.out)
        return report


def _connected(place: Home, options: Options) -> Any:
    scratch, preload = place.state / "scratch", (history.__name__, task.__name__)
    return workers.connect(options.scheduler, workers=options.workers, scratch=scratch, preload=preload)


def _nights(
    place: Home, days: Sequence[date], chosen: Sequence[Watched], tools: tuple[Workers, Database, Groups]
) -> list[AoiReport]:
    crew, ledger, groups = tools
    reports = []
    elsewhere = isinstance(crew, OnDask) and crew.elsewhere
    for day in days:
        for item, catalogs in chosen:
            store, scratch = place.store(item.id), place.state / "scratch" / item.id
            apart = elsewhere and place.state_bucket is not None
            desk = Desk(item, day, catalogs, store, scratch, crew, groups=groups.groups, apart=apart)
            books = Books(ledger, item.id)
            report = _guarded(place, desk, books)
            if report.error:
                with contextlib.suppress(StateError):  # the report tells it all the same
                    books.failed(day, report.error)
            reports.append(report)
    return reports


def _guarded(place: Home, desk: Desk, books: Books) -> AoiReport:
    """One AOI's failure is its own."""
    shutil.rmtree(desk.scratch, ignore_errors=True)
    if place.out_bucket:
        shutil.rmtree(place.out, ignore_errors=True)
    try:
        with disk.writing(desk.scratch):
            desk.scratch.mkdir(parents=True, exist_ok=True)
        return _one(place, desk, books)
    except VanwatchError as err:
        log.error("%s %s: %s", desk.aoi.id, desk.as_of, err)
        return AoiReport(desk.aoi.id, desk.as_of, str(err))
    except Exception as err:  # the run loop: the other AOIs are delivered whatever happens here
        log.exception("%s %s: failed", desk.aoi.id, desk.as_of)
        return AoiReport(desk.aoi.id, desk.as_of, f"{type(err).__name__}: {err} (a bug; the log holds the traceback)")
    finally:
        shutil.rmtree(desk.scratch, ignore_errors=True)


def _one(place: Home, desk: Desk, books: Books) -> AoiReport:
    """One night of one AOI: plan, tiles, alerts, files, commit."""
    started = time.perf_counter()
    before = books.load(desk.as_of, scenes_since=plan.scenes_since(desk))
    attempt = books.attempt(desk.as_of)
    if place.out_bucket:
        sending.fetch_edited(place.out_bucket, place.out, desk.aoi.id)
    unread = typed.gather(place.out, desk.aoi.id, books.database, as_of=desk.as_of)
    tonight = plan.make(desk, before)
    asked = jobs.make(desk, tonight, before, attempt=attempt, weights=place.weights)
    planned = time.perf_counter()
    done_with = None if desk.apart else jobs.eviction(desk, asked, weights=place.weights).done
    outcomes = desk.workers.run(task.run, asked, label=f"{desk.aoi.id}: tiles", done=done_with)
    worked = time.perf_counter()
    answers = [outcome.result for outcome in outcomes if outcome.result is not None]
    failed = tuple(f"tile {o.job.tile.key}: {o.error}" for o in outcomes if o.result is None)
    if asked and not answers:
        return AoiReport(desk.aoi.id, desk.as_of, f"all {len(asked)} tiles failed; the first: {failed[0]}", failed)
    ledger = jobs.with_outcomes(tonight, before, outcomes)
    parts = failed + jobs.unread(ledger, desk.as_of) + tonight.failures
    night = deliver.Night(
        desk=desk,
        plan=replace(tonight, ledger=ledger),
        answers=tuple(answers),
        failed=parts + unread + tonight.problems,
        before=before,
        said=verdicts.standing(books.database, desk.aoi.id, desk.as_of),
        seconds={"plan": planned - started, "tiles": worked - planned},
    )
    night = blindness.watched(night, books)
    published = deliver.publish(night, out=place.out, weights=place.weights)
    url = ""
    if place.out_bucket:
        url = sending.send(published.folder, place.out_bucket, as_of=desk.as_of.isoformat(), aoi=desk.aoi.id)
    done = Done(
        after=replace(published.after, clear_days=blindness.clear_days(night)),
        attempt=attempt,
        catalog=tonight.catalog,
        catalog_problems=tonight.catalog_problems,
        history=tonight.past,
        looks=tuple((scene, a.tile.key, pixels) for a in answers for scene, pixels in sorted(a.seen.items())),
        failed=parts,
        outlook=night.outlook,
        owed=news.owed(
            desk.groups, desk.aoi, published.news + news.of_alarms(night.outlook, before.standing, desk.as_of)
        ),
    )
    books.commit(before, done)
    unswept = _swept(desk, before, published.after)
    alarms = tuple(alarm.text for alarm in night.outlook.alarms)
    for line in alarms:
        log.warning("%s", line)
    where = None if url else published.folder
    return AoiReport(desk.aoi.id, desk.as_of, "", parts + unread + unswept, published.counts, where, url, alarms)


def _swept(desk: Desk, before: state.Manifest, after: state.Manifest) -> tuple[str, ...]:
    """Drop what no night needs any more; why that failed: the night itself is done, and the next one sweeps again."""
    try:
        desk.store.sweep(before, after)
    except VanwatchError as err:
        log.error("%s", err)
        return (f"sweep: {err}",)
    return ()
