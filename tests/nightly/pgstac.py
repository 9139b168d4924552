"""A second real STAC API for tests: stac-fastapi.pgstac over a PostgreSQL of its own on loopback."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests import postgres

VENV = Path(sys.executable).parent


def available() -> str:
    """Empty if PostgreSQL with PostGIS is there, else what is missing."""
    binaries = postgres.binaries()
    if not binaries:
        return postgres.missing()
    version = binaries.parent.name
    if not Path(f"/usr/share/postgresql/{version}/extension/postgis.control").exists():
        return "PostGIS is not installed (Debian: postgresql-15-postgis-3)"
    return ""


@contextmanager
def database(folder: Path) -> Iterator[dict[str, str]]:
    """A PostgreSQL server with the pgstac schema; yields its PG* environment."""
    with postgres.running(folder) as server:
        server.create("stac")
        env = {**server.environment, "PGDATABASE": "stac"}
        subprocess.run([VENV / "pypgstac", "migrate"], check=True, env={**os.environ, **env}, capture_output=True)
        yield env


@contextmanager
def serve(folder: Path, items: list[dict[str, Any]]) -> Iterator[str]:
    """The STAC API over the given items; yields its root URL."""
    with ExitStack() as stack:
        env = {**os.environ, **stack.enter_context(database(folder))}
        _load(folder, items, env)
        port = postgres.free_port()
        command = [VENV / "uvicorn", "--factory", "stac_fastapi.pgstac.app:create_app", "--port", str(port)]
        log = stack.enter_context((folder / "api.log").open("w"))
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        stack.callback(server.wait)
        stack.callback(server.terminate)
        url = f"http://127.0.0.1:{port}"
        _wait(url, server, folder / "api.log")
        yield url


def _load(folder: Path, items: list[dict[str, Any]], env: dict[str, str]) -> None:
    collection = {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": "sentinel-2-l2a",
        "description": "planted",
        "license": "other",
        "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}},
        "links": [],
    }
    (folder / "collection.ndjson").write_text(json.dumps(collection))
    (folder / "items.ndjson").write_text("\n".join(json.dumps(item) for item in items))
    for table in ("collections", "items"):
        source = folder / f"{table.removesuffix('s') if table == 'collections' else table}.ndjson"
        command = [VENV / "pypgstac", "load", table, source, "--method", "upsert"]
        subprocess.run(command, check=True, env=env, capture_output=True)


def _wait(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(300):
        if server.poll() is not None:
            raise RuntimeError(f"the API ended: {log.read_text()[-2000:]}")
        try:
            if httpx.get(f"{url}/collections/sentinel-2-l2a", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the API did not answer: {log.read_text()[-2000:]}")
