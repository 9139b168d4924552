"""Looks one after another: while one is made, the files of the next are already being read, where they are far away.

In: inspected scenes and a window. Out: looks, in the order of the scenes. Refuses to know what becomes of them.

What is read ahead goes to the blocks and nowhere else. A file that could not be read after all attempts is not tried
again when its look is made: it fails there, loudly, by what was said then. So looks are the same with it and without,
and a file is tried as often as the profile says.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from numpy.typing import NDArray

from pipeline.config import Profile
from pipeline.errors import ReadError, SceneError
from pipeline.grid import Granule, Window
from pipeline.scenes import digital, look, together
from pipeline.scenes.blocks import Reader
from pipeline.scenes.files import Header
from pipeline.schema import Inspected, Look, Part


def read_looks(scenes: Sequence[Inspected], window: Window, *, store: Reader, profile: Profile) -> Iterator[Look]:
    """Read scenes on one window; arguments, looks and errors are those of `look.read_look`."""
    begun: dict[str, Future[ReadError | None]] = {}
    try:
        for inspected, following in zip_longest(scenes, scenes[1:]):
            tried = _Tried(store, {href: err for href, done in begun.items() if (err := done.result())})
            if following:
                begun = _begun(following, look.touched(following, window, profile.mask), store)
            yield look.read_look(inspected, window, store=tried, profile=profile)
            wait(begun.values())
    finally:
        wait(begun.values())  # nobody reads any more when the last look is done


def _begun(inspected: Inspected, around: Window, store: Reader) -> dict[str, Future[ReadError | None]]:
    """What is being read, by href."""
    return {
        asset.href: _pool().submit(_fetch, part, inspected.scene.granule, around, name, store)
        for part, offset in zip(inspected.scene.parts, inspected.offsets, strict=True)
        if together.far(part)
        for name in look.names_of(verified=offset.verified)
        if (asset := part.asset(name)) is not None
    }


def _fetch(part: Part, granule: Granule, around: Window, name: str, store: Reader) -> ReadError | None:
    """What made a file unreadable; whatever else is wrong will be wrong again when the look is made."""
    with contextlib.suppress(SceneError, OSError):
        try:
            digital.read_band(part, granule, around, name, store)
        except ReadError as err:
            return err
    return None


@dataclass(frozen=True, slots=True)
class _Tried:
    """A reader that tries no file again which could not be read just now; all else is done by another."""

    reader: Reader
    failed: Mapping[str, ReadError]

    def header(self, href: str, signer: str) -> Header:
        if href in self.failed:
            raise self.failed[href]
        return self.reader.header(href, signer)

    def read(self, href: str, signer: str, window: Window) -> NDArray[Any]:
        return self.reader.read(href, signer, window)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """Beside that of `together`: what is needed now waits for nothing that is needed later."""
    return ThreadPoolExecutor(len(look.names_of(verified=True)), thread_name_prefix="ahead")
