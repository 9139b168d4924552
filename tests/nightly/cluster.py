"""A real Dask cluster of separate processes on loopback, each in a folder and with a home of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.scenes import kept

REPO = Path(__file__).parents[2]
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Worker:
    """One `dask worker`."""

    process: "subprocess.Popen[bytes]"
    folder: Path

    def begun(self) -> bool:
        """True as soon as it has decoded a block for a tile."""
        return any(self.folder.glob(f"scratch/**/vanwatch/*/*/*{kept.SUFFIX}"))

    def kill(self) -> None:
        """End it with no time for anything."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@dataclass(frozen=True)
class Cluster:
    """A scheduler and its workers."""

    address: str
    workers: tuple[Worker, ...]


@contextmanager
def running(folder: Path, count: int, environment: Mapping[str, str]) -> Iterator[Cluster]:
    """A scheduler and some workers of one thread each.

    Args:
        folder: each process gets a folder below, where it starts, and an empty home.
        count: workers.
        environment: what the workers have beside the search paths of this project, credentials most of all.
    """
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"}
    with ExitStack() as stack:
        address = folder / "scheduler.json"
        here = ["--host", "127.0.0.1", "--no-dashboard"]
        stack.enter_context(
            _process(folder / "scheduler", ["scheduler", *here, "--port", "0", "--scheduler-file", str(address)], bare)
        )
        _wait_for(address)
        workers = []
        for number in range(count):
            place = folder / f"worker{number}"
            options = ["--nthreads", "1", "--no-nanny", "--local-directory", str(place / "scratch"), *here]
            command = ["worker", "--scheduler-file", str(address), *options]
            workers.append(Worker(stack.enter_context(_process(place, command, bare | dict(environment))), place))
        from distributed import Client

        with Client(scheduler_file=str(address), timeout="60s") as client:
            if count:
                client.wait_for_workers(count, timeout=PATIENCE_S)
            url = client.scheduler.address
        yield Cluster(url, tuple(workers))


@contextmanager
def _process(folder: Path, command: list[str], environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    (folder / "home").mkdir(parents=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *command],
            cwd=folder,
            env={**environment, "HOME": str(folder / "home")},
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _wait_for(path: Path) -> None:
    started = time.monotonic()
    while not path.exists():
        if time.monotonic() - started > PATIENCE_S:
            raise RuntimeError(f"{path}: the scheduler has not started")
        time.sleep(0.05)
