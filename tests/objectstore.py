"""A real object store for tests, on loopback: OpenStack Swift, which speaks S3, from Debian's python3-swift."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

import requests

from pipeline.bucket import Bucket

PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).parent / "swift_server.py"
KEY, SECRET = "vanwatch:tests", "only-on-loopback"
BUCKET = "nights"


def missing() -> str:
    """Empty if the store is there, else what is missing."""
    if not sys.platform.startswith("linux") or not Path(PYTHON).exists():
        return "OpenStack Swift runs on Debian only"
    found = subprocess.run([PYTHON, "-c", "import swift.proxy"], capture_output=True, check=False)
    return "OpenStack Swift is not installed (Debian: python3-swift)" if found.returncode else ""


@dataclass(frozen=True)
class Server:
    """A running store with one empty bucket."""

    endpoint: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def environment(self) -> dict[str, str]:
        """For whoever may open it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    def place(self) -> Bucket:
        """A part of the bucket that nobody has used."""
        return Bucket(BUCKET, f"t{next(self._numbers)}", self.endpoint, "us-east-1")

    def put_as_is(self, key: str) -> None:
        """Put an empty object under a name that no S3 library and no HTTP client has tidied."""
        url, token = _opened(self.endpoint)
        connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
        with closing(connection):
            connection.request("PUT", f"{urlsplit(url).path}/{BUCKET}/{quote(key)}", headers=token)
            if connection.getresponse().status != HTTPStatus.CREATED:
                raise RuntimeError(f"{key}: not put")


def _opened(endpoint: str) -> tuple[str, dict[str, str]]:
    """The URL of the account by the store's own protocol, and the header that opens it."""
    told = {"X-Storage-User": KEY, "X-Storage-Pass": SECRET}
    opened = requests.get(f"{endpoint}/auth/v1.0", headers=told, timeout=60)
    opened.raise_for_status()
    return opened.headers["X-Storage-Url"], {"X-Auth-Token": opened.headers["X-Auth-Token"]}


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A store whose files lie in a folder."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    process = subprocess.Popen([PYTHON, SERVER, folder], stdout=subprocess.PIPE, text=True, cwd="/tmp", env=bare)
    try:
        told = process.stdout.readline().split() if process.stdout else []
        if told[:1] != ["ready"]:
            raise RuntimeError("OpenStack Swift has not started")
        endpoint = f"http://127.0.0.1:{told[1]}"
        url, token = _opened(endpoint)
        requests.put(f"{url}/{BUCKET}", headers=token, timeout=60).raise_for_status()
        yield Server(endpoint)
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
