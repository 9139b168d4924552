"""Eviction: a decoded block is deleted as soon as no tile that is still to be done can need it.

In: the jobs of a night, then each job that is settled, whether it went well or not. Out: nothing; deletes files below
the scratch folder. Reads no scene.

The bound: a block lies on the disk only while a tile that touches it has begun and one that touches it has not ended.
Tiles run row by row, so of each file that a night reads there are, beside the blocks under the sample windows (at most
9), at most two rows of tiles and one tile for each that is under way, each grown by the halo to whole blocks. Of a
whole granule cut into tiles of one block (1024 px) that is about a quarter, whatever the number of tiles; the more
scenes a night reads, the more a quarter is, so it still grows with the history. Measured on a whole simulated granule
in blocks of 512 px, five scenes on two workers: at most 0.8 GB at a time of the 5.2 GB that the tiles decoded.

Each block is decoded once as long as `look.touched` tells all that a look reads. If it told too little, a block would
be decoded again, and nothing else would change. Runs that are killed leave their scratch folder to the next run, which
deletes it first. All of this is for tasks that share the scratch folder with the driver; `scratch` tells of others.
"""

from collections.abc import Sequence

from pipeline.grid import Window
from pipeline.nightly import task
from pipeline.nightly.task import TileJob
from pipeline.scenes import digital, look
from pipeline.scenes.blocks import BlockStore
from pipeline.schema import Inspected, Scene


class Eviction:
    """Knows which tiles still need what, and lets go of the rest."""

    def __init__(self, jobs: Sequence[TileJob], store: BlockStore, *, halo_px: int) -> None:
        """Let go of what was kept for the plan and what no job needs.

        Args:
            jobs: all tiles of the night.
            store: where their tasks keep blocks.
            halo_px: the network's.
        """
        self._store = store
        self._windows: dict[str, dict[str, Window]] = {}
        """Scene id, then key of each tile that is not done: what it reads, in 10 m pixels of the granule grid."""
        for job in jobs:
            around = task.around(job.tile, halo_px)
            for inspected in _scenes(job):
                reads = look.touched(inspected, around, job.profile.mask)
                self._windows.setdefault(inspected.scene.scene_id, {})[job.tile.key] = reads
        store.forget_others(href for job in jobs for inspected in _scenes(job) for href in _hrefs(inspected.scene))

    def done(self, job: TileJob) -> None:
        """Let go of what only this tile needed; nobody may be at work on it any more."""
        for inspected in _scenes(job):
            scene = inspected.scene
            windows = self._windows[scene.scene_id]
            window = windows.pop(job.tile.key)
            if not windows:
                self._store.forget(_hrefs(scene))
                continue
            for part in scene.parts:
                digital.release(part, scene.granule, window, tuple(windows.values()), self._store)


def _scenes(job: TileJob) -> tuple[Inspected, ...]:
    """Each scene that a job may read, once."""
    return tuple({inspected.scene.scene_id: inspected for inspected in (*job.history, *job.new)}.values())


def _hrefs(scene: Scene) -> list[str]:
    return [asset.href for part in scene.parts for _, asset in part.assets]
