"""Scenes of real files for the tests: written here, served on loopback, or taken from the real data."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import rasterio
import uvicorn
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from pipeline import config, grid
from pipeline.grid import Granule
from pipeline.scenes import sign
from pipeline.scenes.blocks import BlockStore
from pipeline.schema import Asset, Part, Scene

QUICK = config.Read(attempts=4, retry_delay_s=0.01, timeout_s=5)
STALL_S = 4
"""A stalled answer comes so late."""
COMMON = {"B02": "blue", "B03": "green", "B04": "red", "B08": "nir", "B11": "swir16", "B12": "swir22", "SCL": "scl"}


@pytest.fixture
def granule() -> Granule:
    return grid.granule("31UDS")


@pytest.fixture
def profile() -> config.Profile:
    return config.Profile(title="test", use="research", search=config.Search(catalogs=("test",)), read=QUICK)


@pytest.fixture
def store(tmp_path: Path) -> BlockStore:
    return BlockStore(tmp_path / "blocks", QUICK)


@dataclass
class Writer:
    """Writes files on a granule grid and scenes of such files."""

    folder: Path
    granule: Granule

    def file(
        self, name: str, values: NDArray[Any], *, at: tuple[int, int] = (0, 0), step: int = 1, **options: Any
    ) -> Path:
        """A COG whose upper left corner is at 10 m pixel `at` of the granule."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        left, top = self.granule.left_m + 10 * at[1], self.granule.top_m - 10 * at[0]
        settings: dict[str, Any] = {
            "driver": "COG",
            "crs": f"EPSG:{self.granule.epsg}",
            "transform": rasterio.Affine(10 * step, 0, left, 0, -10 * step, top),
            "nodata": 0,
            "blocksize": 256,
            "overviews": "NONE",
        } | options
        if settings["driver"] != "COG":
            del settings["blocksize"], settings["overviews"]
        height, width = values.shape
        with rasterio.open(path, "w", height=height, width=width, count=1, dtype=values.dtype, **settings) as file:
            file.write(values, 1)
        return path

    def part(self, bands: dict[str, NDArray[Any]], *, at: tuple[int, int] = (0, 0), **facts: Any) -> Part:
        """A part with a file per band; bands of half the size of B02 are 20 m files."""
        name = facts.get("item_id", "item")
        assets = []
        for band, values in bands.items():
            step = 2 if values.shape[0] < bands["B02"].shape[0] else 1
            assets.append((band, Asset(str(self.file(f"{name}/{band}.tif", values, at=at, step=step)))))
        settings: dict[str, Any] = {
            "item_id": name,
            "catalog": "test",
            "collection": "sentinel-2-l2a",
            "datastrip": "",
            "baseline": "02.00",
            "generated": None,
            "offset_hint": None,
        }
        return Part(**(settings | facts), assets=tuple(assets))

    def scene(self, *parts: Part) -> Scene:
        return scene_of(parts, self.granule, datetime(2024, 6, 1, 10, 50, tzinfo=UTC))


def scene_of(parts: tuple[Part, ...], granule: Granule, sensed: datetime) -> Scene:
    names = tuple(part.item_id for part in parts)
    return Scene(names[0], "", granule, sensed, None, None, None, parts, names)


@pytest.fixture
def writer(tmp_path: Path, granule: Granule) -> Writer:
    return Writer(tmp_path / "files", granule)


@pytest.fixture
def series(shared_data: Path) -> Callable[[str], dict[str, Scene]]:
    """Scenes of a real series, by day like `20180728`."""

    def load(site: str) -> dict[str, Scene]:
        folder = shared_data / "series" / site
        found = {}
        for item in json.loads((folder / "items.json").read_text())["features"]:
            assets = {key: str(folder / asset["href"]) for key, asset in item["assets"].items()}
            part = Part(
                item["id"],
                "test",
                item["collection"],
                "",
                item["properties"]["s2:processing_baseline"],
                None,
                None,
                tuple((band, Asset(assets[common])) for band, common in COMMON.items() if common in assets),
            )
            sensed = datetime.fromisoformat(item["properties"]["datetime"]).astimezone(UTC)
            granule = grid.granule(item["properties"]["grid:code"].removeprefix("MGRS-"))
            found[f"{sensed:%Y%m%d}"] = scene_of((part,), granule, sensed)
        return found

    return load


@dataclass
class Server:
    """A real HTTP server on loopback: ranges of files, a token service, and faults on demand."""

    folder: Path
    faults: list[str] = field(default_factory=list)
    """Each is the fate of one GET of a file, in order: a status, `truncate`, `drop`, `stall`, or empty for none."""
    expiries: list[datetime] = field(default_factory=list)
    """Ends of the tokens to hand out, in order; the last one stays."""
    valid: str = ""
    """If set, files are for those with this token only."""
    log: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path, query."""
    url: str = ""
    tokens: int = 0

    async def file(self, request: Request) -> Any:
        self.log.append((request.method, request.url.path, request.url.query))
        if self.valid and f"sig={self.valid}" not in request.url.query:
            return Response(status_code=403)
        path = self.folder / request.path_params["path"]
        fault = self.faults.pop(0) if self.faults and request.method == "GET" else ""
        if fault == "stall":
            await asyncio.sleep(STALL_S)
            return FileResponse(path)
        if fault.isdigit():
            return Response(status_code=int(fault))
        return _Cut(path, fault) if fault else FileResponse(path)

    async def token(self, request: Request) -> Response:
        self.log.append((request.method, request.url.path, ""))
        self.tokens += 1
        expiry = self.expiries.pop(0) if len(self.expiries) > 1 else self.expiries[0]
        ends = f"{expiry:%Y-%m-%dT%H:%M:%SZ}"
        return JSONResponse({"msft:expiry": ends, "token": f"se={ends}&sig=t{self.tokens}"})


class _Cut:
    """An answer that breaks off in the middle of the body."""

    def __init__(self, path: Path, fault: str) -> None:
        self.path, self.fault = path, fault

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        size = self.path.stat().st_size
        wanted = dict(scope["headers"]).get(b"range", b"bytes=0-").decode().removeprefix("bytes=").split("-")
        start, end = int(wanted[0]), min(int(wanted[1] or size - 1), size - 1)
        body = self.path.read_bytes()[start : end + 1]
        headers = [
            (b"content-length", str(len(body)).encode()),
            (b"content-range", f"bytes {start}-{end}/{size}".encode()),
        ]
        await send({"type": "http.response.start", "status": 206, "headers": headers})
        kept = body[: len(body) // 2] if self.fault == "truncate" else b""
        await send({"type": "http.response.body", "body": kept, "more_body": False})


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    folder = tmp_path / "files"
    folder.mkdir(exist_ok=True)
    served = Server(folder)
    routes = [
        Route("/token/{account}/{container}", served.token),
        Route("/{path:path}", served.file, methods=["GET", "HEAD"]),
    ]
    listener = socket.create_server(("127.0.0.1", 0))
    served.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    running = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="critical", ws="none", lifespan="off"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    monkeypatch.setattr(sign, "_tokens", {})
    yield served
    running.should_exit = True
    thread.join(10)
    listener.close()
