"""What lies in the scratch folder while the tiles of a night are worked off, on real files of many blocks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from pipeline import config, grid
from pipeline.depot import Folder
from pipeline.errors import ReadError
from pipeline.grid import Tile, Window
from pipeline.ledger import database
from pipeline.nightly import evict, run, state, task, workers
from pipeline.nightly.task import TileJob
from pipeline.notify.groups import NOBODY
from pipeline.scenes import look
from pipeline.scenes.blocks import BlockStore
from pipeline.schema import Asset, Inspected, Offset, Part, Scene, Shift
from tests.nightly.planted import World

GRANULE = grid.granule("31UDS")
AT = (1024, 2048)
"""Where the files begin on the granule."""
SIDE, BLOCK, TILE, HALO = 2048, 256, 512, 32
BLOCKS = (SIDE // BLOCK) ** 2
SHARP, COARSE = ("B02", "B03", "B04", "B08"), ("B11", "B12", "SCL")
DECODED = BLOCKS * len(SHARP) + BLOCKS // 4 * len(COARSE)
"""Blocks of the files of a scene."""
PROFILE = config.Profile(title="test", use="research", search=config.Search(catalogs=("test",)))


def write(path: Path, side: int) -> Asset:
    step = SIDE // side
    corner = (GRANULE.left_m + 10 * AT[1], GRANULE.top_m - 10 * AT[0])
    place = rasterio.Affine(10 * step, 0, corner[0], 0, -10 * step, corner[1])
    profile = {"driver": "COG", "blocksize": BLOCK, "overviews": "NONE", "nodata": 0, "dtype": "uint16", "count": 1}
    with rasterio.open(path, "w", height=side, width=side, crs=f"EPSG:{GRANULE.epsg}", transform=place, **profile) as f:
        f.write(np.full((side, side), 4, np.uint16), 1)
    return Asset(str(path))


def inspected(folder: Path, day: int) -> Inspected:
    here = folder / f"scene{day}"
    here.mkdir(parents=True)
    assets = tuple((band, write(here / f"{band}.tif", SIDE if band in SHARP else SIDE // 2)) for band in SHARP + COARSE)
    part = Part(here.name, "test", "sentinel-2-l2a", "", "02.00", None, None, assets)
    scene = Scene(here.name, "", GRANULE, datetime(2024, 6, day, tzinfo=UTC), None, None, None, (part,), (here.name,))
    return Inspected(scene, (Offset(0, "baseline", ""),), Shift(0.0, 0.0, False, ""))


def make_jobs(folder: Path, history: tuple[Inspected, ...], new: tuple[Inspected, ...]) -> list[TileJob]:
    corners = [(row, col) for row in range(0, SIDE, TILE) for col in range(0, SIDE, TILE)]
    windows = [Window(AT[0] + row, AT[1] + col, TILE, TILE) for row, col in corners]
    return [
        TileJob(
            tile=Tile(GRANULE, window, grid.box(*GRANULE.window_bounds(window))),
            profile=PROFILE,
            as_of=date(2024, 7, 1),
            anchor=date(2024, 7, 1),
            history=history,
            new=new,
            weights=folder,
            store=state.Store(Folder(folder / "state")),
            scratch=folder / "scratch",
            crops=Folder(folder / "scratch" / "crops"),
            before="",
        )
        for window in windows
    ]


def read(job: TileJob) -> int:
    """What a task reads, and no more; how many blocks it decoded."""
    store = BlockStore(job.scratch, job.profile.read)
    for scene in (*job.history, *job.new):
        look.read_look(scene, task.around(job.tile, HALO), store=store, profile=job.profile)
    return store.stats.blocks_decoded


def fail_in_the_middle(job: TileJob) -> int:
    decoded = read(job)
    if job.tile.key.endswith("r01536_c02560"):
        raise ReadError("gone")
    return decoded


def kept(scratch: Path) -> set[Path]:
    return set(scratch.glob("*/*.block"))


def touched(jobs: list[TileJob], scratch: Path) -> set[Path]:
    """Every block that these tiles touch, told by decoding them in a folder of their own."""
    for job in jobs:
        read(replace(job, scratch=scratch))
    return kept(scratch)


@dataclass
class Record:
    """Lets an eviction hear of each job, and looks into the folder after it."""

    eviction: evict.Eviction
    scratch: Path
    after: list[set[Path]] = field(default_factory=list)

    def done(self, job: TileJob) -> None:
        self.eviction.done(job)
        self.after.append(kept(self.scratch))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Inspected, Inspected]:
    folder = tmp_path_factory.mktemp("scenes")
    return inspected(folder, 1), inspected(folder, 2)


@pytest.fixture
def jobs(tmp_path: Path, scenes: tuple[Inspected, Inspected]) -> list[TileJob]:
    return make_jobs(tmp_path, (), scenes[:1])


@pytest.fixture
def record(jobs: list[TileJob]) -> Record:
    scratch = jobs[0].scratch
    scratch.mkdir()
    return Record(evict.Eviction(jobs, BlockStore(scratch, PROFILE.read), halo_px=HALO), scratch)


def test_done_keeps_the_blocks_that_a_tile_to_come_shares_and_no_other(
    jobs: list[TileJob], record: Record, tmp_path: Path
) -> None:
    workers.InProcess().run(read, jobs[:6], label="tiles", done=record.done)
    past, coming = (touched(part, tmp_path / name) for part, name in ((jobs[:6], "past"), (jobs[6:], "coming")))
    shared = {path.relative_to(tmp_path / "past") for path in past}
    shared &= {path.relative_to(tmp_path / "coming") for path in coming}
    assert {path.relative_to(record.scratch) for path in record.after[-1]} == shared


def test_done_decodes_each_block_once_and_never_keeps_half_of_them(
    jobs: list[TileJob], scenes: tuple[Inspected, Inspected], record: Record
) -> None:
    both = [replace(job, history=scenes[1:]) for job in jobs]
    record.eviction = evict.Eviction(both, BlockStore(record.scratch, PROFILE.read), halo_px=HALO)
    outcomes = workers.InProcess().run(read, both, label="tiles", done=record.done)
    assert sum(outcome.result or 0 for outcome in outcomes) == 2 * DECODED
    assert max(len(files) for files in record.after) < 0.5 * 2 * DECODED
    assert list(record.scratch.rglob("*")) == []


def test_done_after_a_failed_tile_lets_go_of_its_blocks_too(jobs: list[TileJob], record: Record) -> None:
    outcomes = workers.InProcess().run(fail_in_the_middle, jobs, label="tiles", done=record.done)
    assert [bool(outcome.error) for outcome in outcomes].count(True) == 1
    assert list(record.scratch.rglob("*")) == []


def test_done_of_files_that_were_never_opened_does_nothing(jobs: list[TileJob], record: Record) -> None:
    for job in jobs:
        record.done(job)
    assert record.after[-1] == set()


def test_done_of_a_scene_that_only_some_tiles_read_keeps_it_for_these(
    tmp_path: Path, scenes: tuple[Inspected, Inspected]
) -> None:
    jobs = make_jobs(tmp_path, (), ())
    jobs = [replace(job, new=scenes[:1] if index in (4, 6, 10) else ()) for index, job in enumerate(jobs)]
    jobs[0].scratch.mkdir()
    record = Record(evict.Eviction(jobs, BlockStore(jobs[0].scratch, PROFILE.read), halo_px=HALO), jobs[0].scratch)
    outcomes = workers.InProcess().run(read, jobs, label="tiles", done=record.done)
    assert sum(outcome.result or 0 for outcome in outcomes) == len(touched(jobs, tmp_path / "apart"))
    # the tiles share no block of a 10 m file, but at 20 m a block is twice as wide
    assert [bool(files) for files in record.after] == [4 <= index < 10 for index in range(16)]


def test_eviction_lets_go_of_scenes_that_no_tile_reads(
    jobs: list[TileJob], scenes: tuple[Inspected, Inspected]
) -> None:
    store = BlockStore(jobs[0].scratch, PROFILE.read)
    read_one, passed_over = (scene.scene.parts[0].assets[0][1].href for scene in scenes)
    for href in (read_one, passed_over):
        store.read(href, "", Window(0, 0, 10, 10))
    (store.folder / "items.json").touch()
    evict.Eviction(jobs, store, halo_px=HALO)
    assert len(kept(store.folder)) == 1
    assert store.kept_header(passed_over) is None
    assert (store.folder / "items.json").exists()


@dataclass
class Looking:
    """Workers that look into the scratch folder after each tile."""

    scratch: Path
    kept: list[int] = field(default_factory=list)
    """Files of decoded blocks."""

    def run(
        self, task: Callable[[Any], Any], jobs: Sequence[Any], *, label: str, done: Callable[[Any], None] | None = None
    ) -> list[workers.Outcome[Any, Any]]:
        def look(job: Any) -> None:
            if done:
                done(job)
                self.kept.append(len(list(self.scratch.glob("*/*.block"))))

        return workers.InProcess().run(task, jobs, label=label, done=look)


def test_nightly_lets_go_of_the_last_block_with_the_last_tile(
    world: World, make_home: Callable[..., run.Home], local: run.Options
) -> None:
    place = make_home(tiles={"size_px": 256})
    place.state.mkdir()
    crew = Looking(place.state / "scratch" / "planted-world")
    with database.opened(place.ledger) as ledger:
        (report,) = run._nights(place, world.nights[:1], run.checked(place, local), (crew, ledger, NOBODY))
    assert report.counts is not None
    assert len(crew.kept) == report.counts["tiles"] > 1
    assert crew.kept[0] > 0
    assert crew.kept[-1] == 0


@pytest.mark.slow
def test_done_on_two_workers_decodes_each_block_once(jobs: list[TileJob], record: Record, tmp_path: Path) -> None:
    with workers.connect(None, workers=2, scratch=tmp_path / "dask") as crew:
        outcomes = crew.run(read, jobs, label="tiles", done=record.done)
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    assert sum(outcome.result or 0 for outcome in outcomes) == DECODED
    assert list(record.scratch.rglob("*")) == []
