"""Sending: a night that was built in a folder goes to an object store, and what is read back from there.

In: folders of this machine and a bucket. Out: objects under the names that files have in `out`. Knows nothing of what
is in them.

An object store renames nothing, so a night does not appear at once there. `run.json` says that a night is whole: it is
written last, and taken away first where a night is run again. `latest/<aoi>/` holds copies; its `run.json` is replaced
last and is always there: a program takes `as_of` from it and reads `<as_of>/<aoi>/`, and never mixes two nights. Each
file by itself is always whole. A run that is killed leaves a night without `run.json`, which the next run makes anew.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pipeline import disk
from pipeline.bucket import Bucket
from pipeline.errors import InputError, StateError
from pipeline.publish import collection, index, items
from pipeline.publish.night import LATEST
from pipeline.publish.verdicts import EDITED

RUN, REPORT, FRONT = "run.json", "report.html", ("index.html", "catalog.json")
T = TypeVar("T")
_AT_ONCE = 16
"""Requests under way: each waits for the store most of its time."""


def send(folder: Path, out: Bucket, *, as_of: str, aoi: str) -> str:
    """Send one night, and show it as the latest one if there is none later.

    Args:
        folder: of the night, whole.
        out: of all nights.
        as_of: the night.
        aoi: the AOI.

    Returns:
        The URL of the night.

    Raises:
        StateError: the store does not answer, or holds an object there whose name no file can have.
        WriteError: the store refused; the night has no `run.json` there then either.
    """
    there = out.below(f"{as_of}/{aoi}")
    files = _files(folder)
    there.delete([RUN])
    _each(lambda name: there.put(name, files[name]), files.keys() - {RUN})
    there.delete(set(there.names()) - files.keys())
    there.put(RUN, files[RUN])
    with disk.writing(folder):
        if _latest(out, aoi) == as_of:
            _show(out, f"{as_of}/{aoi}", f"{LATEST}/{aoi}", files)
    return str(there)


def front(out: Bucket, folder: Path) -> None:
    """Make the index and the catalogue of all nights anew, out of what the store holds.

    Args:
        out: of all nights.
        folder: empty, or holding nights of which `out` holds the same.

    Raises:
        StateError: the store does not answer, or holds an object there whose name no file can have.
        WriteError: the store refused, or the disk is full.
    """
    with disk.writing(folder):
        nights = [(aoi, night) for night in _nights(out) for aoi in out.below(night).folders()]
        _each(lambda each: _fetch_facts(out, f"{each[1]}/{each[0]}", folder), nights)
        index.write(folder)
        collection.write(folder)
        made = {name: path for name, path in _files(folder / items.COLLECTIONS).items() if path.suffix == ".json"}
        collections = out.below(items.COLLECTIONS)
        _each(lambda name: collections.put(name, made[name]), made)
        collections.delete(set(collections.names()) - made.keys())
        for name in FRONT:
            out.put(name, folder / name)


def show_run(out: Bucket, *, as_of: str, aoi: str) -> None:
    """Copy a night's `run.json`, to which something was added, to `latest/<aoi>/` if that shows the night.

    Raises:
        StateError: the store does not answer.
        WriteError: the store refused.
    """
    if _latest(out, aoi) == as_of:
        out.copy(f"{as_of}/{aoi}/{RUN}", f"{LATEST}/{aoi}/{RUN}")


def fetch_edited(out: Bucket, folder: Path, aoi: str) -> None:
    """Bring the GeoPackages into which analysts have typed, and which they have put into `edited/<aoi>/`.

    Raises:
        StateError: the store does not answer, or holds an object there whose name no file can have.
        WriteError: a file cannot be fetched, or the disk is full.
    """
    edited = f"{EDITED}/{aoi}"
    there = {name: kept for name, kept in out.below(edited).listed().items() if ".gpkg" in name}  # and their journals
    with disk.writing(folder):
        for name, kept in there.items():
            path = _fetch(out, f"{edited}/{name}", folder)
            os.utime(path, (kept.changed.timestamp(),) * 2)  # when it was said, where the file does not tell


def fetch_pack(out: Bucket, alert_id: str, night: str, folder: Path) -> str:
    """Bring an alert's evidence pack, and the `run.json` that has its fingerprint, if there is one.

    Args:
        out: of all nights.
        alert_id: the alert.
        night: whose pack; empty for the newest.
        folder: where to, under the same names.

    Returns:
        The URL of the pack.

    Raises:
        InputError: there is none.
        StateError: the store does not answer.
    """
    try:
        for each in [night] if night else _nights(out)[::-1]:
            for aoi in out.below(each).folders():
                pack = f"{each}/{aoi}/evidence/{alert_id}"
                names = out.below(pack).names()
                if names:
                    _each(lambda name: _fetch(out, name, folder), [f"{pack}/{name}" for name in names])
                    if out.exists(f"{each}/{aoi}/{RUN}"):  # a night that was killed has none
                        _fetch(out, f"{each}/{aoi}/{RUN}", folder)
                    return f"{out}/{pack}"
    except OSError as err:
        raise StateError(f"{out}: not readable ({err.strerror or err}); check that the object store answers") from err
    raise InputError(f"{alert_id}: no evidence pack in {out}{f' of {night}' if night else ''}; check the id and --home")


def fetch_night(out: Bucket, aoi: str, night: str, wanted: re.Pattern[str], folder: Path) -> Path | None:
    """Bring files of a whole night.

    Args:
        out: of all nights.
        aoi: the AOI.
        night: empty for the newest.
        wanted: which files, by their whole names.
        folder: where to, under the same names.

    Returns:
        The folder of the night; None if there is no such night.

    Raises:
        StateError: the store does not answer.
        WriteError: the disk is full.
    """
    found = night or _latest(out, aoi)
    names = out.below(f"{found}/{aoi}").names() if found else ()
    if RUN not in names:
        return None
    with disk.writing(folder):
        _each(lambda name: _fetch(out, f"{found}/{aoi}/{name}", folder), filter(wanted.fullmatch, names))
    return folder / found / aoi


def _show(out: Bucket, night: str, shown: str, names: Iterable[str]) -> None:
    rest = set(names) - {RUN}
    _each(lambda name: out.copy(f"{night}/{name}", f"{shown}/{name}"), rest)
    there = out.below(shown)
    there.delete(set(there.names()) - rest - {RUN})
    out.copy(f"{night}/{RUN}", f"{shown}/{RUN}")


def _fetch_facts(out: Bucket, night: str, folder: Path) -> None:
    """What the index and the catalogue tell of a night; nothing of one that is not whole."""
    names = out.below(night).names()
    for name in names if RUN in names else ():
        if name == RUN or name.startswith(f"{items.FOLDER}/"):
            _fetch(out, f"{night}/{name}", folder)
        elif name == REPORT:  # only whether there is one
            (folder / night).mkdir(parents=True, exist_ok=True)
            (folder / night / name).touch()


def _fetch(out: Bucket, name: str, folder: Path) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with out.reading(name) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target)
    return path


def _nights(out: Bucket) -> list[str]:
    return [name for name in out.folders() if name[:1].isdigit()]


def _latest(out: Bucket, aoi: str) -> str:
    """The last whole night of an AOI; empty if there is none."""
    return next((night for night in _nights(out)[::-1] if out.exists(f"{night}/{aoi}/{RUN}")), "")


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def _each(work: Callable[[T], object], things: Iterable[T]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for done in [pool.submit(work, thing) for thing in things]:
            done.result()
