"""The files of a part, read one when it is asked for, or all at once where they are far away.

In: a part and windows. Out: placed digital numbers, band by band. Knows no reflectance.

Over HTTP a read mostly waits, and waits for all files together take no longer than for one.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache

from pipeline.grid import Granule, Window
from pipeline.scenes import digital, handles
from pipeline.scenes.blocks import Reader
from pipeline.scenes.digital import Placed
from pipeline.schema import Part
from pipeline.sensors import SENTINEL2

Finder = Callable[[str], Placed | None]
"""A band by its name; raises what `digital.read_band` raises."""


def finder(
    part: Part, granule: Granule, windows: tuple[Window, Window], store: Reader, names: tuple[str, ...]
) -> Finder:
    """Read the files of a part.

    Args:
        part: names the files.
        granule: the grid on which they lie.
        windows: of the classification, and of the bands, which are larger by what upsampling sees.
        store: decodes and keeps the blocks.
        names: of the bands that will be asked for.
    """

    def read(name: str) -> Placed | None:
        around = windows[name != SENTINEL2.classes.name]
        return digital.read_band(part, granule, around, name, store)

    if not far(part):
        return read
    asked = {name: _pool().submit(read, name) for name in names}
    wait(asked.values())  # also where one fails: nobody reads any more when this look is done
    return lambda name: asked[name].result()


def far(part: Part) -> bool:
    """True if some file of a part is not of this machine."""
    return any(handles.far(asset.href) for _, asset in part.assets)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """One per process: its threads keep their connections."""
    return ThreadPoolExecutor(len(SENTINEL2.bands) + 1, thread_name_prefix="read")
