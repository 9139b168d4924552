"""Depots: whole files under names, in a folder or in an object store (`bucket`).

In: names and bytes. Out: bytes. Knows nothing of what is in them.

A file appears whole or not at all and is never changed in part, so an object store does what a folder does: one put is
one file. Nothing is renamed, locked or appended to. A depot is a value that travels to other machines.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from pipeline import disk


class Depot(Protocol):
    """A place of whole files; a name may hold `/`."""

    def reading(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a file; `FileNotFoundError` where there is none, `OSError` where it cannot be read."""

    def writing(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Write a file: it is there, whole, when the block has ended without an error.

        Raises:
            WriteError: the system or the store refused; what was there before stays.
        """

    def exists(self, name: str) -> bool:
        """True if there is such a file.

        Raises:
            StateError: the store does not answer.
        """

    def names(self) -> tuple[str, ...]:
        """All files, in whatever folder below, sorted.

        Raises:
            StateError: the store does not answer, or holds an object whose name no file can have.
        """

    def delete(self, names: Iterable[str]) -> None:
        """Remove files; those that are not there are passed over.

        Raises:
            WriteError: the system or the store refused.
        """

    def below(self, name: str) -> "Depot":
        """The part whose names begin with `name/`."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of this machine, or one that machines share."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def reading(self, name: str) -> IO[bytes]:
        """See `Depot`."""
        return (self.path / name).open("rb")

    def writing(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """See `Depot`."""
        return disk.whole(self.path / name)

    def exists(self, name: str) -> bool:
        """See `Depot`."""
        return (self.path / name).is_file()

    def names(self) -> tuple[str, ...]:
        """See `Depot`; what killed runs left aside is named too."""
        return tuple(sorted(path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file()))

    def delete(self, names: Iterable[str]) -> None:
        """See `Depot`."""
        with disk.writing(self.path):
            for name in names:
                (self.path / name).unlink(missing_ok=True)

    def below(self, name: str) -> "Folder":
        """See `Depot`."""
        return Folder(self.path / name)
