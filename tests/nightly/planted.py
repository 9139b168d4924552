"""The planted world on disk, and a real HTTP server for its files."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.staticfiles import StaticFiles

from pipeline.ledger import database
from pipeline.ledger.nights import Books
from pipeline.nightly import run
from pipeline.nightly.state import Manifest


@dataclass(frozen=True)
class World:
    """The planted world on disk."""

    folder: Path
    items: Path
    planted: list[dict[str, Any]]
    aoi: Path
    nights: tuple[date, ...]


@contextmanager
def file_server(folder: Path) -> Iterator[str]:
    """A real HTTP server with range requests on loopback; yields its URL."""
    app = Starlette()
    app.mount("/", StaticFiles(directory=folder))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


def left(place: run.Home, aoi: str = "planted-world") -> Manifest:
    """What the last night left."""
    with database.opened(place.ledger) as ledger:
        return Books(ledger, aoi).load(date.max, scenes_since=date.min)


def with_absolute_hrefs(items: Path, root: str) -> dict[str, Any]:
    """The item collection with every relative href below `root` (a URL or a folder)."""
    collection: dict[str, Any] = json.loads(items.read_text())
    for item in collection["features"]:
        for asset in item["assets"].values():
            asset["href"] = f"{root}/{asset['href'].removeprefix('./')}"
    return collection
