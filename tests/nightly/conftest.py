"""A planted world, built once for all tests of a run, and homes to run nights in."""

import json
import shutil
from collections.abc import Callable
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


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory, world: World) -> run.Home:
    """A home in which all nights have been run from the items file, in one process; for reading only."""
    place = demo.prepare(tmp_path_factory.mktemp("watched"))
    shutil.copy(world.aoi, place.aois / "planted-world.geojson")
    report = run.over(place, world.nights, run.Options(catalog=str(world.items), workers=0))
    if report.exit_code:
        raise RuntimeError(str(report))
    return place


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
