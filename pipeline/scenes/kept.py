"""Kept blocks: how a decoded block lies on the disk.

In: paths and arrays. Out: parts of them. Refuses to know hrefs and how blocks are decoded.

The pixels alone, row by row, written aside and renamed: a reader sees all of a block or nothing. Parts are read, not
mapped: a system call costs less than the page faults, and the buffer they pass through stays in the CPU's cache.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.grid import Window

SUFFIX = ".block"
_buffers = threading.local()


def name(key: tuple[int, int]) -> str:
    """The file of a block in the folder of its file, by row and column."""
    return f"{key[0]}_{key[1]}{SUFFIX}"


def save(path: str, block: NDArray[Any]) -> None:
    """Keep a block; (y, x) of any type."""
    whole = np.ascontiguousarray(block)  # rows of a larger array would be written number by number
    write_aside(path, whole.tofile)


def copy_part(path: str, extent: Window, part: Window, out: NDArray[Any]) -> None:
    """Copy a part of a kept block.

    Args:
        path: of the block.
        extent: what the block covers, in pixels of the file.
        part: inside it.
        out: (y, x) of the part's shape and the block's type; filled.

    Raises:
        FileNotFoundError: the block is not kept.
    """
    place = os.open(path, os.O_RDONLY)
    try:
        rows = _buffer(part.height * extent.width * out.itemsize)
        found = os.preadv(place, [rows], (part.row - extent.row) * extent.width * out.itemsize)
    finally:
        os.close(place)
    if found != len(rows):
        raise FileNotFoundError(f"{path}: cut short")
    left = part.col - extent.col
    out[:] = np.frombuffer(rows, out.dtype).reshape(part.height, extent.width)[:, left : left + part.width]


def _buffer(size: int) -> memoryview:
    """Of this thread, used again: fresh memory costs more than the copy."""
    kept: bytearray | None = getattr(_buffers, "kept", None)
    if kept is None or len(kept) < size:
        kept = _buffers.kept = bytearray(size)
    return memoryview(kept)[:size]


def write_aside(path: str, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file under another name and rename it; its folder must be there."""
    aside = f"{path}.{os.getpid()}.{threading.get_ident()}"
    with open(aside, "wb", buffering=0) as file:
        write(file)
    os.replace(aside, path)


@contextmanager
def locked(paths: Iterable[str]) -> Iterator[None]:
    """Hold a lock file each; the system frees them even if this process dies."""
    held: list[int] = []
    try:
        for path in paths:
            held.append(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644))
            flock(held[-1], LOCK_EX)
        yield
    finally:
        for place in held:
            os.close(place)
