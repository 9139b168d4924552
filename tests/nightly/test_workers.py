import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import distributed
import pytest

from pipeline.errors import ConfigError, ReadError, SceneError, WorkerError
from pipeline.nightly import workers


def square(value: int) -> int:
    if value == 3:
        raise ReadError("b03.tif: gone")
    if value == 4:
        raise SceneError("scene 4: refused")
    if value == 5:
        raise ValueError("a bug")
    return value * value


def die(value: int) -> int:
    if value == 1:
        os._exit(9)
    return value


def test_connect_to_a_web_server_as_of_a_dashboard_is_wrong_input(tmp_path: Path) -> None:
    def answer() -> None:
        with server.accept()[0] as connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            while connection.recv(1024):
                pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        wanted = workers.connect(address, workers=None, scratch=tmp_path)
        with pytest.raises(ConfigError, match=f"--scheduler {address}: no Dask scheduler answers there"), wanted:
            pass
    assert "IO loop" not in {thread.name for thread in threading.enumerate()}  # of a client that nobody closed


def test_in_process_a_failing_job_fails_alone(tmp_path: Path) -> None:
    with workers.connect(None, workers=0, scratch=tmp_path) as crew:
        outcomes = crew.run(square, list(range(7)), label="squares")
    assert [o.result for o in outcomes] == [0, 1, 4, None, None, None, 36]
    assert outcomes[3].error == "b03.tif: gone"
    assert not outcomes[3].final
    assert outcomes[4].final
    assert "a bug" in outcomes[5].error


@pytest.mark.slow
def test_on_dask_gives_the_same_outcomes_in_the_same_order(tmp_path: Path) -> None:
    jobs = list(range(40))
    with workers.connect(None, workers=0, scratch=tmp_path) as crew:
        expected = crew.run(square, jobs, label="squares")
    with workers.connect(None, workers=2, scratch=tmp_path) as crew:
        assert crew.run(square, jobs, label="squares") == expected


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_on_dask_a_job_that_kills_its_worker_is_recorded_and_the_rest_is_done(tmp_path: Path, count: int) -> None:
    """Also what waited for the same worker each time that it was killed."""
    with workers.connect(None, workers=count, scratch=tmp_path) as crew:
        outcomes = crew.run(die, [0, 1, 2], label="deaths")
    assert [o.result for o in outcomes] == [0, None, 2]
    assert "worker lost" in outcomes[1].error


def test_workers_of_a_machine_too_busy_for_dask_to_start_are_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(**_: object) -> None:
        raise AssertionError  # as Dask does, without a word, when its loop has not started after ten seconds

    monkeypatch.setattr(distributed, "LocalCluster", late)
    with (
        workers.connect(None, workers=1, scratch=tmp_path) as crew,
        pytest.raises(WorkerError, match=r"\(1\) could not be started: Dask did not start in time; look at .* load"),
    ):
        crew.run(square, [1], label="squares")


@pytest.mark.slow
def test_workers_that_cannot_start_are_told_in_one_line(tmp_path: Path) -> None:
    with (
        workers.connect(None, workers=1, scratch=tmp_path, preload=("no.such.module",)) as crew,
        pytest.raises(WorkerError, match=r"workers of this machine \(1\) could not be started: .*--workers 0"),
    ):
        crew.run(square, [1], label="squares")


def test_close_lets_the_processes_go_whatever_the_client_says() -> None:
    class Cluster:
        closed = False

        def close(self) -> None:
            self.closed = True

    class Client:
        cluster = Cluster()

        def close(self) -> None:
            raise TimeoutError("no answer")

    with pytest.raises(TimeoutError):
        workers._close(Client())
    assert Client.cluster.closed


def is_loaded(module: str) -> bool:
    return module in sys.modules


@pytest.mark.slow
def test_connect_workers_have_loaded_what_they_are_told(tmp_path: Path) -> None:
    with workers.connect(None, workers=1, scratch=tmp_path, preload=["xmlrpc.server"]) as crew:
        outcomes = crew.run(is_loaded, ["xmlrpc.server", "xmlrpc.client", "nturl2path"], label="modules")
    assert [o.result for o in outcomes] == [True, True, False]


@pytest.mark.slow
def test_connect_that_ends_before_its_workers_have_started_leaves_no_process(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="wrong"), workers.connect(None, workers=2, scratch=tmp_path):
        raise ConfigError("wrong")
    assert multiprocessing.active_children() == []


_QUIET = """
import logging, sys
from pathlib import Path
from pipeline.nightly import workers
if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    with workers.connect(None, workers=1, scratch=Path(sys.argv[1])) as crew:
        print([outcome.result for outcome in crew.run(abs, [-1], label="one")])
"""


@pytest.mark.slow
def test_connect_log_holds_nothing_of_dask(tmp_path: Path) -> None:
    (tmp_path / "quiet.py").write_text(_QUIET)
    command = [sys.executable, str(tmp_path / "quiet.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "[1]\n"
    assert done.stderr.splitlines() == ["INFO:pipeline.nightly.workers:one: 1 of 1"]


@pytest.mark.slow
def test_connect_runs_on_a_scheduler_address(tmp_path: Path) -> None:
    scheduler_file = tmp_path / "scheduler.json"
    folder = Path(sys.executable).parent
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    commands = [
        [
            folder / "dask",
            "scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
            "--scheduler-file",
            scheduler_file,
        ],
        [folder / "dask", "worker", "--scheduler-file", scheduler_file, "--no-dashboard", "--nthreads", "1"],
    ]
    running = [subprocess.Popen(c, env=env, cwd=tmp_path, stderr=subprocess.DEVNULL) for c in commands]
    try:
        for _ in range(300):
            if scheduler_file.exists() and scheduler_file.stat().st_size:
                break
            time.sleep(0.1)
        address = json.loads(scheduler_file.read_text())["address"]
        with workers.connect(address, workers=None, scratch=tmp_path) as crew:
            assert [o.result for o in crew.run(abs, [-1, 2, -3], label="abs")] == [1, 2, 3]
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(20)


def test_connect_to_a_silent_scheduler_names_the_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_PATIENCE_S", 2)
    with (
        pytest.raises(ConfigError, match=r"--scheduler tcp://127\.0\.0\.1:1"),
        workers.connect("tcp://127.0.0.1:1", workers=None, scratch=tmp_path),
    ):
        pass
