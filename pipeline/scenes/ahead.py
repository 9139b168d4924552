"""Looks one after another: while one is made, the files of the next are already being read, where they are far away.

In: inspected scenes and a window. Out: looks, in the order of the scenes. Refuses to know what becomes of them.

What is read ahead goes to the blocks and nowhere else, and what fails there fails again, and loudly, when the look is
made: so looks are the same with it and without.
"""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache
from itertools import zip_longest

from pipeline.config import Profile
from pipeline.errors import ReadError, SceneError
from pipeline.grid import Granule, Window
from pipeline.scenes import digital, look, together
from pipeline.scenes.blocks import BlockStore
from pipeline.schema import Inspected, Look, Part
from pipeline.sensors import SENTINEL2

_NAMES = (*(band.name for band in SENTINEL2.bands), SENTINEL2.classes.name)


def read_looks(scenes: Sequence[Inspected], window: Window, *, store: BlockStore, profile: Profile) -> Iterator[Look]:
    """Read scenes on one window; arguments, looks and errors are those of `look.read_look`."""
    begun: list[Future[None]] = []
    try:
        for inspected, following in zip_longest(scenes, scenes[1:]):
            if following:
                begun = _begun(following, look.touched(following, window, profile.mask), store)
            yield look.read_look(inspected, window, store=store, profile=profile)
            wait(begun)
    finally:
        wait(begun)  # nobody reads any more when the last look is done


def _begun(inspected: Inspected, around: Window, store: BlockStore) -> list[Future[None]]:
    return [
        _pool().submit(_fetch, part, inspected.scene.granule, around, name, store)
        for part in inspected.scene.parts
        if together.far(part)
        for name in _NAMES
    ]


def _fetch(part: Part, granule: Granule, around: Window, name: str, store: BlockStore) -> None:
    with contextlib.suppress(ReadError, SceneError, OSError):
        digital.read_band(part, granule, around, name, store)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """Beside that of `together`: what is needed now waits for nothing that is needed later."""
    return ThreadPoolExecutor(len(_NAMES), thread_name_prefix="ahead")
