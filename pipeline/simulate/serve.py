"""A real STAC API on loopback over a simulated archive.

In: an ItemCollection whose hrefs are relative to it. Out: the root URL of a running server (rustac, memory backend: it
answers bbox, intersects, datetime and paging by POST, but no query or filter). Knows no pixels.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import CatalogError
from pipeline.simulate import items

_HOST = "127.0.0.1"
_START_S, _STOP_S = 30.0, 5.0
_OWN_PORT_TRIES = 3


@contextmanager
def serve(archive: Path, *, port: int = 0, base: str = "") -> Iterator[str]:
    """Run a STAC API while the block runs.

    Args:
        archive: an ItemCollection file, or the folder that holds `items.json`.
        port: on loopback; 0 takes a free one.
        base: URL in front of the hrefs, ending in `/`, where a file server serves the archive's folder; empty makes
            them absolute paths.

    Yields:
        The API's root URL.

    Raises:
        CatalogError: the archive is missing or no ItemCollection, or the server does not come up.
    """
    path = archive / "items.json" if archive.is_dir() else archive
    with tempfile.TemporaryDirectory(prefix="vanwatch-stac-") as scratch:
        files = _served_copy(path, Path(scratch), base)
        with (Path(scratch) / "server.log").open("wb") as log:
            process, url = _started(files, port, log)
        try:
            yield url
        finally:
            _stop(process)


def absolute(document: dict[str, Any], folder: Path, *, base: str = "") -> dict[str, Any]:
    """The ItemCollection with absolute hrefs: paths in `folder`, or URLs under `base`."""

    def moved(href: str) -> str:
        if "://" in href or href.startswith("/"):
            return href
        return base + href.removeprefix("./") if base else str((folder / href).resolve())

    features = []
    for item in document["features"]:
        assets = {key: {**asset, "href": moved(asset["href"])} for key, asset in item["assets"].items()}
        features.append({**item, "assets": assets})
    return {**document, "features": features}


def _served_copy(path: Path, scratch: Path, base: str) -> list[Path]:
    """The launcher of the server, then its collection and its items with absolute hrefs."""
    try:
        document = absolute(json.loads(path.read_text(encoding="utf-8")), path.resolve().parent, base=base)
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise CatalogError(f"{path}: cannot be served as a STAC ItemCollection: {err}; simulate it again") from err
    # a launcher of our own works wherever the script folder is not on the path; rustac wants a file before its words
    written = [scratch / "launch_server.py"]
    written[0].write_text("import rustac\n\nrustac.main()\n", encoding="utf-8")
    for name, content in (("collection", items.collection(document["features"])), ("items", document)):
        written.append(scratch / f"{name}.json")
        written[-1].write_text(json.dumps(content), encoding="utf-8")
    return written


def _started(files: list[Path], port: int, log: Any) -> tuple["subprocess.Popen[bytes]", str]:
    """The running server and its root URL; a free port that another program takes first is tried again."""
    for attempt in range(1 if port else _OWN_PORT_TRIES):
        chosen = port or _free_port()
        url = f"http://{_HOST}:{chosen}"
        command = [sys.executable, *map(str, files[:1]), "serve", "--addr", f"{_HOST}:{chosen}"]
        process = subprocess.Popen([*command, *map(str, files[1:])], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if _answers(process, url):
            return process, url
        _stop(process)
        if attempt + 1 < _OWN_PORT_TRIES and not port:
            continue
        tail = Path(log.name).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
        raise CatalogError(f"{url}: the STAC server did not start: {' | '.join(tail) or 'it said nothing'}")
    raise CatalogError(f"{_HOST}: no free port for the STAC server; give one with --port")


def _answers(process: "subprocess.Popen[bytes]", url: str) -> bool:
    """Whether the server lists its collection before the time is up; a server that ended does not."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with opener.open(f"{url}/collections/{items.COLLECTION}", timeout=2) as answer:
                if answer.status == 200 and process.poll() is None:
                    return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
