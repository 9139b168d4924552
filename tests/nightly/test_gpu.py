"""Nights on a GPU: its half precision is worked out on the CPU here, and who has no GPU is told."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import torch
from shapely.geometry import box

from models import runtime
from pipeline import grid
from pipeline.config import Profile
from pipeline.errors import ConfigError
from pipeline.grid import Tile, Window
from pipeline.nightly import run, task, verify
from tests.nightly import cluster
from tests.nightly.planted import World

AOI = "planted-world"
Homes = Callable[..., run.Home]


@pytest.fixture
def home(make_home: Homes) -> run.Home:
    """Whose area asks for a GPU."""
    return make_home(detect={"device": "gpu"})


def read_alerts(place: run.Home) -> list[tuple[str, str]]:
    """Kind and status of what a night has published, in the order of their ids."""
    told = json.loads((place.out / "latest" / AOI / "alerts.geojson").read_text())
    return [(each["properties"]["kind"], each["properties"]["status"]) for each in told["features"]]


def test_night_in_half_precision_finds_the_same_and_its_packs_verify(
    world: World, home: run.Home, make_home: Homes, local: run.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "gpu", lambda: "cpu")
    plain, options = make_home(), replace(local, workers=0)
    assert [run.nightly(place, world.nights[0], options).exit_code for place in (home, plain)] == [0, 0]
    half, whole = (read_alerts(place) for place in (home, plain))
    assert half == whole != []
    packs = sorted((home.out / world.nights[0].isoformat() / AOI / "evidence").iterdir())
    assert packs
    rasters = [(place.out / world.nights[0].isoformat() / AOI / "change.tif").read_bytes() for place in (home, plain)]
    assert rasters[0] != rasters[1]  # it was half precision
    monkeypatch.undo()  # who verifies needs no GPU
    found = [verify.verify(home.out, pack.name, weights=home.weights) for pack in packs]
    assert [each.exit_code for each in found] == [0] * len(packs)


def test_gpu_that_this_machine_lacks_is_told_before_anything_is_begun(
    world: World, home: run.Home, local: run.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"world\.geojson: detect\.device: no GPU that torch can use .*; write cpu$"):
        run.nightly(home, world.nights[0], local)
    assert not home.state.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_worker_without_the_gpu_that_a_profile_asks_for_is_told(
    world: World, home: run.Home, local: run.Options, tmp_path: Path
) -> None:
    with cluster.running(tmp_path / "cluster", 1, {}) as crew:
        options = replace(local, scheduler=crew.address)
        with pytest.raises(ConfigError, match=r"^tcp://\S+: no GPU that torch can use is here, and a profile says"):
            run.nightly(home, world.nights[0], options)


def test_normal_is_the_same_wherever_the_network_runs() -> None:
    on = {device: {"model": "m", "device": device} for device in ("cpu", "gpu")}
    rules = {"title": "t", "use": "research", "search": {"catalogs": ["c"]}}
    cpu, gpu = (Profile.model_validate(rules | {"detect": on[device]}) for device in ("cpu", "gpu"))
    other = Profile.model_validate(rules | {"detect": {"model": "other"}})
    tile, day = Tile(grid.granule("44QLH"), Window(0, 0, 512, 512), box(0, 0, 1, 1)), date(2026, 3, 1)
    assert task.normal_key(tile, day, cpu) == task.normal_key(tile, day, gpu) != task.normal_key(tile, day, other)
