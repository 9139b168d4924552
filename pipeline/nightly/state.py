"""The arrays that one night leaves to the next, and the lock of a run.

`<aoi>/arrays/` in the state, a folder or a bucket, holds a file per tile under the name of its night; none is ever
changed in place. The ledger names those of the last whole night, in one transaction: so arrays and ledger change
together or not at all. A run that is killed leaves files that nothing names, and the next one sweeps them. Those of the
night before are kept too: running the same night again starts from there and gives the same result.
"""

import fcntl
import io
import math
import os
import re
import socket
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from pipeline import disk
from pipeline.depot import Depot
from pipeline.errors import ConfigError, DamagedError, StateError
from pipeline.ledger.manifest import Manifest

__all__ = ["Manifest", "Store", "arrays_name", "load_arrays", "locked", "save_arrays"]

blosc.use_threads = False  # a task has one core
_CODEC = blosc.Blosc(cname="zstd", clevel=1, shuffle=blosc.SHUFFLE)
"""Of a tile's arrays, measured: DEFLATE takes four times as long to write them, twice to read them, and a fifth more
room."""
_PACKED = ".blosc"
COMMITTED = "committed"
"""File beside the arrays of an AOI of which the ledger knows a whole night."""


@dataclass(frozen=True, slots=True)
class Store:
    """Where one AOI's arrays are kept."""

    depot: Depot

    @property
    def arrays(self) -> Depot:
        """Where tasks write the arrays of a night."""
        return self.depot.below("arrays")

    @property
    def normals(self) -> Depot:
        """Where normals are kept; they can always be rebuilt."""
        return self.depot.below("normals")

    @property
    def crops(self) -> Depot:
        """Where tasks leave crops for a driver that shares no folder with them, until the night is published."""
        return self.depot.below("crops")

    def refuse_earlier_form(self) -> None:
        """Raise ConfigError where a version without a database has left its state."""
        if self.depot.exists("night.json"):
            raise ConfigError(
                f"{self.depot}/night.json: is the state of a version that had no database; move {self.depot} away, and "
                "make the state again by running the nights since then with 'vanwatch nightly --as-of DATE', oldest "
                "first"
            )

    def refuse_lost_ledger(self, ledger: str) -> None:
        """Raise ConfigError where whole nights have left their arrays: to be asked when the ledger knows of no night.

        Args:
            ledger: URL of it, for the message.
        """
        if self.depot.exists(COMMITTED):
            raise ConfigError(
                f"{ledger}: knows no night of what lies in {self.depot}; restore the ledger from a backup, check "
                "VANWATCH_DATABASE and `database` in configs/deployment.toml, or, to begin anew without its alerts and "
                f"verdicts, move {self.depot} away"
            )

    def sweep(self, before: Manifest, after: Manifest) -> None:
        """Drop arrays that neither night names, normals of earlier periods, and crops; note that a night is committed.

        Raises:
            StateError: the state cannot be listed.
            WriteError: it cannot be written to.
        """
        if not self.depot.exists(COMMITTED):
            with self.depot.writing(COMMITTED) as handle:
                handle.write(b"The ledger knows of nights whose arrays lie here.\n")
        named = {*before.tiles.values(), *after.tiles.values()}
        self.arrays.delete(name for name in self.arrays.names() if name not in named)
        self.crops.delete(self.crops.names())
        dated = {name: _anchor(name) for name in self.normals.names()}
        newest = max(dated.values(), default="")  # a dot begins the name of what a killed run left
        self.normals.delete(name for name, anchor in dated.items() if anchor < newest or name.startswith("."))


def arrays_name(tile_key: str, as_of: date, attempt: int) -> str:
    """File of a tile's arrays after a night; a night that is run again has other files, so that none ever changes."""
    return f"{tile_key}.{as_of.isoformat()}.{attempt}.arrays"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One run at a time per home; the lock goes with the process, however it ends.

    The file `lock` stays; it holds the name of a run only while one is at work.

    Raises:
        ConfigError: another run holds it, or the folder cannot be written to.
    """
    with disk.writing(folder, ConfigError):
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / "lock").open("a+")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            handle.seek(0)
            who = handle.read().strip() or "another run"
            raise ConfigError(f"{folder}: {who} is at work here; wait for it, or use another --home") from err
        handle.truncate(0)
        handle.write(f"another run (process {os.getpid()} on {socket.gethostname()})\n")
        handle.flush()
        try:
            yield
        finally:
            handle.truncate(0)


def save_arrays(depot: Depot, file: str, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays: the file is whole or absent.

    A zip archive, with its CRC-32 of each member: the header of an `.npy` file, then the values as Blosc packs them.

    Raises:
        WriteError: the disk is full, or the depot cannot be written to.
    """
    with depot.writing(file) as handle, zipfile.ZipFile(handle, "w") as archive:
        for name, values in arrays.items():
            whole, member = np.ascontiguousarray(values), io.BytesIO()
            np.lib.format.write_array_header_1_0(member, np.lib.format.header_data_from_array_1_0(whole))
            member.write(_CODEC.encode(whole) if whole.size else b"")
            # its fixed date keeps the bytes the same every time
            archive.writestr(zipfile.ZipInfo(f"{name}{_PACKED}"), member.getbuffer())


def load_arrays(
    depot: Depot,
    file: str,
    *,
    foreign_bytes: int | None = None,
    remedy: str = "restore it from a backup, or replay the AOI",
) -> dict[str, NDArray[Any]]:
    """Read what `save_arrays` or `numpy.savez` wrote.

    Args:
        depot: where it is.
        file: its name.
        foreign_bytes: it may have passed through other hands: so much, headers included, is the most that it may hold;
            plain arrays alone are read then, as Blosc trusts its input. None: it is the state's own.
        remedy: what to do if it is damaged, for the message.

    Raises:
        StateError: the file is missing or out of reach.
        DamagedError: it is broken.
    """
    try:
        with depot.reading(file) as handle, zipfile.ZipFile(handle) as archive:
            told = sum(member.file_size for member in archive.infolist())  # no more of a member is read than it tells
            if foreign_bytes is not None and told > foreign_bytes:
                raise ValueError(f"its arrays would take {told} bytes, {foreign_bytes} is the most")
            if {member.compress_type for member in archive.infolist()} - {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise ValueError("packed otherwise than by this project")
            foreign = foreign_bytes is not None
            return {name.rpartition(".")[0]: _read(archive, name, foreign) for name in archive.namelist()}
    except OSError as err:
        raise StateError(f"{depot}/{file}: not readable ({err}); {remedy}") from err
    except (ValueError, RuntimeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as err:
        raise DamagedError(f"{depot}/{file}: not readable ({err}); {remedy}") from err


def _read(archive: zipfile.ZipFile, name: str, foreign: bool) -> NDArray[Any]:
    with archive.open(name) as packed_member:
        content = packed_member.read(archive.getinfo(name).file_size)  # without a size all would be unpacked first
        packed_member.read(1)  # at the end its checksum is compared
    member = io.BytesIO(content)
    np.lib.format.read_magic(member)
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(member)
    packed, data = name.endswith(_PACKED) and not foreign, memoryview(content)[member.tell() :]
    if dtype.hasobject or (packed and fortran):
        raise ValueError(f"{name}: not written by this project")
    if not packed and math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{name}: holds other than its header says")
    values = np.empty(shape, dtype, "F" if fortran else "C")
    if packed and values.size:
        _CODEC.decode(data, values)
    elif values.size:
        values[...] = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return values


def _anchor(name: str) -> str:
    """The date in the name of a normal or a reference."""
    found = re.search(r"\d{4}-\d\d-\d\d", name)
    return found.group() if found else ""
