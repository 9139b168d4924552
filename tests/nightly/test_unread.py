"""What could not be read counts for nothing, and is read again as soon as it can be."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from shapely.geometry import box

from pipeline import grid, packed
from pipeline.depot import Folder
from pipeline.detect import evidence
from pipeline.errors import ReadError
from pipeline.nightly import history, jobs, run, status, task, tilefile
from pipeline.nightly.state import Manifest
from pipeline.normal import keep
from pipeline.schema import Inspected, Look, Reason, Scene, Shift
from tests.nightly.planted import World, left
from tests.nightly.test_outline import redraw

MakeHome = Callable[..., run.Home]
AOI = "planted-world"


def small(make_home: MakeHome, world: World) -> run.Home:
    """A home that watches one tile."""
    place = make_home()
    redraw(place, world, 0.3)
    return place


def normals(place: run.Home) -> list[int]:
    """Pixels of each kept normal that have looks."""
    found = []
    for path in sorted((place.state / AOI / "normals").glob("*_r*.arrays")):
        found.append(int((packed.load(Folder(path.parent), path.name)["count"] > 0).sum()))
    return found


def normal_scenes(place: run.Home) -> list[str]:
    (path,) = (place.state / AOI / "normals").glob("*_r*.arrays")
    normal = keep.load(Folder(path.parent), path.stem)
    assert normal is not None
    return list(normal.scene_ids)


@pytest.fixture(scope="module")
def wanted(
    world: World, make_world_home: Callable[[Path], run.Home], tmp_path_factory: pytest.TempPathFactory
) -> set[str]:
    """Scenes of the normal that the second night makes where all can be read."""
    control = make_world_home(tmp_path_factory.mktemp("control") / "home")
    redraw(control, world, 0.3)
    options = run.Options(catalog=str(world.items), workers=0)
    assert run.over(control, [world.nights[1]], options).exit_code == 0
    return set(normal_scenes(control))


def days_of_looks(place: run.Home) -> set[str]:
    layers = [tilefile.read(place.store(AOI).arrays, file) for file in left(place).tiles.values()]
    return {str(evidence.from_day(day)) for item in layers for day in np.unique(item.evidence.day) if day}


def test_history_that_cannot_be_read_leaves_no_normal_and_costs_no_look(
    world: World, make_home: MakeHome, local: run.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outage(_: object) -> Any:
        raise ReadError("outage")

    place = small(make_home, world)
    with monkeypatch.context() as patched:
        patched.setattr(history, "sample", outage)
        assert run.over(place, [world.nights[1]], local).exit_code == 1
    assert normals(place) == []
    assert run.over(place, [world.nights[2]], local).exit_code == 0
    (known,) = normals(place)
    assert known > 40_000
    assert days_of_looks(place) == {str(night) for night in world.nights[:3]}


@pytest.mark.parametrize("nights_out", [1, 2], ids=["passing", "lasting"])
def test_history_read_in_part_is_told_and_made_again_once(
    world: World,
    make_home: MakeHome,
    local: run.Options,
    wanted: set[str],
    monkeypatch: pytest.MonkeyPatch,
    nights_out: int,
) -> None:
    sample, asked = history.sample, list[str]()

    def torn(job: history.InspectJob) -> Any:
        asked.append(job.scene.scene_id)
        if job.scene.scene_id in best:
            raise ReadError("outage")
        return sample(job)

    place = small(make_home, world)
    best = frozenset(sorted(wanted)[:2])
    with monkeypatch.context() as patched:
        patched.setattr(history, "sample", torn)
        codes = [run.over(place, [night], local).exit_code for night in world.nights[1 : 1 + nights_out]]
    assert codes == [1, 0][:nights_out]
    assert best.isdisjoint(normal_scenes(place))
    asked.clear()
    monkeypatch.setattr(history, "sample", torn)
    if nights_out == 1:
        best = frozenset()
    assert run.over(place, [world.nights[1 + nights_out]], local).exit_code == 0
    assert set(normal_scenes(place)) == (wanted if nights_out == 1 else set(normal_scenes(place)) - best)
    assert bool(set(asked) & wanted) == (nights_out == 1)  # nobody waits any more for what is lost for good


def test_second_try_of_a_night_does_not_settle_what_an_outage_has_cost(
    world: World, make_home: MakeHome, local: run.Options, wanted: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a tile go on with its old normal that cannot be made again on the night on which all can be read."""
    sample, read = history.sample, task.ahead.read_looks
    place = small(make_home, world)
    best = frozenset(sorted(wanted)[:2])

    def torn(job: history.InspectJob) -> Any:
        if job.scene.scene_id in best:
            raise ReadError("outage")
        return sample(job)

    def one_pixel(*what: Any, **more: Any) -> Iterator[Look]:
        for look in read(*what, **more):
            if look.scene.scene_id == max(wanted):
                look.reason[5, 5] = Reason.FAILED
            yield look

    with monkeypatch.context() as patched:
        patched.setattr(history, "sample", torn)
        assert [run.over(place, [world.nights[1]], local).exit_code for _ in range(2)] == [1, 1]
    with monkeypatch.context() as patched:
        patched.setattr(task.ahead, "read_looks", one_pixel)
        run.over(place, [world.nights[2]], local)
    assert normals(place) == []
    assert run.over(place, [world.nights[3]], local).exit_code == 0
    assert set(normal_scenes(place)) == wanted
    assert not list((place.state / AOI / "normals").glob("lost_*"))


def test_run_cut_off_before_its_note_does_not_keep_what_an_outage_has_cost(
    world: World, make_home: MakeHome, local: run.Options, wanted: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference lies there then, without a normal."""
    sample = history.sample
    place = small(make_home, world)

    def torn(job: history.InspectJob) -> Any:
        if job.scene.scene_id == min(wanted):
            raise ReadError("outage")
        return sample(job)

    def cut_off(*_: object, **__: object) -> Any:
        raise RuntimeError("cut off")

    with monkeypatch.context() as patched:
        patched.setattr(history, "sample", torn)
        with patched.context() as cut:
            cut.setattr(history, "note", cut_off)
            assert "cut off" in run.over(place, [world.nights[1]], local).nights[0].error
        assert run.over(place, [world.nights[1]], local).exit_code == 1
    assert run.over(place, [world.nights[2]], local).exit_code == 0
    assert set(normal_scenes(place)) == wanted


def test_scene_that_failed_on_some_tiles_is_read_on_all_where_its_day_is_forgotten() -> None:
    granule = grid.granule("44QLH")
    tiles = [grid.Tile(granule, grid.Window(0, col, 256, 256), box(0, 0, 1, 1)) for col in (0, 256)]
    scene = Scene("B", "", granule, datetime(2022, 3, 1, 5, tzinfo=UTC), None, None, None, (), ("B",))
    judged = Inspected(scene, (), Shift(0.0, 0.0, False, ""))
    before = Manifest(ledger={"B": {"state": "partly", "failed_tiles": [tiles[1].key]}})
    for again, expected in (
        (frozenset(), [(), (judged,)]),
        (frozenset({(granule, date(2022, 3, 1))}), [(judged,)] * 2),
    ):
        tonight: Any = SimpleNamespace(new={granule: (judged,)}, again=again)
        assert [jobs._scenes_for(tile, tonight, before) for tile in tiles] == expected


def test_what_a_scene_missed_is_added_up_over_the_nights_that_read_it() -> None:
    """A tile that could not be read tells nothing of it; its retry adds to what the others have told."""
    granule = grid.granule("44QLH")
    tiles = [grid.Tile(granule, grid.Window(0, col, 256, 256), box(0, 0, 1, 1)) for col in (0, 256)]
    scene = Scene("B", "", granule, datetime(2022, 3, 1, 5, tzinfo=UTC), None, None, None, (), ("B",))
    judged = Inspected(scene, (), Shift(0.0, 0.0, False, ""))

    def outcome(tile: grid.Tile, seen: dict[str, int], *unread: str) -> Any:
        answer = SimpleNamespace(seen={"B": seen}, unread=frozenset(unread))
        return SimpleNamespace(job=SimpleNamespace(tile=tile, new=(judged,)), result=answer)

    def night(before: Manifest, outcomes: list[Any], again: frozenset[Any] = frozenset()) -> Manifest:
        tonight: Any = SimpleNamespace(again=again, ledger={"B": {"state": "used"}})
        return Manifest(ledger=jobs.with_outcomes(tonight, before, outcomes))

    torn = outcome(tiles[1], {"failed": 9, "cloud": 1}, "B")
    first = night(Manifest(), [outcome(tiles[0], {"clear": 3, "cloud": 7}), torn])
    assert first.ledger["B"] == {"state": "partly", "failed_tiles": [tiles[1].key], "missed": {"cloud": 7}}
    whole = outcome(tiles[1], {"nodata": 6, "cloud": 4})
    assert night(first, [whole]).ledger["B"] == {"state": "used", "missed": {"cloud": 11, "nodata": 6}}
    forgotten = night(first, [whole], frozenset({(granule, date(2022, 3, 1))}))
    assert forgotten.ledger["B"]["missed"] == {"cloud": 4, "nodata": 6}


def test_note_that_is_broken_lets_the_history_be_gathered_again(
    world: World, make_home: MakeHome, local: run.Options
) -> None:
    place = small(make_home, world)
    assert run.over(place, [world.nights[1]], local).exit_code == 0
    (reference,) = (place.state / AOI / "normals").glob("reference_*")
    name = "_".join(reference.name.split("_")[1:3])
    (place.state / AOI / "normals" / f"lost_{name}.arrays").write_bytes(b"x")
    assert run.over(place, [world.nights[2]], local).exit_code == 0
    assert not list((place.state / AOI / "normals").glob("lost_*"))
    assert len(normals(place)) == 1


def test_looks_wait_where_the_normal_is_gone_and_its_history_cannot_be_read(
    world: World, make_home: MakeHome, local: run.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = small(make_home, world)
    assert run.over(place, [world.nights[1]], local).exit_code == 0
    for path in (place.state / AOI / "normals").glob("*_r*.arrays"):
        path.unlink()
    with monkeypatch.context() as patched:
        patched.setattr(history, "gather", lambda *_, **__: history.History((), ()))
        (night,) = run.over(place, [world.nights[2]], local).nights
        assert "no normal, since no history could be read; tonight's looks are tried again" in night.error
    assert run.over(place, [world.nights[3]], local).exit_code == 0
    assert days_of_looks(place) == {str(night) for night in world.nights}


def test_normal_of_another_size_fails_once_and_is_built_anew(
    world: World, make_home: MakeHome, local: run.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = small(make_home, world)
    assert run.over(place, [world.nights[1]], local).exit_code == 0
    monkeypatch.setattr(task, "near", lambda tile, _: tile.window.grown(64))  # a model that sees further
    (night,) = run.over(place, [world.nights[2]], local).nights
    assert "it is built anew next night" in night.error
    assert normals(place) == []
    assert run.over(place, [world.nights[3]], local).exit_code == 0
    assert days_of_looks(place) == {str(night) for night in world.nights}


def test_pixel_beside_the_tile_that_cannot_be_read_lets_the_look_be_read_again(
    world: World, make_home: MakeHome, local: run.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = task.ahead.read_looks

    def torn(*what: Any, **more: Any) -> Iterator[Look]:
        """What is left where one of two files of a look cannot be read and the other ends."""
        for look in read(*what, **more):
            if look.scene.solar_day == world.nights[2]:
                beside = (look.window.height - 256) // 2 - 4
                look.reason[beside, beside] = Reason.FAILED
            yield look

    place = small(make_home, world)
    with monkeypatch.context() as patched:
        patched.setattr(task.ahead, "read_looks", torn)
        report = run.over(place, list(world.nights[1:3]), local)
    assert report.exit_code == 1
    assert [scene["state"] for key, scene in left(place).ledger.items() if "20220311" in key] == ["partly"]
    assert str(world.nights[2]) not in days_of_looks(place)
    assert run.over(place, [world.nights[3]], local).exit_code == 0
    assert days_of_looks(place) == {str(night) for night in world.nights}


def test_tile_that_was_never_done_is_blind_in_the_books_too(
    world: World, make_home: MakeHome, local: run.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = task.run

    def half(job: task.TileJob) -> task.TileAnswer:
        if job.tile.key == lost:
            raise ReadError("out of reach")
        return done(job)

    place, whole = make_home(), make_home()
    assert run.over(whole, [world.nights[0]], local).exit_code == 0
    lost = min(left(whole).tiles)
    monkeypatch.setattr(task, "run", half)
    assert run.over(place, list(world.nights[:2]), local).exit_code == 1
    manifest = left(place)
    assert lost not in manifest.tiles
    assert set(manifest.clear_days[lost]) == {""}
    told = json.loads(_run_json(place).read_text())
    (found,) = status.read(place, world.nights[1], ()).aois
    assert found.blind_pct == told["blind_pct"] > 0
    (later,) = status.read(place, world.nights[1] + timedelta(days=30), ()).aois
    assert lost in {blind.tile for blind in later.blind_tiles}


def test_outline_made_smaller_forgets_the_tiles_that_it_has_left(
    world: World, make_home: MakeHome, local: run.Options
) -> None:
    place, control = make_home(), small(make_home, world)
    assert run.over(place, [world.nights[1]], local).exit_code == 0
    redraw(place, world, 0.3)
    run.over(place, list(world.nights[2:]), local)
    run.over(control, list(world.nights[1:]), local)
    told, wanted = (json.loads(_run_json(home).read_text())["blindness"] for home in (place, control))
    assert told == wanted
    assert set(left(place).tiles) == set(left(control).tiles)
    assert set(left(place).clear_days) == set(left(control).clear_days)


def _run_json(place: run.Home) -> Path:
    return place.out / "latest" / AOI / "run.json"


def test_scene_that_is_clouded_over_is_a_look_that_saw_cloud(
    copied_world: World, make_home: MakeHome, world: World
) -> None:
    """Processed since the offset came: too little ground to tell whether it is in, and none of it is used."""
    collection = json.loads(copied_world.items.read_text())
    last = [f for f in collection["features"] if f["properties"]["datetime"].startswith(str(world.nights[3]))]
    assert last
    for feature in last:
        assert feature["properties"]["s2:processing_baseline"] >= "04.00"
        path = copied_world.items.parent / feature["assets"]["scl"]["href"]
        with rasterio.open(path) as source:
            profile, values = source.profile, source.read(1)
        values[values > 0] = 9
        profile.pop("blockxsize", None), profile.pop("blockysize", None)
        with rasterio.open(path, "w", **(profile | {"driver": "GTiff", "tiled": False})) as target:
            target.write(values, 1)
    place = small(make_home, world)
    options = run.Options(catalog=str(copied_world.items), workers=0)
    report = run.over(place, list(world.nights[2:]), options)
    assert report.exit_code == 0
    entries = [entry for entry in left(place).ledger.values() if entry["sensed"].startswith(str(world.nights[3]))]
    assert [entry["state"] for entry in entries] == ["used"]
    assert max(entries[0]["missed"], key=entries[0]["missed"].__getitem__) == "cloud"
    with rasterio.open(place.out / "latest" / AOI / "seen.tif") as seen:
        ages, reasons = seen.read(1), seen.read(2)
    told = json.loads(_run_json(place).read_text())
    assert set(told["seen"]) == {name for name in told["seen"] if "202203" in name}
    assert (reasons[reasons != 255] == Reason.CLOUD).mean() > 0.9
    assert ages.max() > 0
    assert str(world.nights[3]) not in days_of_looks(place)
