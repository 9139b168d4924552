"""Where tasks run: in this process, on a cluster of this machine, or on any Dask scheduler.

A task is a plain function of picklable values. Nothing here knows what the tasks do.
"""

import logging
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import dask

from pipeline import progress as bars
from pipeline.errors import ConfigError, SceneError, VanwatchError, WorkerError

log = logging.getLogger(__name__)
J = TypeVar("J")
R = TypeVar("R")
_PATIENCE_S = 20
"""A scheduler that does not answer for so long is not there."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[J, R]):
    """What became of one job."""

    job: J
    result: R | None
    error: str
    """Empty if it went well."""
    final: bool = False
    """True where trying again another night is useless."""


class Workers(Protocol):
    """Runs one function over many jobs."""

    def run(
        self, task: Callable[[J], R], jobs: Sequence[J], *, label: str, done: Callable[[J], None] | None = None
    ) -> list[Outcome[J, R]]:
        """Outcomes in the order of `jobs`, whatever order they finished in; a failing job fails alone.

        `done` is called here, in the caller's process, with each job that is settled: nobody works on it any more.
        """


def attempt(task: Callable[[J], R], job: J) -> Outcome[J, R]:
    """Run one job; its failure is recorded and leaves the others alone."""
    try:
        return Outcome(job, task(job), "")
    except VanwatchError as err:
        return Outcome(job, None, str(err), final=isinstance(err, SceneError))
    except OSError as err:  # the scratch folder is full, most of all
        where = err.filename or "the scratch folder"
        return Outcome(job, None, f"{where}: {err.strerror or err}; check that it is there and has room")
    except Exception as err:  # the run loop: a bug in one part must not take the night with it
        log.error("a task failed:\n%s", traceback.format_exc())
        return Outcome(job, None, f"{type(err).__name__}: {err} (a bug; the log holds the traceback)")


@dataclass(frozen=True, slots=True)
class InProcess:
    """All jobs one after another in this process."""

    def run(
        self, task: Callable[[J], R], jobs: Sequence[J], *, label: str, done: Callable[[J], None] | None = None
    ) -> list[Outcome[J, R]]:
        """See `Workers.run`."""
        found = []
        with progress(label, len(jobs)) as advance:
            for job in jobs:
                found.append(advance(attempt(task, job)))
                if done:
                    done(job)
        return found


@dataclass(frozen=True, slots=True)
class OnDask:
    """Jobs on a Dask scheduler, at most a few per worker waiting there at a time."""

    open: Callable[[], Any]
    """The client; waits until its workers have started."""
    elsewhere: bool = False
    """True where the workers may be on other machines."""

    @property
    def client(self) -> Any:
        """Dask's client, whose workers have started."""
        return self.open()

    def everywhere(self, ask: Callable[..., R], *arguments: Any) -> dict[str, R | Exception]:
        """What each worker answers, or the error that it met, by its address."""
        found: dict[str, R | Exception] = self.client.run(ask, *arguments, on_error="return")
        if not found:
            log.warning("no worker has joined the scheduler yet; waiting for one")
        return found

    def run(
        self, task: Callable[[J], R], jobs: Sequence[J], *, label: str, done: Callable[[J], None] | None = None
    ) -> list[Outcome[J, R]]:
        """See `Workers.run`."""
        from distributed import as_completed

        found: dict[int, Outcome[J, R]] = {}
        waiting, lost = list(enumerate(jobs))[::-1], list[int]()
        client = self.client
        ahead = 4 * max(1, len(client.nthreads()))
        futures: dict[Any, int] = {}

        def submit() -> Any:
            index, job = waiting.pop()
            future = client.submit(attempt, task, job, pure=False)
            futures[future.key] = index
            return future

        with progress(label, len(jobs)) as advance:

            def settle(index: int, outcome: Outcome[J, R]) -> None:
                found[index] = advance(outcome)
                if done:
                    done(jobs[index])

            running = as_completed([submit() for _ in range(min(ahead, len(waiting)))])
            for future in running:
                index = futures.pop(future.key)
                outcome, killed = _settled(future, jobs[index])
                if killed:
                    lost.append(index)
                else:
                    settle(index, outcome)
                if waiting:
                    running.add(submit())
            for index in sorted(lost):  # alone, since it may only have waited behind what kills workers
                settle(index, _settled(client.submit(attempt, task, jobs[index], pure=False), jobs[index])[0])
        return [found[index] for index in range(len(jobs))]


def _settled(future: Any, job: J) -> tuple[Outcome[J, Any], bool]:
    """The outcome of a future, waited for where its result went down with a worker; True if Dask has given it up.

    What the job itself raises is in its outcome.
    """
    from distributed import KilledWorker

    try:
        outcome: Outcome[J, Any] = future.result()
    except Exception as err:
        return Outcome(job, None, f"worker lost: {err}"), isinstance(err, KilledWorker)
    return Outcome(job, outcome.result, outcome.error, outcome.final), False


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[R], R]]:
    """A bar on a terminal, plain log lines at each quarter elsewhere; yields a function that counts one."""
    with bars.bar(label, total) as step:
        done = 0

        def advance(result: R) -> R:
            nonlocal done
            done += 1
            step()
            if done == total or (total >= 8 and done % (total // 4) == 0):
                log.info("%s: %d of %d", label, done, total)
            return result

        yield advance


@contextmanager
def connect(
    scheduler: str | None, *, workers: int | None, scratch: Path, preload: Sequence[str] = ()
) -> Iterator[Workers]:
    """Workers for one run; those on this machine start in the background, and the first jobs wait for them.

    Args:
        scheduler: address of a running Dask scheduler, like `tcp://host:8786`; None for this machine.
        workers: processes on this machine; 0 runs everything in this process; None takes one per core.
        scratch: folder for Dask's own files.
        preload: modules that workers on this machine import as they start.

    Raises:
        ConfigError: the scheduler does not answer.
        WorkerError: no worker could be started here; raised where they are first needed.
    """
    if scheduler is None and workers == 0:
        yield InProcess()
        return
    with dask.config.set({"temporary-directory": str(scratch)}):
        if scheduler is not None:
            with _client(scheduler) as client:
                yield OnDask(lambda: client, elsewhere=True)
            return
        with ThreadPoolExecutor(1) as starter:
            starting = starter.submit(_start, workers or len(os.sched_getaffinity(0)), list(preload))
            try:
                yield OnDask(starting.result)
            finally:
                if starting.exception() is None:
                    _close(starting.result())


def _start(count: int, preload: list[str]) -> Any:
    """A client of as many processes of this machine."""
    from distributed import Client, LocalCluster

    _silence()
    try:
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # else port 8787 of all interfaces, for one run only
            silence_logs=logging.CRITICAL,  # a slow machine's late heartbeats; what matters comes back with the jobs
            preload=preload,
        )
        try:
            return Client(cluster)
        except BaseException:
            cluster.close()
            raise
    except (
        OSError,
        RuntimeError,
        AssertionError,
    ) as err:  # the last without a word, of a loop that was late
        remedy = "look at this machine's load, memory and limits, or run with --workers 0"
        why = err if str(err) else "Dask did not start in time"
        raise WorkerError(f"workers of this machine ({count}) could not be started: {why}; {remedy}") from err


def _close(client: Any) -> None:
    """With the processes behind it, whatever the client says."""
    cluster = client.cluster
    try:
        client.close()
    finally:
        cluster.close()


def _client(scheduler: str) -> Any:
    from distributed import Client

    _silence()
    client: Any = Client.__new__(Client)  # so that it can be closed if it gets no answer
    try:
        client.__init__(scheduler, timeout=_PATIENCE_S)
        return client
    except (OSError, ValueError, MemoryError) as err:  # the last: what a web server answers, taken for a length
        client.close()  # its loop runs; the garbage collector may come to it while the next one is started, and wait
        raise ConfigError(f"--scheduler {scheduler}: no Dask scheduler answers there ({err})") from err


def _silence() -> None:
    """Nobody reads what Dask says of itself; its import sets the level of its log, so this comes after it."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
