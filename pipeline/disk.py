"""Writing: files that are whole or absent, and what the system says about a full disk in one line. Reading: at once.

In: paths. Out: files, and what stands in them. Knows nothing of what is in them.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipeline.errors import VanwatchError, WriteError


@contextmanager
def writing(place: Path, kind: type[VanwatchError] = WriteError) -> Iterator[None]:
    """Tell a full disk, a missing right or a wrong path in one line: none of them is a bug.

    Args:
        place: what is written, named where the system does not name it.
        kind: `ConfigError` where the user chose the place and nothing was changed yet.

    Raises:
        WriteError: or `kind`: the system refused.
    """
    try:
        yield
    except OSError as err:
        remedy = "check that its folder exists, may be written to and has room"
        raise kind(
            f"{err.filename2 or err.filename or place}: cannot be written ({err.strerror or err}); {remedy}"
        ) from err


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Write a file aside, flush it and rename it when all went well; else remove it.

    Args:
        path: its folder is made if absent; an older file is replaced. What a killed run leaves aside has a name that
            begins with a dot and ends with `.part`.

    Raises:
        WriteError: the system refused.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("wb") as handle:
                yield handle
                handle.flush()
                os.fsync(handle.fileno())
            os.replace(aside, path)
            flush_folder(path.parent)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


def content(path: Path) -> bytes:
    """What stands in a file; nothing in a pipe that nobody writes to, in place of waiting for ever.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb", opener=_without_waiting) as handle:
        return handle.read()


def _without_waiting(path: str, flags: int) -> int:
    handle = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(handle, True)  # whoever writes to it is waited for
    return handle


def flush_folder(folder: Path) -> None:
    """A new name in a folder is on the disk: what is committed afterwards may rely on it."""
    if os.name == "nt":  # folders cannot be opened there
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
