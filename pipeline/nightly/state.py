"""The arrays that one night leaves to the next, and the lock of a run.

`<aoi>/arrays/` in the state, a folder or a bucket, holds a file per tile under the name of its night; none is ever
changed in place. The ledger names those of the last whole night, in one transaction: so arrays and ledger change
together or not at all. A run that is killed leaves files that nothing names, and the next one sweeps them. Those of the
night before are kept too: running the same night again starts from there and gives the same result.
"""

import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipeline import disk
from pipeline.depot import Depot
from pipeline.errors import ConfigError
from pipeline.ledger.manifest import Manifest

__all__ = ["Manifest", "Store", "arrays_name", "locked"]

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

    def refuse_others_ledger(self, ledger: str) -> None:
        """Raise ConfigError where no night has left anything: to be asked when the ledger knows of one.

        Args:
            ledger: URL of it, for the message.
        """
        if not (self.depot.exists(COMMITTED) or self.arrays.names()):  # a kill may have come before the mark
            raise ConfigError(
                f"{ledger}: knows nights whose arrays do not lie in {self.depot}; name an empty database, or the --out "
                "of the replay that filled it"
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


def _anchor(name: str) -> str:
    """The date in the name of a normal or a reference."""
    found = re.search(r"\d{4}-\d\d-\d\d", name)
    return found.group() if found else ""
