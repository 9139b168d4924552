"""Files that stay open between reads, and how few requests that takes over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import ReadError
from pipeline.grid import Window
from pipeline.scenes import handles
from pipeline.scenes.blocks import BlockStore

NOISE = np.random.default_rng(1).integers(1, 60_000, (1024, 1024), np.uint16)


@pytest.fixture(autouse=True)
def nothing_open() -> Iterator[None]:
    handles.close_all()
    yield
    handles.close_all()


def stores(folder: Path, like: BlockStore, count: int) -> list[BlockStore]:
    return [BlockStore(folder / f"night{number}", like.rules) for number in range(count)]


def test_read_of_a_file_by_one_store_after_another_opens_it_once(
    writer: Any, store: BlockStore, tmp_path: Path
) -> None:
    href = str(writer.file("a.tif", NOISE))
    nights = stores(tmp_path, store, 3)
    for night in nights:
        assert np.array_equal(night.read(href, "", Window(200, 200, 300, 300)), NOISE[200:500, 200:500])
    assert [night.stats.opens for night in nights] == [1, 0, 0]


def test_read_of_a_file_that_was_written_again_opens_it_anew(writer: Any, store: BlockStore, tmp_path: Path) -> None:
    one, two = stores(tmp_path, store, 2)
    for night, values in ((one, NOISE), (two, NOISE[::-1, ::-1])):
        href = str(writer.file("a.tif", values))
        assert np.array_equal(night.read(href, "", Window(0, 0, 1024, 1024)), values)
    assert two.stats.opens == 1


def test_left_closes_those_left_longest_ago(writer: Any, store: BlockStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handles, "MOST", 2)
    hrefs = [str(writer.file(f"{name}.tif", NOISE[:256, :256])) for name in "abc"]
    for href in hrefs:
        store.header(href, "")
    assert [handles.taken(handles.key_of(href)) is not None for href in hrefs] == [False, True, True]


def test_read_after_a_fault_does_not_use_the_handle_that_met_it(writer: Any, server: Any, store: BlockStore) -> None:
    writer.file("a.tif", NOISE)
    href = f"{server.url}/a.tif"
    store.header(href, "")
    met = handles.taken(handles.key_of(href))
    handles.left(handles.key_of(href), met)
    server.faults = ["503"] * 200
    with pytest.raises(ReadError):
        store.read(href, "", Window(0, 0, 1024, 1024))
    assert met is not None
    assert met.closed
    server.faults = []
    assert np.array_equal(store.read(href, "", Window(0, 0, 1024, 1024)), NOISE)


def test_read_over_http_asks_for_each_row_of_blocks_once(writer: Any, server: Any, store: BlockStore) -> None:
    whole = np.tile(NOISE, (4, 5))
    writer.file("a.tif", whole, blocksize=1024)
    tile = Window(1024, 1024, 1024, 1024).grown(138)  # three by three blocks: 19 MB, as of a noisy band
    for window, most in ((tile, ["HEAD", *["GET"] * 4]), (Window(tile.row, tile.col + 1024, *tile.shape), ["GET"] * 3)):
        server.log.clear()
        seen = window.clipped(Window(0, 0, *whole.shape))
        assert np.array_equal(
            store.read(f"{server.url}/a.tif", "", seen), whole[seen.within(Window(0, 0, *whole.shape))]
        )
        assert [method for method, *_ in server.log] == most
