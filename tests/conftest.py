"""What all tests share: no network beyond loopback, and the shared data where it exists."""

import io
import ipaddress
import logging
import os
import socket
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from hypothesis import settings

from tests import objectstore

if TYPE_CHECKING:
    from tests.notify.servers import Hook, Mail

WORKERS = 8
"""At most."""
_WORKER_BYTES = 3_000_000_000
"""Which a worker may need with the processes that its tests start."""

settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers share the cores already


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """As many as cores that this process may use, also where two are one physical core, and as memory allows."""
    return max(1, min(WORKERS, len(os.sched_getaffinity(0)), psutil.virtual_memory().total // _WORKER_BYTES))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, so that no worker is left alone with one at the end."""
    longest: dict[Path, float] = defaultdict(float)
    for item in items:
        allowed = item.get_closest_marker("timeout")
        weight = allowed.args[0] if allowed else item.get_closest_marker("slow") is not None
        longest[item.path] = max(longest[item.path], weight)
    items.sort(key=lambda item: -longest[item.path])


@pytest.fixture
def shared_data() -> Path:
    """The folder of real Sentinel-2 data beside the project; on a user's machine it does not exist."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data (../shared/data) is not on this machine")
    return folder


@pytest.fixture(scope="session")
def running_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[objectstore.Server]:
    """A real object store; CI must have it."""
    missing = objectstore.missing()
    if missing and not os.environ.get("CI"):
        pytest.skip(missing)
    with objectstore.running(tmp_path_factory.mktemp("swift")) as server:
        yield server


@pytest.fixture
def store(running_store: objectstore.Server, monkeypatch: pytest.MonkeyPatch) -> objectstore.Server:
    """The object store, with its credentials in this process's environment."""
    for name, value in running_store.environment.items():
        monkeypatch.setenv(name, value)
    return running_store


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections of this process to anything but loopback fail, and GDAL is told not to try."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0]
            if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
                raise OSError(f"tests stay on loopback, not {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def heard() -> Iterator[io.StringIO]:
    """What the log of a night would hold; pytest's own fixture also hears loggers that pass nothing on."""
    text, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(text), root.level
    handler.addFilter(lambda record: not record.name.startswith("mail.log"))  # the mail server's own
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def mail() -> "Iterator[Mail]":
    """A real mail server on loopback."""
    from tests.notify import servers

    with servers.mail_server() as found:
        yield found


@pytest.fixture
def hook() -> "Iterator[Hook]":
    """A real webhook on loopback."""
    from tests.notify import servers

    with servers.hook_server() as found:
        yield found
