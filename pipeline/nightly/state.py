"""What one night leaves to the next: a manifest and the arrays that it names, committed together or not at all.

`state/<aoi>/night.json` is the last whole night. Arrays lie beside it under names of their own night and are never
changed in place; replacing the manifest is the commit, so a killed run leaves the last night whole. The night before
is kept too (`before.json`): running the same night again starts from there and gives the same result.
"""

import fcntl
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import disk, grid
from pipeline.errors import ConfigError, StateError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """The state of one AOI after a night."""

    as_of: date | None = None
    """The night; None before the first."""
    granules: tuple[str, ...] = ()
    """MGRS tiles that share the AOI out among them; kept, so that a place never changes hands."""
    ledger: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Scene id to what became of it: revision, used or refused and why, tiles whose read failed."""
    alerts: tuple[dict[str, Any], ...] = ()
    """Records of all alerts ever raised."""
    tiles: dict[str, str] = field(default_factory=dict)
    """Tile key to the file of its arrays."""


@dataclass(frozen=True, slots=True)
class Store:
    """The state folder of one AOI."""

    folder: Path

    @property
    def arrays(self) -> Path:
        """Where tasks write the arrays of a night."""
        return self.folder / "arrays"

    @property
    def normals(self) -> Path:
        """Where normals are kept; they can always be rebuilt."""
        return self.folder / "normals"

    def load(self, as_of: date) -> Manifest:
        """The manifest that a night starts from.

        Raises:
            ConfigError: a later night has already been run.
            StateError: a manifest is missing or cannot be read.
        """
        last = _read(self.folder / "night.json")
        if last.as_of is None or last.as_of < as_of:
            return last
        if last.as_of == as_of:
            before = self.folder / "before.json"
            if not before.exists():
                raise StateError(f"{before}: is missing, and {as_of} starts from it; restore it, or run a later night")
            return _read(before)
        raise ConfigError(
            f"{self.folder}: the last night is {last.as_of}, later than {as_of}; "
            "use 'vanwatch replay' to run earlier nights apart from the live state"
        )

    def last(self) -> Manifest:
        """The last whole night."""
        return _read(self.folder / "night.json")

    def commit(self, before: Manifest, after: Manifest) -> None:
        """Make `after` the last whole night, and drop arrays that neither names and normals of earlier periods.

        Raises:
            WriteError: the disk is full, or the folder cannot be written to; the night before stays the last.
        """
        _write(self.folder / "before.json", before)
        _write(self.folder / "night.json", after)
        named = {*before.tiles.values(), *after.tiles.values()}
        for path in self.arrays.glob("*"):
            if path.name not in named:
                path.unlink(missing_ok=True)
        dated = {path: _anchor(path.name) for path in self.normals.glob("*")}
        newest = max(dated.values(), default="")
        for path, anchor in dated.items():
            if anchor < newest or path.name.startswith("."):  # the latter is what a killed run left
                path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One run at a time per home; the lock goes with the process, however it ends.

    Raises:
        ConfigError: another run holds it, or the folder cannot be written to.
    """
    with disk.writing(folder, ConfigError):
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / "lock").open("a")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise ConfigError(f"{folder}: another run is at work here; wait for it, or use another --home") from err
        yield


def save_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays aside, flush, and rename: the file is whole or absent.

    Raises:
        WriteError: the disk is full, or the folder cannot be written to.
    """
    with disk.whole(path) as handle, zipfile.ZipFile(handle, "w") as archive:
        for name, values in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(values), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy")  # its fixed date keeps the bytes the same every time
            archive.writestr(entry, member.getbuffer(), zipfile.ZIP_DEFLATED, compresslevel=1)


def load_arrays(path: Path, *, remedy: str = "restore it from a backup, or replay the AOI") -> dict[str, NDArray[Any]]:
    """Read what `save_arrays` wrote.

    Args:
        path: the file.
        remedy: what to do if it is damaged, for the message.

    Raises:
        StateError: the file is missing or broken.
    """
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as err:
        raise StateError(f"{path}: not readable ({err}); {remedy}") from err


def _anchor(name: str) -> str:
    """The date in the name of a normal or a reference."""
    found = re.search(r"\d{4}-\d\d-\d\d", name)
    return found.group() if found else ""


def _read(path: Path) -> Manifest:
    if not path.exists():
        return Manifest()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != FORMAT:
            raise StateError(f"{path}: format {values['format']}, this version writes {FORMAT}; replay the AOI")
        return Manifest(
            as_of=date.fromisoformat(values["as_of"]) if values["as_of"] else None,
            granules=tuple(grid.granule(name).mgrs for name in values["granules"]),
            ledger={key: dict(entry) for key, entry in values["ledger"].items()},
            alerts=tuple(values["alerts"]),
            tiles=values["tiles"],
        )
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as err:
        raise StateError(f"{path}: not readable ({err}); restore it from a backup, or replay the AOI") from err


def _write(path: Path, manifest: Manifest) -> None:
    values = {
        "format": FORMAT,
        "as_of": manifest.as_of.isoformat() if manifest.as_of else None,
        "granules": list(manifest.granules),
        "ledger": manifest.ledger,
        "alerts": list(manifest.alerts),
        "tiles": manifest.tiles,
    }
    with disk.whole(path) as handle:
        handle.write(json.dumps(values, indent=1, sort_keys=True).encode())
