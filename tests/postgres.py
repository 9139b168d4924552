"""A real PostgreSQL server for tests, on loopback, from Debian's postgresql."""

import itertools
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

USER = "vanwatch"


def missing() -> str:
    """Empty if PostgreSQL is there, else what is missing."""
    return "" if binaries() else "PostgreSQL is not installed (Debian: postgresql)"


def need() -> None:
    """Skip the test where PostgreSQL is not installed, but not in CI."""
    if (lacking := missing()) and not os.environ.get("CI"):
        pytest.skip(lacking)


def binaries() -> Path | None:
    """The folder of its programs."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))  # Debian keeps them off the PATH
    found = shutil.which("initdb")
    return folders[-1].parent if folders else Path(found).resolve().parent if found else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A running server."""

    programs: Path
    port: int
    _names: Iterator[int] = field(default_factory=itertools.count)

    @property
    def environment(self) -> dict[str, str]:
        """For the programs that come with it."""
        return {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": USER, "PGPASSWORD": "x"}

    def create(self, name: str) -> None:
        """Make a database."""
        env = {**os.environ, **self.environment}
        subprocess.run([self.programs / "createdb", name], check=True, env=env, capture_output=True)

    def empty_database(self) -> str:
        """The URL of a new database."""
        name = f"test{next(self._names)}"
        self.create(name)
        return f"postgresql://{USER}:x@127.0.0.1:{self.port}/{name}"


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A server whose files lie in a folder."""
    programs, user = binaries(), _as_user()
    if programs is None:
        raise RuntimeError(missing())
    data = folder / "pg"
    data.mkdir(mode=0o700)
    if user:
        for parent in [data, *data.parents][:-1]:
            if parent != data and parent.stat().st_uid == 0 and parent != Path("/tmp"):
                parent.chmod(parent.stat().st_mode | 0o011)
        os.chown(data, user["user"], user["group"])
    run = {"check": True, "capture_output": True, **user, "cwd": "/tmp"}
    subprocess.run([programs / "initdb", "-D", data, "-U", USER, "-A", "trust", "--no-sync"], **run)
    port = free_port()  # as late as can be: others look for one too
    options = f"-p {port} -k {data} -c listen_addresses=127.0.0.1 -c fsync=off"
    subprocess.run(
        [programs / "pg_ctl", "-D", data, "-o", options, "-l", data / "log", "-w", "start"],
        **{**run, "capture_output": False, "stdout": subprocess.DEVNULL},
    )
    try:
        yield Server(programs, port)
    finally:
        subprocess.run([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **{**run, "check": False})


def _as_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam("postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
