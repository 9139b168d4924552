"""Verdicts that an analyst typed into a published GeoPackage, however the file is held.

In: a GeoPackage that `geopackage` wrote, edited since. Out: what was changed. Never writes to the file.

QGIS keeps a file that it edits in WAL mode: what was saved last may lie in `alerts.gpkg-wal` only. A reader on the
same machine sees it through SQLite; where that fails (another machine, a folder that may not be written to, a lock
that is never let go), file and journal are copied aside and the copy is read.
"""

import contextlib
import itertools
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import StateError
from pipeline.publish.columns import VERDICTS

FILE = "alerts.gpkg"
EDITED = "edited"
"""Folder below `out` for files that were edited, or held open, when their night was written anew."""
LAYERS = ("alerts", "tracks")
PUBLISHED = "vanwatch_published"
"""Table of what stood in the file when it was published."""
_PATIENCE_S = 3.0
_COLUMNS = "alert_id, verdict, verdict_by, verdict_on, note"
_JOURNALS = ("", "-wal", "-journal")  # -shm is left behind: SQLite makes it anew for a copy


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an analyst typed for one alert."""

    alert_id: str
    verdict: str
    """`confirmed`, `dismissed`, `unsure`, or empty: taken back."""
    by: str
    """Who, as far as QGIS knows it."""
    on: datetime | None
    """When it was changed (UTC); None if the file does not tell."""
    note: str
    """The reason, or any other note."""


def read_verdicts(path: Path) -> tuple[Verdict, ...]:
    """What was changed in a published GeoPackage since it was published.

    Args:
        path: the file; it may be open in QGIS, with edits that are saved but still in its journal. Edits that are not
            saved yet are nowhere but in QGIS, and come with the next night.

    Returns:
        One per alert whose verdict or note is another than published, by `alert_id`. Empty if there is no such file.

    Raises:
        StateError: the file is damaged, or no GeoPackage of alerts, or holds an unknown verdict.
    """
    if not path.exists():
        return ()
    try:
        try:
            with _opened(path) as database:
                found = _changed(database)
        except sqlite3.OperationalError:  # locked for good, on a network drive, or in a folder that is read-only
            with _copied(path) as copy, _opened(copy) as database:
                found = _changed(database)
    except (sqlite3.Error, OSError, ValueError) as err:
        raise StateError(
            f"{path}: verdicts cannot be read ({err}); save it again in QGIS or delete it; it is read again next night"
        ) from err
    wrong = [item for item in found if item.verdict not in ("", *VERDICTS)]
    if wrong:
        words = ", ".join(VERDICTS)
        what = f"verdict {wrong[0].verdict!r} is unknown; use {words}, or leave it empty"
        raise StateError(f"{path}: {wrong[0].alert_id}: {what}")
    return tuple(sorted(found, key=lambda item: item.alert_id))


def published_files(out: Path, aoi_id: str) -> tuple[Path, ...]:
    """Every GeoPackage of an AOI into which an analyst may have typed, oldest first.

    QGIS may hold the file of an earlier night open when a new one comes, and saves into that one. Copies in
    `out/latest` (where links cannot be made) and files set aside when their night was run again come last.
    """
    nights = sorted(out.glob(f"[0-9]*/{aoi_id}/{FILE}"))
    shown = out / "latest" / aoi_id
    copies = [shown / FILE] if not shown.is_symlink() and (shown / FILE).exists() else []
    return (*nights, *sorted((out / EDITED / aoi_id).glob("*.gpkg")), *copies)


def set_aside(folder: Path, kept: Path) -> None:
    """Keep the GeoPackage of a folder that is about to be removed, if an analyst has typed into it or holds it open.

    It moves with its journals: a program that holds it open goes on writing into it, and is read from there.

    Args:
        folder: of a night, or its copy in `latest`.
        kept: where to.
    """
    path = folder / FILE
    beside = [ending for ending in (*_JOURNALS, "-shm") if path.with_name(path.name + ending).exists()]
    if not beside or (beside == [""] and not _is_edited(path)):
        return
    kept.mkdir(parents=True, exist_ok=True)
    number = next(n for n in itertools.count(1) if not (kept / f"{n:04d}.gpkg").exists())
    for ending in beside:
        path.with_name(path.name + ending).rename(kept / f"{number:04d}.gpkg{ending}")


def _is_edited(path: Path) -> bool:
    try:
        return bool(read_verdicts(path))
    except StateError:  # nobody can tell; so it is kept
        return True


def newest(found: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """The last word on each alert, where several files have one; by `alert_id`.

    Args:
        found: in the order of `published_files`, which decides where times are equal or unknown.
    """
    last: dict[str, Verdict] = {}
    for item in sorted(found, key=lambda item: item.on or datetime.min.replace(tzinfo=UTC)):
        last[item.alert_id] = item
    return tuple(last[name] for name in sorted(last))


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE_S)
    with contextlib.closing(connection):
        yield connection


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        for ending in _JOURNALS:
            source = path.with_name(path.name + ending)
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(source, copy.with_name(copy.name + ending))
        with contextlib.closing(sqlite3.connect(copy)) as database:
            state = database.execute("PRAGMA quick_check").fetchone()[0]
        if state != "ok":
            raise ValueError(f"held by another program and copied while it was written: {state}")
        yield copy


def _changed(database: sqlite3.Connection) -> list[Verdict]:
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}
    if not tables & set(LAYERS):
        raise ValueError("it holds no layer 'alerts' or 'tracks'")
    rows: list[tuple[object, ...]] = []  # SQLite keeps whatever a program writes
    for layer in LAYERS:
        rows += database.execute(f"SELECT {_COLUMNS} FROM {layer}").fetchall() if layer in tables else []
    before: dict[str, tuple[str, str]] = {}
    if PUBLISHED in tables:
        before = {
            row[0]: (row[1], row[2]) for row in database.execute(f"SELECT alert_id, verdict, note FROM {PUBLISHED}")
        }
    items = [
        Verdict(name, verdict, by, _moment(on), note)
        for name, verdict, by, on, note in (["" if value is None else str(value) for value in row] for row in rows)
    ]
    return [item for item in items if (item.verdict, item.note) != before.get(item.alert_id, ("", ""))]


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
