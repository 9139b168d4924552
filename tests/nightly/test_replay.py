"""Replays without look-ahead: late scenes, better revisions, any night twice."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from typer.testing import CliRunner

from pipeline import cli, config
from pipeline.errors import ConfigError
from pipeline.nightly import run, tilefile
from pipeline.normal import seasonal
from tests import postgres
from tests.nightly.planted import World, left

MakeHome = Callable[..., run.Home]
FIELDS = ("kind", "status", "first_seen", "last_seen", "hits", "looks", "area_ha", "confidence", "classical_z")


def items_of(world: World, night: int) -> list[dict[str, Any]]:
    """The items of a night's acquisition."""
    day = world.nights[night].isoformat()
    listed: list[dict[str, Any]] = json.loads(world.items.read_text())["features"]
    return [item for item in listed if item["properties"]["datetime"].startswith(day)]


def with_items(world: World, name: str, change: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> run.Options:
    """A catalogue in which every item is replaced by what `change` makes of it."""
    collection = json.loads(world.items.read_text())
    collection["features"] = [made for item in collection["features"] for made in change(item)]
    path = world.items.with_name(name)
    path.write_text(json.dumps(collection))
    return run.Options(catalog=str(path), workers=0)


def arrays(place: run.Home) -> dict[str, dict[str, bytes]]:
    """All that the last night remembers, tile by tile."""
    store = place.store("planted-world").arrays
    found = {}
    for key, name in left(place).tiles.items():
        layers = tilefile.read(store, name)
        parts = (layers.evidence, layers.latest)
        found[key] = {f: getattr(part, f).tobytes() for part in parts for f in part.__dataclass_fields__}
    return found


def found_last(place: run.Home) -> list[tuple[Any, ...]]:
    """What stands there after the last night; alerts that only earlier nights found keep the tale of these."""
    path = place.out / "latest" / "planted-world" / "alerts.geojson"
    features = json.loads(path.read_text())["features"]
    newest = max(f["properties"]["last_seen"] for f in features)
    lasting = [f for f in features if f["properties"]["last_seen"] == newest]
    return sorted((*(f["properties"][name] for name in FIELDS), json.dumps(f["geometry"])) for f in lasting)


def listed_on(item: dict[str, Any], day: date) -> dict[str, Any]:
    return item | {"properties": item["properties"] | {"created": f"{day}T20:00:00Z"}}


@pytest.fixture
def one_period(world: World) -> None:
    """The nights of the world lie in one refresh period: all looks are compared with one normal."""
    rules = config.NormalRules()
    assert len({seasonal.anchor(night, rules) for night in world.nights}) == 1


@pytest.mark.usefixtures("one_period")
def test_late_scene_equals_on_time_scene(copied_world: World, watched: run.Home, make_home: MakeHome) -> None:
    late_ids = {item["id"] for item in items_of(copied_world, 1)}
    late = with_items(
        copied_world,
        "late.json",
        lambda item: [listed_on(item, copied_world.nights[3]) if item["id"] in late_ids else item],
    )
    place = make_home()
    run.over(place, copied_world.nights[:3], late)
    assert arrays(place) != arrays(watched)
    run.over(place, copied_world.nights[3:], late)
    assert arrays(place) == arrays(watched)
    assert found_last(place) == found_last(watched)


@pytest.mark.slow
@pytest.mark.usefixtures("one_period")
def test_better_revision_replaces_the_worse_as_if_that_had_never_been(
    copied_world: World, watched: run.Home, make_home: MakeHome
) -> None:
    best_ids = {item["id"]: item for item in items_of(copied_world, 1)}

    def revised(item: dict[str, Any]) -> list[dict[str, Any]]:
        if item["id"] not in best_ids:
            return [item]
        worse = json.loads(json.dumps(item))
        worse["id"] = item["id"].replace("_0_L2A", "_1_L2A")
        worse["properties"]["s2:processing_baseline"] = "03.00"
        classes = copied_world.items.parent / item["assets"]["scl"]["href"]
        worse["assets"]["scl"]["href"] = str(half_cloudy(classes).relative_to(copied_world.items.parent))
        return [worse, listed_on(item, copied_world.nights[2])]

    options = with_items(copied_world, "revised.json", revised)
    place = make_home()
    run.over(place, copied_world.nights[:2], options)
    once = arrays(place)
    run.over(place, copied_world.nights[2:], options)
    assert arrays(place) == arrays(watched)
    assert found_last(place) == found_last(watched)
    other = make_home()
    run.over(other, copied_world.nights[:2], run.Options(catalog=str(copied_world.items), workers=0))
    assert arrays(other) != once


def half_cloudy(classes: Path) -> Path:
    """A copy of a scene classification that calls its northern half cloud."""
    made = classes.with_name("half_cloudy.tif")
    with rasterio.open(classes) as source:
        values, profile = source.read(1), source.profile
    values[: len(values) // 2] = np.where(values[: len(values) // 2] == 0, 0, 9)
    with rasterio.open(made, "w", **profile) as target:
        target.write(values, 1)
    return made


@pytest.mark.slow
def test_replay_twice_and_without_later_items_gives_the_same_bytes(
    copied_world: World, make_home: MakeHome, local: run.Options
) -> None:
    place, other = make_home(), make_home()
    first, last = copied_world.nights[0], copied_world.nights[1]
    run.replay(place, first, last, local)
    run.replay(other, first, last, with_items(copied_world, "past.json", lambda item: [item] * until(item, last)))
    days = sorted(path.name for path in place.out.glob("[0-9]*"))
    assert len(days) == (last - first).days + 1
    for day in days:
        for name in ("alerts.geojson", "changes.geojson"):
            one, two = ((p.out / day / "planted-world" / name).read_bytes() for p in (place, other))
            assert one == two, (day, name)


def until(item: dict[str, Any], day: date) -> bool:
    return bool(item["properties"]["datetime"][:10] <= day.isoformat())


@pytest.mark.slow
def test_replay_into_postgresql_is_where_the_nights_go_on(
    world: World, watched: run.Home, make_home: MakeHome, local: run.Options, tmp_path: Path
) -> None:
    """What is lost of a deployment is made again, and the next night is none the wiser."""
    postgres.need()
    with postgres.running(tmp_path) as server:
        live = replace(make_home(), database=server.empty_database())
        past = replace(live, out=tmp_path / "past", state=tmp_path / "past" / "state")
        for night in world.nights[:2]:
            assert run.replay(past, night, night, local).exit_code == 0
        assert not list(past.state.glob("*.db*"))
        with pytest.raises(ConfigError, match=r"knows nights whose arrays do not lie in .*other.*an empty database"):
            run.replay(replace(past, state=tmp_path / "other"), world.nights[1], world.nights[1], local)
        assert not (tmp_path / "other").exists()
        past.state.rename(live.state)
        assert run.nightly(live, world.nights[2], local).exit_code == 0
        assert arrays(live).keys() == arrays(watched).keys()
    expected = watched.out / world.nights[2].isoformat() / "planted-world" / "alerts.geojson"
    assert (live.out / "latest" / "planted-world" / "alerts.geojson").read_bytes() == expected.read_bytes()


def test_replay_names_the_database_of_its_ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = []
    monkeypatch.setattr(run, "replay", lambda place, *_: said.append(place.ledger) or run.Report(()))
    command = ["replay", "--from", "2026-03-01", "--to", "2026-03-02", "--home", str(tmp_path)]
    monkeypatch.setenv("VANWATCH_DATABASE", "postgresql://live@127.0.0.1/live")
    for more in ([], ["--database", "postgresql://v@127.0.0.1/past"]):
        assert CliRunner().invoke(cli.app, [*command, "--out", str(tmp_path / "past"), *more]).exit_code == 0
    assert said == [f"sqlite:///{tmp_path}/past/state/vanwatch.db", "postgresql://v@127.0.0.1/past"]
