"""Blocks: every block of a file is fetched and decoded once per machine, windows are served from what is kept.

In: hrefs and windows in file pixels. Out: digital numbers as they stand in the file. Refuses to know bands, grids
and what the numbers mean.

Halos make neighbouring tiles need the same blocks again, and with a small GDAL cache each of them would be decoded
up to a dozen times. So a decoded block is written to a folder that all workers of a machine share (under a
lock), and every window is cut out of these files, but for what was decoded just now. Who knows what will still be read
tells the store what it need not keep (`release`, `forget`); a block that is asked for again is decoded again.
"""

import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline import config
from pipeline.grid import Window
from pipeline.scenes import files, handles, kept, layout
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


class Reader(Protocol):
    """Serves what stands in files; errors of both are those of `BlockStore`."""

    def header(self, href: str, signer: str) -> Header:
        """What the file says about itself."""

    def read(self, href: str, signer: str, window: Window) -> NDArray[Any]:
        """(y, x): the digital numbers of a window, in pixels of the file."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """A window of a file that is being put together."""

    folder: str
    """Where the blocks of the file are kept."""
    header: Header
    window: Window
    values: NDArray[Any]

    def path(self, key: layout.Key) -> str:
        return f"{self.folder}/{kept.name(key)}"

    def copied(self, key: layout.Key) -> bool:
        """Copy what the window sees of a block; False if it is not kept."""
        extent = layout.extent(self.header, [key])
        part = extent.clipped(self.window)
        try:
            kept.copy_part(self.path(key), extent, part, self.values[part.within(self.window)])
        except FileNotFoundError:
            return False
        return True

    def decoded(self, dataset: Any, pieces: list[list[layout.Key]]) -> int:
        """Decode rectangles of blocks, keep the blocks, and copy what the window sees; number of bytes decoded."""
        size = 0
        for piece in pieces:
            extent = layout.extent(self.header, piece)
            values = files.read_window(dataset, extent)
            for key in piece:
                kept.save(self.path(key), values[layout.extent(self.header, [key]).within(extent)])
            seen = extent.clipped(self.window)
            self.values[seen.within(self.window)] = values[seen.within(extent)]
            size += values.nbytes
        return size


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
        self._headers: dict[str, Header] = {}

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
        known = self.kept_header(href)
        if known is not None:
            return known
        folder = self._made(href)
        with kept.locked([f"{folder}/header.lock"]):
            known = self.kept_header(href)
            if known is None:
                known = self._headers[href] = self._attempt(href, signer, files.read_header)
                text = json.dumps(asdict(known))
                kept.write_aside(f"{folder}/header.json", lambda file: file.write(text.encode()))
        return known

    def kept_header(self, href: str) -> Header | None:
        """What the file says about itself, if it was ever opened here; opens nothing."""
        known = self._headers.get(href)
        if known is None:
            path = self._folder(href) / "header.json"
            known = _parse_header(path.read_text()) if path.exists() else None
            if known is not None:
                self._headers[href] = known
        return known

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
        cut = _Cut(str(self._folder(href)), header, window, np.empty(window.shape, header.dtype))
        keys = layout.keys(header, window)
        missing = [key for key in keys if not cut.copied(key)]
        if missing:
            self._fetch(href, signer, cut, missing)
        self._count(blocks_served=len(keys))
        return cut.values

    def forget(self, hrefs: Iterable[str]) -> None:
        """Delete what is kept of these files; nobody may be reading them."""
        for href in hrefs:
            self._headers.pop(href, None)
            shutil.rmtree(self._folder(href), ignore_errors=True)

    def forget_others(self, hrefs: Iterable[str]) -> None:
        """Delete what is kept of all files but these; nobody may be reading those."""
        named = {self._folder(href) for href in hrefs}
        self._headers.clear()
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
            path = self._folder(href) / kept.name(key)
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.lock").unlink(missing_ok=True)

    def trim(self, most_bytes: int) -> None:
        """Delete the blocks that were decoded first, until the others take up no more than so many bytes."""
        found = sorted(
            ((stat := path.stat()).st_mtime_ns, path, stat.st_size) for path in self.folder.glob(f"*/*{kept.SUFFIX}")
        )
        left = sum(size for *_, size in found)
        for _, path, size in found:
            if left <= most_bytes:
                return
            path.unlink(missing_ok=True)
            left -= size

    def _folder(self, href: str) -> Path:
        return self.folder / hashlib.sha256(href.encode()).hexdigest()[:32]

    def _made(self, href: str) -> Path:
        folder = self._folder(href)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _count(self, **more: int) -> None:
        with _count_lock:
            self._stats = replace(self._stats, **{name: getattr(self._stats, name) + by for name, by in more.items()})

    def _attempt(self, href: str, signer: str, work: Callable[[Any], T]) -> T:
        return files.attempt(href, signer, work, rules=self.rules, clock=self._clock, count=self._count)

    def _fetch(self, href: str, signer: str, cut: _Cut, missing: list[layout.Key]) -> None:
        """Decode and keep the blocks that nobody else has kept meanwhile, and cut what is wanted of all."""
        self._made(href)
        # always in the same order, so that two workers never wait for each other
        with kept.locked(f"{cut.path(key)}.lock" for key in sorted(missing)):
            for group in layout.rectangles([key for key in missing if not cut.copied(key)]):
                # far away a rectangle is one request; here one block at a time stays in the CPU's cache till it is kept
                pieces = [group] if handles.far(href) else [[key] for key in group]
                size = self._attempt(href, signer, partial(cut.decoded, pieces=pieces))
                self._count(reads=1, blocks_decoded=len(group), bytes_decoded=size)


def _parse_header(text: str) -> Header:
    values = json.loads(text)
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Header(**(values | lists))
