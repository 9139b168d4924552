import os
import pickle
import random
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from pipeline import config
from pipeline.errors import ReadError
from pipeline.grid import Window
from pipeline.scenes import blocks, sign
from pipeline.scenes.blocks import BlockStore


def placed(height: int, width: int) -> NDArray[np.uint16]:
    """Pixels that know where they are; never 0."""
    rows, cols = np.mgrid[:height, :width]
    return (1 + rows % 250 * 250 + cols % 250).astype(np.uint16)


WHOLE = placed(1100, 1300)


@pytest.fixture
def href(writer: Any) -> str:
    return str(writer.file("a.tif", WHOLE, compress="deflate"))


@pytest.fixture
def remote(href: str, server: Any) -> str:
    return f"{server.url}/a.tif"


def cut(window: Window) -> NDArray[np.uint16]:
    return WHOLE[window.within(Window(0, 0, *WHOLE.shape))]


@pytest.mark.parametrize("block", [256, 512])
def test_read_any_window_gives_the_pixels_of_that_place(writer: Any, store: BlockStore, block: int) -> None:
    href = str(writer.file("a.tif", WHOLE, blocksize=block))
    for window in (
        Window(0, 0, 1100, 1300),
        Window(255, 255, 2, 2),
        Window(1099, 1299, 1, 1),
        Window(300, 700, 400, 123),
    ):
        assert np.array_equal(store.read(href, "", window), cut(window))
    assert store.header(href, "").block == (block, block)


def test_read_shuffled_tiles_with_halos_decodes_each_block_once(href: str, store: BlockStore) -> None:
    whole = Window(0, 0, *WHOLE.shape)
    tiles = [Window(r, c, 256, 256).grown(100).clipped(whole) for r in range(0, 1100, 256) for c in range(0, 1300, 256)]
    random.Random(1).shuffle(tiles)
    with rasterio.Env(GDAL_CACHEMAX=1):
        for tile in tiles:
            assert np.array_equal(store.read(href, "", tile), cut(tile))
    touched = 5 * 6
    assert store.stats.blocks_decoded / touched == 1.0
    assert store.stats.blocks_served > 4 * touched
    assert store.stats.bytes_decoded == WHOLE.nbytes


def test_read_adjacent_blocks_are_fetched_together(href: str, store: BlockStore) -> None:
    store.read(href, "", Window(0, 0, 600, 600))
    assert (store.stats.blocks_decoded, store.stats.reads) == (9, 1)
    store.read(href, "", Window(0, 0, 800, 800))  # an L of 7 blocks more
    assert (store.stats.blocks_decoded, store.stats.reads) == (16, 3)


@pytest.mark.parametrize(
    ("options", "block"),
    [
        ({"driver": "GTiff"}, (1100, 1300)),
        ({"driver": "GTiff", "blockysize": 7}, (805, 1300)),
        ({"driver": "GTiff", "tiled": True, "blockxsize": 16, "blockysize": 48}, (288, 256)),
        ({"driver": "JP2OpenJPEG", "quality": 100, "reversible": True}, (1024, 1024)),
    ],
    ids=["strips", "odd strips", "small tiles", "jpeg2000"],
)
def test_read_other_layouts_work_too(
    writer: Any, store: BlockStore, options: dict[str, Any], block: tuple[int, int]
) -> None:
    name = "a.jp2" if options["driver"].startswith("JP2") else "a.tif"
    href = str(writer.file(name, WHOLE, **options))
    window = Window(790, 1000, 300, 299)
    assert np.array_equal(store.read(href, "", window), cut(window))
    found = store.header(href, "").block
    assert found[1] == block[1]
    assert abs(found[0] - block[0]) < 300


def test_read_beyond_the_file_is_a_bug_of_the_caller(href: str, store: BlockStore) -> None:
    for window in (Window(1000, 0, 200, 10), Window(-1, 0, 5, 5), Window(0, 0, 0, 5)):
        with pytest.raises(ValueError, match="not inside the file"):
            store.read(href, "", window)


def test_header_is_read_from_the_file_once(href: str, store: BlockStore, granule: Any) -> None:
    header = store.header(href, "")
    assert (header.shape, header.dtype, header.nodata) == (WHOLE.shape, "uint16", 0)
    assert header.crs == f"EPSG:{granule.epsg}"
    Path(href).unlink()
    assert BlockStore(store.folder, store.rules).header(href, "") == header
    assert store.stats.opens == 1


def test_forget_deletes_the_blocks_of_these_files_only(writer: Any, store: BlockStore) -> None:
    hrefs = [str(writer.file(f"{name}.tif", WHOLE[:300, :300])) for name in "ab"]
    for href in hrefs:
        store.read(href, "", Window(0, 0, 300, 300))
    store.forget(hrefs[:1])
    for href in hrefs:
        store.read(href, "", Window(0, 0, 300, 300))
    assert store.stats.blocks_decoded == 8 + 4


@pytest.mark.parametrize("share", [0, 0.5])
def test_read_of_a_kept_block_that_was_cut_short_decodes_it_again(href: str, store: BlockStore, share: float) -> None:
    window = Window(0, 0, 1100, 1300)
    store.read(href, "", window)
    decoded, broken = store.stats.blocks_decoded, sorted(store.folder.glob("*/*.block"))[7]
    os.truncate(broken, int(broken.stat().st_size * share))
    assert np.array_equal(store.read(href, "", window), cut(window))
    assert store.stats.blocks_decoded == decoded + 1
    assert np.array_equal(store.read(href, "", window), cut(window))
    assert store.stats.blocks_decoded == decoded + 1


def test_store_travels_to_other_processes_without_counts(href: str, store: BlockStore) -> None:
    store.read(href, "", Window(0, 0, 10, 10))
    other = pickle.loads(pickle.dumps(store))
    assert (other.folder, other.rules, other.stats) == (store.folder, store.rules, blocks.Stats())


def test_read_by_several_processes_and_threads_decodes_once(href: str, store: BlockStore) -> None:
    code = (
        "import sys, random, threading; from pathlib import Path\n"
        "from pipeline import config; from pipeline.grid import Window; from pipeline.scenes.blocks import BlockStore\n"
        "store = BlockStore(Path(sys.argv[1]), config.Read())\n"
        "rows = list(range(0, 1000, 100)); random.Random(int(sys.argv[3])).shuffle(rows)\n"
        "work = lambda part: [store.read(sys.argv[2], '', Window(r, 0, 100, 1300)) for r in part]\n"
        "threads = [threading.Thread(target=work, args=(rows[i::2],)) for i in (0, 1)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]; print(store.stats.blocks_decoded)"
    )
    command = [sys.executable, "-c", code, str(store.folder), href]
    workers = [subprocess.Popen([*command, str(n)], stdout=subprocess.PIPE, text=True) for n in (1, 2)]
    counts = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(counts) == 4 * 6


def test_read_over_http_uses_ranges(remote: str, server: Any, store: BlockStore) -> None:
    window = Window(200, 200, 300, 300)
    assert np.array_equal(store.read(remote, "", window), cut(window))
    assert 2 <= len(server.log) <= 6
    seen = len(server.log)
    store.read(remote, "", window)
    assert len(server.log) == seen


@pytest.mark.parametrize(
    "faults",
    [["503", "503"], ["", "503", "503", "503", "503"], ["404"], ["truncate"], ["", "truncate"], ["", "drop"], ["drop"]],
    ids=lambda faults: "-".join(fault or "ok" for fault in faults),
)
def test_d11_passing_fault_is_read_again(remote: str, server: Any, store: BlockStore, faults: list[str]) -> None:
    server.faults = faults
    window = Window(0, 0, 1100, 1300)
    assert np.array_equal(store.read(remote, "", window), cut(window))
    assert store.stats.failed_reads == 0


@pytest.mark.parametrize("fault", ["503", "404", "truncate", "drop"])
def test_d11_lasting_fault_is_a_loud_read_error(remote: str, server: Any, store: BlockStore, fault: str) -> None:
    store.header(remote, "")
    server.faults = [fault] * 200
    with pytest.raises(ReadError, match=r"a\.tif: not readable after 4 attempts"):
        store.read(remote, "", Window(0, 0, 1100, 1300))
    assert (store.stats.failed_reads, store.stats.failed_attempts, store.stats.blocks_decoded) == (1, 4, 0)
    server.faults = []
    window = Window(0, 0, 1100, 1300)
    assert np.array_equal(store.read(remote, "", window), cut(window)), "nothing broken may have been kept"


def test_d11_missing_local_file_fails_at_once(tmp_path: Path) -> None:
    slow = BlockStore(tmp_path / "blocks", config.Read(attempts=10, retry_delay_s=60))
    start = time.monotonic()
    with pytest.raises(ReadError, match="no such file; check the href"):
        slow.read(str(tmp_path / "absent.tif"), "", Window(0, 0, 1, 1))
    assert time.monotonic() - start < 5
    assert slow.stats.failed_reads == 1


def test_d11_broken_local_file_is_a_read_error(writer: Any, store: BlockStore) -> None:
    href = writer.file("a.tif", WHOLE, compress="deflate")
    data = href.read_bytes()
    href.write_bytes(data[: len(data) // 2])
    with pytest.raises(ReadError):
        store.read(str(href), "", Window(0, 0, 1100, 1300))


def test_d12_broken_ranges_of_one_read_are_asked_again(remote: str, server: Any, store: BlockStore) -> None:
    store.header(remote, "")
    server.faults = ["503"]
    window = Window(300, 300, 100, 700)
    assert np.array_equal(store.read(remote, "", window), cut(window))
    assert "," not in str(blocks.files._GDAL["GDAL_HTTP_MULTIRANGE"])
    assert blocks.files._GDAL["GDAL_HTTP_MULTIRANGE"] == "SERIAL"


@pytest.mark.parametrize("fault", ["429", "503"])
def test_d12_overloaded_server_is_asked_again_before_an_attempt_counts_as_failed(
    remote: str, server: Any, tmp_path: Path, fault: str
) -> None:
    store = BlockStore(tmp_path / "blocks", config.Read(attempts=1, retry_delay_s=0.01))
    server.faults = [fault]
    assert store.header(remote, "").shape == WHOLE.shape
    assert store.stats.failed_attempts == 0


def test_d12_server_that_stalls_is_left_after_the_timeout(remote: str, server: Any, tmp_path: Path) -> None:
    store = BlockStore(tmp_path / "blocks", config.Read(attempts=1, retry_delay_s=0.01, timeout_s=1))
    server.faults = ["stall"] * 3  # GDAL asks twice more
    with pytest.raises(ReadError, match=r"a\.tif: not readable after 1 attempts"):
        store.header(remote, "")


def test_d10_forbidden_read_is_signed_again_once(
    remote: str, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 5, 27, 12, tzinfo=UTC)
    monkeypatch.setenv(sign.TOKEN_URL_VARIABLE, f"{server.url}/token")
    server.expiries, server.valid = [now + timedelta(hours=1)], "t2"
    rules = config.Read(attempts=4, retry_delay_s=0.01)
    store = BlockStore(tmp_path / "blocks", rules, clock=lambda: now)
    assert np.array_equal(store.read(remote, "planetary-computer", Window(0, 0, 9, 9)), WHOLE[:9, :9])
    assert server.tokens == 2
    server.valid = "t9"  # nobody has this one
    with pytest.raises(ReadError) as caught:
        store.read(remote, "planetary-computer", Window(900, 900, 9, 9))
    assert server.tokens == 3
    assert "sig=" not in str(caught.value)


def test_read_while_another_thread_reads_waits_for_its_blocks(href: str, store: BlockStore) -> None:
    threads = [threading.Thread(target=store.read, args=(href, "", Window(0, 0, 1100, 1300))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.stats.blocks_decoded == 30
