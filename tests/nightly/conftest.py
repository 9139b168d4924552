"""A planted world, built once for all tests of a run, and homes to run nights in."""

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline import demo
from pipeline.nightly import run
from pipeline.simulate import scenes
from tests.nightly.planted import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    built = scenes.build(folder, seed=11, start=demo.FIRST_NIGHT, preset="tiny")
    planted = json.loads(built.planted.read_text())["features"]
    return World(folder, built.items, planted, built.aoi, built.nights)


def run_whole(place: run.Home, nights: Sequence[date], world: World) -> run.Home:
    report = run.over(place, nights, run.Options(catalog=str(world.items), workers=0))
    if report.exit_code:
        raise RuntimeError(str(report))
    return place


def copied(place: run.Home, folder: Path) -> run.Home:
    shutil.copytree(place.folder, folder, symlinks=True)
    return run.home(folder)


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory, world: World) -> run.Home:
    """A home in which the first night has been run from the items file, in one process; for reading only."""
    place = demo.prepare(tmp_path_factory.mktemp("begun"))
    shutil.copy(world.aoi, place.aois / "planted-world.geojson")
    return run_whole(place, world.nights[:1], world)


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory, world: World, begun: run.Home) -> run.Home:
    """A home in which all nights have been run from the items file, in one process; for reading only."""
    place = copied(begun, tmp_path_factory.mktemp("watched") / "home")
    return run_whole(place, world.nights[1:], world)


@pytest.fixture
def first_night(begun: run.Home, tmp_path: Path) -> run.Home:
    """A home after the first night."""
    return copied(begun, tmp_path / "after_one_night")


@pytest.fixture(scope="session")
def make_world_home(world: World) -> Callable[[Path], run.Home]:
    """A new home at a place that watches the planted world."""

    def make(folder: Path) -> run.Home:
        place = demo.prepare(folder)
        shutil.copy(world.aoi, place.aois / "planted-world.geojson")
        return place

    return make


@pytest.fixture
def make_home(tmp_path: Path, world: World) -> Callable[..., run.Home]:
    """A new home that watches the planted world; changes to the profile are laid over it as overrides."""
    number = iter(range(100))

    def make(**overrides: Any) -> run.Home:
        place = demo.prepare(tmp_path / f"home{next(number)}")
        feature = json.loads(world.aoi.read_text())
        feature["properties"]["overrides"] = overrides
        (place.aois / "planted-world.geojson").write_text(json.dumps(feature))
        return place

    return make


@pytest.fixture
def local(world: World) -> run.Options:
    """The items file as the catalogue, everything in this process."""
    return run.Options(catalog=str(world.items), workers=0)


@pytest.fixture
def copied_world(world: World, tmp_path: Path) -> World:
    """A copy of the world that a test may damage."""
    folder = tmp_path / "copied"
    shutil.copytree(world.folder, folder)
    return World(folder, folder / world.items.relative_to(world.folder), world.planted, world.aoi, world.nights)
