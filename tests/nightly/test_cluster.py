"""Nights on separate processes that share nothing but URLs: an object store, a database, and the scenes."""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.ledger import database
from pipeline.nightly import run
from tests import objectstore, postgres
from tests.nightly import cluster
from tests.nightly.planted import World, file_server, left, with_absolute_hrefs
from tests.nightly.test_buckets import AOI, SAME, content, out_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
Homes = Callable[..., run.Home]


@dataclass(frozen=True)
class Site:
    """What a cluster and its driver share."""

    store: objectstore.Server
    database: postgres.Server
    items: Path
    """Scenes by URL."""


@pytest.fixture(scope="module")
def site(running_store: objectstore.Server, world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    postgres.need()
    folder = tmp_path_factory.mktemp("site")
    with postgres.running(folder) as server, file_server(world.items.parent) as files:
        served = folder / "served.json"
        served.write_text(json.dumps(with_absolute_hrefs(world.items, files)))
        yield Site(running_store, server, served)


@pytest.fixture
def home(site: Site, store: objectstore.Server, make_home: Homes) -> run.Home:
    """A home of several tiles whose state, results and ledger are URLs."""
    made = make_home(tiles={"size_px": 256})
    place, url = store.place(), site.database.empty_database()
    text = f'state = "{place}/state"\nout = "{place}/out"\ndatabase = "{url}"\n'
    (made.configs / "deployment.toml").write_text(text)
    return run.home(made.folder)


def differing(home: run.Home, watched: run.Home, night: str) -> list[str]:
    """Files of a night that are not what folders and one process give."""
    mine, theirs = out_of(home).below(f"{night}/{AOI}"), watched.out / night / AOI
    return [name for name in SAME if content(mine, name) != (theirs / name).read_bytes()]


@pytest.mark.parametrize("count", [1, 4])
def test_nights_on_any_number_of_workers_give_the_same_bytes(
    world: World, watched: run.Home, site: Site, home: run.Home, tmp_path: Path, count: int
) -> None:
    with cluster.running(tmp_path / "cluster", count, site.store.environment) as crew:
        options = run.Options(catalog=str(site.items), scheduler=crew.address)
        reports = [run.nightly(home, night, options) for night in world.nights[:2]]
        assert all(worker.begun() for worker in crew.workers)
    assert [(report.exit_code, report.nights[0].failed) for report in reports] == [(0, ())] * 2
    assert [differing(home, watched, night.isoformat()) for night in world.nights[:2]] == [[], []]
    assert home.store(AOI).crops.names() == ()
    assert sorted(path.name for path in home.state.rglob("*") if path.is_file()) == ["lock"]


def test_worker_that_is_killed_costs_only_its_tasks(
    world: World, watched: run.Home, site: Site, home: run.Home, tmp_path: Path
) -> None:
    night = world.nights[0]
    with cluster.running(tmp_path / "cluster", 2, site.store.environment) as crew:
        doomed = crew.workers[0]
        killer = threading.Thread(target=_kill_at_work, args=(doomed,), daemon=True)
        killer.start()
        report = run.nightly(home, night, run.Options(catalog=str(site.items), scheduler=crew.address))
        killer.join(10)
        assert doomed.process.poll() is not None
    assert (report.exit_code, report.nights[0].failed) == (0, ())
    assert differing(home, watched, night.isoformat()) == []


def _kill_at_work(worker: cluster.Worker) -> None:
    while not worker.begun():
        time.sleep(0.02)
    worker.kill()


def test_worker_without_credentials_is_told_before_anything_is_begun(
    world: World, site: Site, home: run.Home, tmp_path: Path
) -> None:
    with cluster.running(tmp_path / "cluster", 1, site.store.environment | {"AWS_SECRET_ACCESS_KEY": "no"}) as crew:
        options = run.Options(catalog=str(site.items), scheduler=crew.address)
        with pytest.raises(ConfigError, match=r"^tcp://\S+: state: s3://\S+ at \S+: the credentials are refused"):
            run.nightly(home, world.nights[0], options)
    assert left(home).as_of is None


def test_worker_that_does_not_see_the_folder_of_the_state_is_told(
    world: World, make_home: Homes, tmp_path: Path
) -> None:
    """A relative folder is another one in another working directory."""
    made = make_home()
    with cluster.running(tmp_path / "cluster", 1, {}) as crew:
        here = Path.cwd()
        os.chdir(made.folder)
        try:
            options = run.Options(catalog=str(world.items), scheduler=crew.address)
            with pytest.raises(ConfigError, match=r"^tcp://\S+: does not see state; share the folder with all workers"):
                run.nightly(replace(run.home(Path()), weights=made.weights), world.nights[0], options)
        finally:
            os.chdir(here)


def test_model_that_only_this_machine_has_is_refused(world: World, site: Site, home: run.Home, tmp_path: Path) -> None:
    shutil.copytree(home.weights / "vanwatch-s", tmp_path / "mine")
    feature = json.loads((home.aois / "planted-world.geojson").read_text())
    feature["properties"]["overrides"] = {"detect": {"model": str(tmp_path / "mine")}}
    (home.aois / "planted-world.geojson").write_text(json.dumps(feature))
    with cluster.running(tmp_path / "cluster", 1, site.store.environment) as crew:
        options = run.Options(catalog=str(site.items), scheduler=crew.address)
        with pytest.raises(ConfigError, match=r"^detect\.model: \S+mine is a folder of this machine"):
            run.nightly(home, world.nights[0], options)


def test_second_run_on_the_same_database_is_refused_whatever_its_home(
    world: World, site: Site, home: run.Home, make_home: Homes
) -> None:
    other = make_home()
    shutil.copy(home.configs / "deployment.toml", other.configs / "deployment.toml")
    with database.opened(home.ledger) as ledger:
        with (
            ledger.locked([AOI]),
            pytest.raises(ConfigError, match=f"another run is at work on {AOI}; wait for it"),
        ):
            run.nightly(run.home(other.folder), world.nights[0], run.Options(catalog=str(site.items), workers=0))
        with ledger.locked([AOI]):
            pass
