"""A second real STAC API for tests: stac-fastapi.pgstac over a PostgreSQL of its own on loopback."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

VENV = Path(sys.executable).parent


def available() -> str:
    """Empty if PostgreSQL with PostGIS is there, else what is missing."""
    binaries = _binaries()
    if not binaries:
        return "PostgreSQL is not installed (Debian: postgresql)"
    version = binaries.parent.name
    if not Path(f"/usr/share/postgresql/{version}/extension/postgis.control").exists():
        return "PostGIS is not installed (Debian: postgresql-15-postgis-3)"
    return ""


def _binaries() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))  # Debian keeps them off the PATH
    found = shutil.which("initdb")
    return folders[-1].parent if folders else Path(found).resolve().parent if found else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam("postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextmanager
def database(folder: Path) -> Iterator[dict[str, str]]:
    """A PostgreSQL server with the pgstac schema; yields its PG* environment."""
    binaries, port, user = _binaries(), free_port(), _as_user()
    data = folder / "pg"
    data.mkdir(mode=0o700)
    if user:
        for parent in [data, *data.parents][:-1]:
            if parent != data and parent.stat().st_uid == 0 and parent != Path("/tmp"):
                parent.chmod(parent.stat().st_mode | 0o011)
        os.chown(data, user["user"], user["group"])
    run = {"check": True, "capture_output": True, **user, "cwd": "/tmp"}
    subprocess.run([binaries / "initdb", "-D", data, "-U", "vanwatch", "-A", "trust", "--no-sync"], **run)
    options = f"-p {port} -k {data} -c listen_addresses=127.0.0.1 -c fsync=off"
    subprocess.run(
        [binaries / "pg_ctl", "-D", data, "-o", options, "-l", data / "log", "-w", "start"],
        **{**run, "capture_output": False, "stdout": subprocess.DEVNULL},
    )
    env = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "vanwatch", "PGPASSWORD": "x", "PGDATABASE": "stac"}
    try:
        full = {**os.environ, **env}
        subprocess.run([binaries / "createdb", "stac"], check=True, env=full, capture_output=True)
        subprocess.run([VENV / "pypgstac", "migrate"], check=True, env=full, capture_output=True)
        yield env
    finally:
        subprocess.run([binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **{**run, "check": False})


@contextmanager
def serve(folder: Path, items: list[dict[str, Any]]) -> Iterator[str]:
    """The STAC API over the given items; yields its root URL."""
    with ExitStack() as stack:
        env = {**os.environ, **stack.enter_context(database(folder))}
        _load(folder, items, env)
        port = free_port()
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
