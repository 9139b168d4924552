"""Nights: the folder of one night appears whole or not at all.

In: files that others write. Out: `out/<as_of>/<aoi>/` and `out/latest/<aoi>`. Knows nothing of what is in them.

Files are written into a hidden folder beside their place, flushed to the disk, and swapped in at once; a run that is
killed leaves what was there before, and the next one sweeps up what it left lying. The caller sees to it that only
one run at a time writes nights of an AOI.
"""

import ctypes
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline import disk

LATEST = "latest"
Spare = Callable[[Path], None]
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


class Night:
    """Writes one night of one AOI; used with `with`, and published when that ends without an error."""

    def __init__(
        self, out: Path, as_of: date, aoi_id: str, *, links: bool = True, spare: Spare = lambda folder: None
    ) -> None:
        """Name the places; nothing is touched before `with`.

        Args:
            out: folder of all nights.
            as_of: the night.
            aoi_id: the AOI.
            links: `latest` holds links; False: copies, for file systems and web servers that know no links. Where
                links cannot be made, copies are taken anyway.
            spare: given a folder that is about to be removed; takes out of it what people have changed.
        """
        self.final = out / as_of.isoformat() / aoi_id
        self.folder = out / as_of.isoformat() / f".{aoi_id}.new"
        self._out, self._aoi, self._links, self._spare = out, aoi_id, links, spare

    def __enter__(self) -> Self:
        sweep(self._out, self._aoi, self._spare)
        self.folder.mkdir(parents=True)
        return self

    def write_run(self, facts: Mapping[str, Any], *, timings: Mapping[str, Any]) -> None:
        """Write `run.json`.

        Args:
            facts: what a repetition of the night would give again: they stay the same to the byte.
            timings: what it would not; kept apart under `timings`.
        """
        text = json.dumps({**facts, "timings": dict(timings)}, sort_keys=True, indent=2, ensure_ascii=False)
        (self.folder / "run.json").write_text(text + "\n", encoding="utf-8", newline="\n")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            sweep(self._out, self._aoi, self._spare)
            return
        _flush(self.folder)
        swap_in(self.folder, self.final, self._spare)
        self._show_latest()
        sweep(self._out, self._aoi, self._spare)

    def _show_latest(self) -> None:
        """Point `latest` at the newest night there is, which a repeated old night is not."""
        nights = sorted(path.parent.name for path in self._out.glob(f"[0-9]*/{self._aoi}") if path.is_dir())
        newest = self._out / nights[-1] / self._aoi
        (self._out / LATEST).mkdir(exist_ok=True)
        shown = self._out / LATEST / self._aoi
        aside = shown.with_name(f".{self._aoi}.new")
        if self._links and _linked(Path("..") / nights[-1] / self._aoi, aside):
            if shown.is_dir() and not shown.is_symlink():  # copies were shown before
                swap_in(aside, shown, self._spare)
            else:
                os.replace(aside, shown)
        elif newest == self.final or not shown.exists():
            shutil.copytree(newest, aside)
            _flush(aside)
            swap_in(aside, shown, self._spare)
        disk.flush_folder(shown.parent)


def sweep(out: Path, aoi_id: str, spare: Spare = lambda folder: None) -> None:
    """Put right what a killed run left: bring back a night that was moved aside and not replaced, remove the rest."""
    for old in sorted(out.glob(f"*/.{aoi_id}.old")):
        final = old.with_name(aoi_id)
        if not os.path.lexists(final):
            os.replace(old, final)
        _remove(old, spare)
    for new in sorted(out.glob(f"*/.{aoi_id}.new")):
        _remove(new)
        if not any(new.parent.iterdir()):
            new.parent.rmdir()


def swap_in(new: Path, final: Path, spare: Spare = lambda folder: None) -> None:
    """Put `new` in the place of `final`, which need not exist; both lie in one folder.

    Where the system can exchange two names at once there is no moment without `final`; elsewhere there is a short
    one, and `sweep` puts it right should the run be killed in it.
    """
    old = final.with_name(f".{final.name}.old")
    if not os.path.lexists(final):
        os.replace(new, final)
    elif exchange(new, final):
        os.replace(new, old)
    else:
        os.replace(final, old)
        os.replace(new, final)
    disk.flush_folder(final.parent)
    _remove(old, spare)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two names at once; False where the system or the file system cannot."""
    rename = _renameat2()
    if rename is None:
        return False
    return rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0


def _renameat2() -> Callable[..., int] | None:
    """The system's call, on Linux with a C library that has it."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


def _linked(target: Path, link: Path) -> bool:
    try:
        link.symlink_to(target, target_is_directory=True)
    except (OSError, NotImplementedError):
        return False
    return True


def _remove(path: Path, spare: Spare = lambda folder: None) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        spare(path)
        shutil.rmtree(path)


def _flush(folder: Path) -> None:
    """Everything in a folder is on the disk before its name is."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
    for path in (*(p for p in sorted(folder.rglob("*")) if p.is_dir()), folder):
        disk.flush_folder(path)
