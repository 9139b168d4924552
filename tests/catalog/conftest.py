"""Real servers on loopback for the catalogue's tests: a scripted one, and rustac's STAC API."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.config import Catalog


@dataclass
class Reply:
    """What a scripted server answers."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: int = 0
    """So many bytes of the promised body are not sent."""


@dataclass
class Asked:
    """A request that a scripted server got."""

    method: str
    path: str
    body: Any
    at_s: float


@dataclass
class Server:
    """A scripted server: it answers the n-th request with the n-th reply, or asks a function."""

    url: str
    asked: list[Asked]

    def catalog(self, **settings: Any) -> Catalog:
        values = {"collections": ("sentinel-2-l2a",), "attempts": 4, "backoff_s": 0.01, "timeout_s": 5.0}
        return Catalog(url=self.url, **{**values, **settings})


Script = list[Reply] | Callable[[Asked], Reply]


@contextmanager
def _scripted(script: Script) -> Iterator[Server]:
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Asked(self.command, self.path, json.loads(text) if text else None, time.monotonic())
            asked.append(request)
            reply = script(request) if callable(script) else script[len(asked) - 1]
            time.sleep(reply.delay_s)
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(body)))
            for key, value in reply.headers.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body[: len(body) - reply.cut])
            self.close_connection = self.close_connection or reply.cut > 0

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that gave up is part of the tests."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield Server(f"http://127.0.0.1:{server.server_port}/v1", asked)
        server.shutdown()
        thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[[Script], Server]]:
    """Starts scripted servers, which stop with the test."""
    with ExitStack() as stack:
        yield lambda script: stack.enter_context(_scripted(script))


@contextmanager
def _rustac(items: list[dict[str, Any]], folder: Path) -> Iterator[str]:
    path = folder / "served.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [str(Path(sys.executable).with_name("rustac")), "serve", str(path), "--create-collections"]
    with subprocess.Popen(
        [*command, "--addr", address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait(f"http://{address}", process)
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(10)


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(100):
        if process.poll() is not None:
            raise RuntimeError(f"rustac ended with {process.returncode}")
        try:
            httpx.get(url, trust_env=False).raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError("rustac did not start within 10 s")


@pytest.fixture
def rustac(tmp_path: Path) -> Iterator[Callable[[list[dict[str, Any]]], str]]:
    """Starts rustac STAC APIs with items, which stop with the test; gives their root URL."""
    with ExitStack() as stack:
        yield lambda items: stack.enter_context(_rustac(items, tmp_path))


@pytest.fixture
def reply() -> type[Reply]:
    """The class of a scripted server's replies."""
    return Reply


@pytest.fixture
def stac(shared_data: Path) -> Callable[[str], Any]:
    """Reads a recorded document: `stac("cdse/items/....json")`; an item may be given by its id alone."""

    def read(name: str) -> Any:
        path = shared_data / "stac" / name
        found = [path] if path.is_file() else sorted((shared_data / "stac").glob(f"*/items/{name}.json"))
        return json.loads(found[0].read_text())

    return read
