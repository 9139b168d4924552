"""Reading over HTTP: a real server on loopback that answers late and slowly, as an archive far away does.

In: the granule. Out: lines, by the wall clock. Every answer waits 50 ms, every connection carries 25 MB/s at most.
"""

import itertools
import shutil
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import rasterio

from benchmarks import bars
from benchmarks.bars import Line
from benchmarks.material import BLOCK_PX, Material
from benchmarks.reading import ADDED_DN, HALO_PX
from benchmarks.side_by_side import Row, compare
from pipeline.config import Profile, Read, Search
from pipeline.grid import Window
from pipeline.scenes import ahead, look
from pipeline.scenes.blocks import BlockStore
from pipeline.schema import Inspected, Offset, Part, Scene, Shift
from pipeline.sensors import BANDS

DELAY_S = 0.05
BYTES_PER_S = 25e6
_PIECE = 1 << 18


@dataclass
class Counts:
    """What the server was asked."""

    requests: int = 0
    connections: int = 0
    sent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *, requests: int = 0, connections: int = 0, sent: int = 0) -> None:
        """More of each."""
        with self.lock:
            self.requests += requests
            self.connections += connections
            self.sent += sent


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, Counts]]:
    """A folder over HTTP/1.1 with ranges, late and slow; its URL, ending in a slash, and what it was asked."""
    counts = Counts()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            counts.add(connections=1)
            super().setup()

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            counts.add(requests=1)
            time.sleep(DELAY_S)
            path = folder / self.path.lstrip("/").partition("/")[2]  # the first part only makes GDAL forget
            if not path.is_file():
                self.send_error(404)
                return
            size = path.stat().st_size
            first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last or size - 1), size - 1)
            self.send_response(206 if "Range" in self.headers else 200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(end - start + 1))
            if "Range" in self.headers:
                self.send_header("Content-Range", f"bytes {start}-{end}/{size}")
            self.end_headers()
            if body:
                self._send(path, start, end + 1)

        def _send(self, path: Path, start: int, end: int) -> None:
            with path.open("rb") as file:
                file.seek(start)
                while start < end:
                    began = time.perf_counter()
                    piece = file.read(min(_PIECE, end - start))
                    self.wfile.write(piece)
                    start += len(piece)
                    counts.add(sent=len(piece))
                    time.sleep(max(0.0, len(piece) / BYTES_PER_S - (time.perf_counter() - began)))

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A reader that hangs up is no error."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=socketserver.BaseServer.serve_forever, args=(server,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", counts
        server.shutdown()
        thread.join()


def lines(material: Material, folder: Path, *, quick: bool) -> Iterator[Line]:
    """One tile in the middle, against bare rasterio, which reads the same blocks band after band."""
    place = material.side_px // 2 // BLOCK_PX * BLOCK_PX
    tile = Window(place, place, BLOCK_PX, BLOCK_PX).grown(HALO_PX)
    with served(material.folder.resolve()) as (url, counts):
        rounds = itertools.count()

        def fresh() -> Part:
            return material.part(-1, base=f"{url}{next(rounds)}/")

        def ours() -> None:
            store = _fresh(folder / "remote")
            look.read_bands(fresh(), ADDED_DN, material.granule, tile, store)

        def theirs() -> None:
            for band, asset in fresh().assets:
                if band in BANDS:
                    with rasterio.Env(**_PLAIN), rasterio.open(asset.href) as source:
                        step = round(source.res[0] / 10)
                        window = ((tile.row // step, (tile.row + tile.height) // step),) * 2
                        source.read(1, window=window)

        row = compare("remote", ours, theirs, rounds=3 if quick else 7, clock="wall")
        note = f"{1000 * DELAY_S:.0f} ms an answer, {BYTES_PER_S / 1e6:.0f} MB/s a connection"
        yield bars.told("a tile over HTTP / bare rasterio, band after band", row, note)
        store, part = _fresh(folder / "remote"), fresh()
        beside = replace(tile, col=tile.col + BLOCK_PX)
        values = [
            _asked(counts, partial(look.read_bands, part, ADDED_DN, material.granule, window, store))
            for window in (tile, beside)
        ]
        row = _ahead(material, (tile, beside), lambda: f"{url}{next(rounds)}/", folder / "ahead", quick=quick)
    yield bars.told("four looks of these two tiles, the next read ahead / one after another", row, note)
    least = "a HEAD and a header for each of six files, and one range for each row of blocks"
    yield bars.fact("", "requests of that tile, nothing known of the files", values[0], note=least)
    yield bars.fact("", "requests of the tile east of it", values[1], note="one range for each row of blocks")


def _ahead(material: Material, tiles: Sequence[Window], base: Callable[[], str], folder: Path, *, quick: bool) -> Row:
    """Four scenes on each tile, as a normal is built of them."""
    profile = Profile(title="benchmark", use="research", search=Search(catalogs=("none",)))

    def scenes() -> list[Inspected]:
        sensed, still = datetime(2022, 3, 1, tzinfo=UTC), Shift(0.0, 0.0, False, "given")
        found = []
        for number in (-4, -3, -2, -1):
            part = material.part(number, base=base())
            scene = Scene(str(number), "", material.granule, sensed, None, None, None, (part,), (part.item_id,))
            found.append(Inspected(scene, (Offset(ADDED_DN, "given", ""),), still))
        return found

    def ours() -> None:
        store, known = _fresh(folder), scenes()
        for tile in tiles:
            for _ in ahead.read_looks(known, tile, store=store, profile=profile):
                pass

    def plain() -> None:
        store, known = _fresh(folder), scenes()
        for tile in tiles:
            for scene in known:
                look.read_look(scene, tile, store=store, profile=profile)

    return compare("ahead", ours, plain, rounds=3 if quick else 7, clock="wall")


def _fresh(folder: Path) -> BlockStore:
    shutil.rmtree(folder, ignore_errors=True)
    return BlockStore(folder, Read())


def _asked(counts: Counts, work: Callable[[], object]) -> str:
    requests, connections, sent = counts.requests, counts.connections, counts.sent
    work()
    return (
        f"{counts.requests - requests} requests on {counts.connections - connections} new connections, "
        f"{(counts.sent - sent) / 1e6:.1f} MB"
    )


_PLAIN = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif"}
