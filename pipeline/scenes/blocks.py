"""Blocks: every block of a file is fetched and decoded once per machine, windows are served from what is kept.

In: hrefs and windows in file pixels. Out: digital numbers as they stand in the file. Refuses to know bands, grids
and what the numbers mean.

Halos make neighbouring tiles need the same blocks again, and with a small GDAL cache each of them would be decoded
up to a dozen times. So a decoded block is written to a folder that all workers of a machine share (aside, then
renamed, under a lock), and every window is cut out of these files through memory maps. Who knows what will still be
read tells the store what it need not keep (`release`, `forget`); a block that is asked for again is decoded again.
"""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fcntl import LOCK_EX, flock
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline import config
from pipeline.grid import Window
from pipeline.scenes import files, layout
from pipeline.scenes.files import Header

T = TypeVar("T")
_count_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Stats:
    """What a store did in this process."""

    opens: int = 0
    """Files opened, failed attempts included."""
    reads: int = 0
    """Requests for a rectangle of blocks."""
    blocks_decoded: int = 0
    blocks_served: int = 0
    """Blocks that windows touched, kept ones included."""
    bytes_decoded: int = 0
    failed_attempts: int = 0
    """Attempts that failed; most are followed by one that does not."""
    failed_reads: int = 0
    """Reads given up after all attempts, each a `ReadError`."""


class BlockStore:
    """Decodes each block of a file once and serves windows from the kept blocks.

    May be used by several processes and threads with the same folder at once, and travels to other processes with
    its settings but without its counts. A folder serves one night: a file that changes behind its href is not read
    again.
    """

    def __init__(self, folder: Path, rules: config.Read, *, clock: files.Clock = files.utc_now) -> None:
        """Keep blocks under `folder`; `clock` tells the time (UTC) by which tokens end."""
        self.folder = folder
        self.rules = rules
        self._clock = clock
        self._stats = Stats()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.folder, self.rules)

    @property
    def stats(self) -> Stats:
        """Counts of this process since the store was made."""
        return self._stats

    def header(self, href: str, signer: str) -> Header:
        """What the file says about itself; the file is opened for it once per machine.

        Raises:
            ReadError: the file could not be opened after all attempts.
        """
        kept = self._folder(href) / "header.json"
        if not kept.exists():
            with _locked(kept.with_suffix(".lock")):
                if not kept.exists():
                    text = json.dumps(asdict(self._attempt(href, signer, files.read_header)))
                    _write_aside(kept, lambda file: file.write(text.encode()))
        return _parse_header(kept.read_text())

    def kept_header(self, href: str) -> Header | None:
        """What the file says about itself, if it was ever opened here; opens nothing."""
        kept = self._folder(href) / "header.json"
        return _parse_header(kept.read_text()) if kept.exists() else None

    def read(self, href: str, signer: str, window: Window) -> NDArray[Any]:
        """The digital numbers of a window.

        Args:
            href: unsigned URL, or a path.
            signer: how the href is signed, see `sign.sign`.
            window: in pixels of the file, inside it.

        Returns:
            (y, x) in the file's own type, a copy.

        Raises:
            ReadError: a block could not be read after all attempts.
            ValueError: the window is empty or reaches beyond the file.
        """
        header = self.header(href, signer)
        if window.empty or window.clipped(Window(0, 0, *header.shape)) != window:
            raise ValueError(f"{href}: {window} is empty or not inside the file of shape {header.shape}")
        keys = layout.keys(header, window)
        folder = self._folder(href)
        self._fetch(href, signer, header, [key for key in keys if not _path(folder, key).exists()])
        self._count(blocks_served=len(keys))
        values = np.empty(window.shape, header.dtype)
        for key in keys:
            extent = layout.extent(header, [key])
            part = extent.clipped(window)
            block = self._kept(href, signer, header, key)
            values[part.within(window)] = block[part.within(extent)]
        return values

    def forget(self, hrefs: Iterable[str]) -> None:
        """Delete what is kept of these files; nobody may be reading them."""
        for href in hrefs:
            shutil.rmtree(self._folder(href), ignore_errors=True)

    def forget_others(self, hrefs: Iterable[str]) -> None:
        """Delete what is kept of all files but these; nobody may be reading those."""
        named = {self._folder(href) for href in hrefs}
        for folder in self.folder.iterdir():
            if folder.is_dir() and folder not in named:
                shutil.rmtree(folder, ignore_errors=True)

    def release(self, href: str, window: Window, needed: Iterable[Window]) -> None:
        """Delete the kept blocks that a window touches and that no window in `needed` does.

        Args:
            href: unsigned URL, or a path; opened for nothing.
            window: in pixels of the file, like those of `needed`; all may reach beyond it.
            needed: what will still be read or is being read.
        """
        header = self.kept_header(href)
        if header is None:
            return
        keys = set(layout.keys(header, window))
        for other in needed:
            keys.difference_update(layout.keys(header, other))
        for key in keys:
            path = _path(self._folder(href), key)
            path.unlink(missing_ok=True)
            path.with_suffix(".lock").unlink(missing_ok=True)

    def trim(self, most_bytes: int) -> None:
        """Delete the blocks that were decoded first, until the others take up no more than so many bytes."""
        kept = sorted(((stat := path.stat()).st_mtime_ns, path, stat.st_size) for path in self.folder.glob("*/*_*.npy"))
        left = sum(size for *_, size in kept)
        for _, path, size in kept:
            if left <= most_bytes:
                return
            path.unlink(missing_ok=True)
            left -= size

    def _kept(self, href: str, signer: str, header: Header, key: layout.Key) -> NDArray[Any]:
        """A block that has been fetched; fetched again where it was deleted meanwhile."""
        path = _path(self._folder(href), key)
        try:
            block: NDArray[Any] = np.load(path, mmap_mode="r")
        except FileNotFoundError:
            self._fetch(href, signer, header, [key])
            block = np.load(path, mmap_mode="r")
        return block

    def _folder(self, href: str) -> Path:
        return self.folder / hashlib.sha256(href.encode()).hexdigest()[:32]

    def _count(self, **more: int) -> None:
        with _count_lock:
            counts = asdict(self._stats)
            self._stats = replace(self._stats, **{name: counts[name] + by for name, by in more.items()})

    def _attempt(self, href: str, signer: str, work: Callable[[Any], T]) -> T:
        return files.attempt(href, signer, work, rules=self.rules, clock=self._clock, count=self._count)

    def _fetch(self, href: str, signer: str, header: Header, keys: list[layout.Key]) -> None:
        """Decode and keep the blocks that nobody else has kept meanwhile."""
        if not keys:
            return
        folder = self._folder(href)
        # always in the same order, so that two workers never wait for each other
        with _all_locked([_path(folder, key).with_suffix(".lock") for key in sorted(keys)]):
            missing = [key for key in keys if not _path(folder, key).exists()]
            for group in layout.rectangles(missing):
                extent = layout.extent(header, group)
                values = self._attempt(href, signer, partial(files.read_window, window=extent))
                for key in group:
                    _save(_path(folder, key), values[layout.extent(header, [key]).within(extent)])
                self._count(reads=1, blocks_decoded=len(group), bytes_decoded=values.nbytes)


def _parse_header(text: str) -> Header:
    values = json.loads(text)
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Header(**(values | lists))


def _path(folder: Path, key: layout.Key) -> Path:
    return folder / f"{key[0]}_{key[1]}.npy"


def _save(path: Path, block: NDArray[Any]) -> None:
    whole = np.ascontiguousarray(block)  # numpy writes the rows of a larger array number by number
    _write_aside(path, lambda file: np.save(file, whole))


def _write_aside(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Written under another name and renamed, so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    with aside.open("wb") as file:
        write(file)
    aside.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with _all_locked([path]):
        yield


@contextmanager
def _all_locked(paths: list[Path]) -> Iterator[None]:
    """Hold a lock file each; the system frees them even if this process dies."""
    files = []
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.append(path.open("wb"))
            flock(files[-1], LOCK_EX)
        yield
    finally:
        for file in files:
            file.close()
