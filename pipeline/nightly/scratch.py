"""Scratch: where a task keeps decoded blocks and looks until it no longer needs them.

In: what a job says of it. Out: a folder, and a store of blocks in it. Knows no scene.

Tasks that share a machine with the driver share the night's scratch folder, and the driver lets go of blocks (`evict`).
Tasks elsewhere have a folder of their worker's own, which goes with the worker: what an earlier night left there is
removed, and of this night's blocks the oldest are, once there are too many. A block that two workers need is decoded by
both.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Read
from pipeline.scenes.blocks import BlockStore

MOST_BYTES = 8_000_000_000
"""Of decoded blocks in a worker's own folder, before a task begins: several tiles of a first night."""


@dataclass(frozen=True, slots=True)
class Own:
    """A folder of the worker's own, for one night of one AOI."""

    night: str


Scratch = Path | Own


def folder(scratch: Scratch) -> Path:
    """The folder of a task; called where it runs."""
    if isinstance(scratch, Path):
        return scratch
    from distributed import get_worker

    own = Path(get_worker().local_directory) / "vanwatch"
    own.mkdir(exist_ok=True)
    for other in own.iterdir():
        if other.name != scratch.night:
            shutil.rmtree(other, ignore_errors=True)
    return own / scratch.night


def store(scratch: Scratch, rules: Read) -> BlockStore:
    """The decoded blocks of a task's machine; in a worker's own folder, not too many."""
    found = BlockStore(folder(scratch), rules)
    if isinstance(scratch, Own):
        found.trim(MOST_BYTES)
    return found
