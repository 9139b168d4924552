"""Where the arrays of a night may lie, side by side: files that a database names, Icechunk, and plain Zarr renamed.

In: a folder to work in. Out: rows and facts: time to write and commit a night, alone and from two processes, time to
read it, bytes after some nights, what a kill before the commit leaves, and whether commits of two processes are kept.
Each contestant writes the same arrays of the same tiles, in its own compression.

Chosen: files and database. Measured on two busy cores, as multiples of ours: Icechunk writes a night in 0.6 of the time
(its compression is zstd, ours DEFLATE), reads it in 0.9 and 1.2 in two runs, and takes 3.7 times for the commit alone.
But it cannot commit together with the database; of two processes that commit at once on a local disk it lost 2 of 39
acknowledged commits (ours 0 of 40); what a kill leaves lies until its garbage collection is run; and five nights took
50 MB, all history kept, where ours took 21.
"""

import functools
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import icechunk
import numpy as np
import zarr
from numpy.typing import NDArray

from benchmarks.side_by_side import Row, compare
from pipeline import packed
from pipeline.depot import Folder
from pipeline.ledger import database
from pipeline.ledger.manifest import Done, Manifest
from pipeline.ledger.nights import Books
from pipeline.nightly.state import Store

icechunk.set_logs_filter("error")  # else each opening warns that processes must not commit at once
SIDE, TILES, NIGHTS = 512, 4, 5
FIRST = date(2026, 1, 1)
Arrays = dict[str, NDArray[Any]]


def arrays(tile: int, night: int) -> Arrays:
    """What is kept of a tile: evidence that is mostly at its floor, pixels with noise, days."""
    made = _arrays(tile)
    return made | {"after_day": made["after_day"] + np.uint16(night)}


@functools.cache
def _arrays(tile: int) -> Arrays:
    """Made once, so that only keeping them is timed."""
    rng = np.random.default_rng(tile)
    shape = (SIDE, SIDE)
    log_odds = np.full((3, *shape), -3, np.float32)
    log_odds[:, rng.random(shape) < 0.3] = rng.normal(-5, 1)
    return {
        "log_odds": log_odds,
        "after": rng.integers(300, 800, (6, *shape)).astype(np.uint16),
        "after_day": np.full(shape, 20000, np.uint16),
        "blind": (rng.random(shape) < 0.2).astype(np.uint8),
    }


class Contestant(Protocol):
    """One way of keeping arrays."""

    def write(self, night: int, pool: ProcessPoolExecutor | None) -> None:
        """Write all tiles of a night and commit it."""

    def read(self) -> list[Arrays]:
        """All tiles of the last whole night."""

    def prepare(self, night: int) -> None:
        """Write a night and do not commit it."""


def _save(folder: Path, name: str, tile: int, night: int) -> None:
    packed.save(Folder(folder), name, arrays(tile, night))


@dataclass(frozen=True)
class Files:
    """Compressed files under names of their night, and one transaction of SQLite that names them: what we do."""

    folder: Path

    def write(self, night: int, pool: ProcessPoolExecutor | None) -> None:
        """Write, commit, sweep."""
        as_of = FIRST + timedelta(days=night)
        names = self._written(night, pool)
        with database.opened(database.default_url(self.folder)) as ledger:
            books = Books(ledger, "a")
            before = books.load(as_of, scenes_since=FIRST)
            after = Manifest(as_of=as_of, tiles=names)
            books.commit(before, Done(after=after))
        Store(Folder(self.folder)).sweep(before, after)

    def prepare(self, night: int) -> None:
        """Write only."""
        self._written(night, None)

    def _written(self, night: int, pool: ProcessPoolExecutor | None) -> dict[str, str]:
        names = {f"t{tile}": f"t{tile}.{night}.1.arrays" for tile in range(TILES)}
        folder = self.folder / "arrays"
        _each(pool, _save, [(folder, names[f"t{tile}"], tile, night) for tile in range(TILES)])
        return names

    def read(self) -> list[Arrays]:
        """Ask the ledger, read the files."""
        with database.opened(database.default_url(self.folder)) as ledger:
            tiles = Books(ledger, "a").load(date.max, scenes_since=FIRST).tiles
        return [packed.load(Store(Folder(self.folder)).arrays, name) for name in tiles.values()]


def _put(root: Any, tile: int, night: int) -> None:
    for name, values in arrays(tile, night).items():
        path = f"t{tile}/{name}"
        if path in root:
            root[path][...] = values
        else:
            root.create_array(path, data=values, chunks=values.shape)


def _put_forked(fork: icechunk.ForkSession, tile: int, night: int) -> icechunk.ForkSession:
    _put(zarr.open_group(fork.store, mode="a"), tile, night)
    return fork


@dataclass(frozen=True)
class Icechunk:
    """An Icechunk repository: workers write through forked sessions, one process commits."""

    folder: Path

    @property
    def repository(self) -> icechunk.Repository:
        """Opened anew."""
        return icechunk.Repository.open_or_create(icechunk.local_filesystem_storage(str(self.folder / "ice")))

    def write(self, night: int, pool: ProcessPoolExecutor | None) -> None:
        """Write and commit."""
        session = self._written(night, pool)
        session.commit(f"night {night}")

    def prepare(self, night: int) -> None:
        """Write only."""
        self._written(night, None)

    def _written(self, night: int, pool: ProcessPoolExecutor | None) -> icechunk.Session:
        session = self.repository.writable_session("main")
        if pool is None:
            root: Any = zarr.open_group(session.store, mode="a")
            for tile in range(TILES):
                _put(root, tile, night)
        else:
            fork = session.fork()
            session.merge(*_each(pool, _put_forked, [(fork, tile, night) for tile in range(TILES)]))
        return session

    def read(self) -> list[Arrays]:
        """The newest snapshot."""
        root: Any = zarr.open_group(self.repository.readonly_session("main").store, mode="r")
        return [{name: root[f"t{tile}/{name}"][...] for name in arrays(0, 0)} for tile in range(TILES)]


def _put_aside(folder: Path, tile: int, night: int) -> None:
    _put(zarr.open_group(folder, mode="a"), tile, night)


@dataclass(frozen=True)
class Renamed:
    """Plain Zarr: the whole night aside, then one rename of a link; nothing is flushed."""

    folder: Path

    def write(self, night: int, pool: ProcessPoolExecutor | None) -> None:
        """Write, point to it, drop the night before last."""
        self.prepare(night, pool)
        aside = self.folder / ".last"
        aside.symlink_to(f"night{night}")
        os.replace(aside, self.folder / "last")
        shutil.rmtree(self.folder / f"night{night - 2}", ignore_errors=True)

    def prepare(self, night: int, pool: ProcessPoolExecutor | None = None) -> None:
        """Write only."""
        self.folder.mkdir(parents=True, exist_ok=True)
        zarr.open_group(self.folder / f"night{night}", mode="a")
        _each(pool, _put_aside, [(self.folder / f"night{night}", tile, night) for tile in range(TILES)])

    def read(self) -> list[Arrays]:
        """Through the link."""
        root: Any = zarr.open_group(self.folder / "last", mode="r")
        return [{name: root[f"t{tile}/{name}"][...] for name in arrays(0, 0)} for tile in range(TILES)]


def _each(pool: ProcessPoolExecutor | None, job: Callable[..., Any], tasks: Sequence[tuple[Any, ...]]) -> list[Any]:
    if pool is None:
        return [job(*task) for task in tasks]
    return [future.result() for future in [pool.submit(job, *task) for task in tasks]]


def rows(folder: Path) -> list[Row]:
    """Ours against each of the others: write alone, write from two processes, read."""
    found = []
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(abs, range(4)))
        for other in (Icechunk(folder / "i"), Renamed(folder / "r")):
            ours, name = Files(folder / f"f{type(other).__name__}"), type(other).__name__
            for label, crew in (("alone", None), ("from two processes", pool)):
                turns: dict[Contestant, Any] = {item: iter(range(1000)) for item in (ours, other)}
                start = 0 if crew is None else 500
                mine, theirs = (_writer(item, turns[item], start, crew) for item in (ours, other))
                found.append(compare(f"night of {TILES} tiles, {label}: files and database / {name}", mine, theirs))
            found.append(compare(f"read it back: files and database / {name}", ours.read, other.read))
    return [*found, _commit_alone(folder / "alone")]


def _commit_alone(folder: Path) -> Row:
    """One transaction that names all tiles, against one snapshot of as many tiny arrays."""
    nights, chunks = iter(range(1000)), iter(range(1000))
    folder.mkdir()
    repository = Icechunk(folder).repository
    with database.opened(database.default_url(folder)) as ledger:
        books = Books(ledger, "a")

        def ours() -> None:
            night = next(nights)
            as_of = FIRST + timedelta(days=night)
            before = books.load(as_of, scenes_since=FIRST)
            tiles = {f"t{tile}": f"t{tile}.{night}.1.arrays" for tile in range(TILES)}
            books.commit(before, Done(after=Manifest(as_of=as_of, tiles=tiles)))

        def theirs() -> None:
            session, night = repository.writable_session("main"), next(chunks)
            root: Any = zarr.open_group(session.store, mode="a")
            for tile in range(TILES):
                root.create_array(f"t{tile}", data=np.full(4, night), overwrite=True)
            session.commit(f"night {night}")

        return compare(f"commit of {TILES} tiles alone: database / Icechunk", ours, theirs)


def _writer(item: Contestant, turns: Any, start: int, crew: ProcessPoolExecutor | None) -> Callable[[], None]:
    return lambda: item.write(start + next(turns), crew)


def facts(folder: Path) -> Iterator[tuple[str, str]]:
    """Bytes, kills and concurrent commits."""
    for kind in (Files, Icechunk, Renamed):
        item: Contestant = kind(folder / f"facts{kind.__name__}")
        for night in range(NIGHTS):
            item.write(night, None)
        yield f"{kind.__name__}: MB after {NIGHTS} nights", f"{_size(folder / f'facts{kind.__name__}') / 1e6:.1f}"
        yield f"{kind.__name__}: killed before the commit", _killed(item, folder / f"facts{kind.__name__}")
    for label, job in (("Files", _commit_rows), ("Icechunk", _commit_chunks)):
        yield f"{label}: 2 x 20 commits at once", _at_once(folder / f"once{label}", job)


def _killed(item: Contestant, folder: Path) -> str:
    before, size = item.read()[0]["after_day"][0, 0], _size(folder)
    child = get_context("spawn").Process(target=_die, args=(item,))
    child.start()
    child.join()
    whole = item.read()[0]["after_day"][0, 0] == before
    left = (_size(folder) - size) / 1e6
    item.write(NIGHTS, None)
    swept = "swept by the next night" if _size(folder) < size + left * 5e5 else "stays"
    return f"last night {'whole' if whole else 'LOST'}; {left:.1f} MB left, {swept}"


def _die(item: Contestant) -> None:
    item.prepare(NIGHTS)
    os.kill(os.getpid(), signal.SIGKILL)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _together(folder: Path, who: int) -> None:
    """Wait for the other process."""
    (folder / f"ready{who}").touch()
    while not all((folder / f"ready{each}").exists() for each in range(2)):
        time.sleep(0.001)


def _commit_rows(folder: Path, who: int) -> int:
    _together(folder, who)
    with database.opened(database.default_url(folder)) as ledger:
        books, before = Books(ledger, f"aoi{who}"), Manifest()
        for night in range(20):
            tiles = before.tiles | {f"t{night}": f"t{night}.arrays"}
            after = Manifest(as_of=FIRST + timedelta(days=night), tiles=tiles)
            books.commit(before, Done(after=after))
            before = replace(after)
    return 20


def _commit_chunks(folder: Path, who: int) -> int:
    _together(folder, who)
    acknowledged = 0
    for night in range(20):
        session = Icechunk(folder).repository.writable_session("main")
        zarr.open_group(session.store, mode="a").create_array(f"w{who}n{night}", data=np.arange(4))
        try:
            session.commit("x", rebase_with=icechunk.ConflictDetector())
            acknowledged += 1
        except icechunk.IcechunkError:
            pass
    return acknowledged


def _at_once(folder: Path, job: Callable[[Path, int], int]) -> str:
    folder.mkdir(parents=True)
    if job is _commit_chunks:
        session = Icechunk(folder).repository.writable_session("main")
        zarr.open_group(session.store, mode="a")
        session.commit("first")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        acknowledged = sum(_each(pool, job, [(folder, who) for who in range(2)]))
    if job is _commit_rows:
        with database.opened(database.default_url(folder)) as ledger:
            kept = sum(len(Books(ledger, f"aoi{who}").load(date.max, scenes_since=FIRST).tiles) for who in range(2))
    else:
        root: Any = zarr.open_group(Icechunk(folder).repository.readonly_session("main").store, mode="r")
        kept = len(list(root.array_keys()))
    return f"{acknowledged} acknowledged, {kept} kept"
