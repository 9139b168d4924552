"""The rasters of nights: what is the same as the night before is not made again, and nothing hurts that."""

import json
import os
import shutil
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from shapely import box

from pipeline import grid
from pipeline.depot import Depot
from pipeline.errors import StateError, WriteError
from pipeline.nightly import drawn, run, tilefile
from pipeline.publish import rasters
from tests.nightly.planted import World

AOI = "planted-world"


def nights(place: run.Home, world: World, *numbers: int) -> list[Path]:
    options = run.Options(catalog=str(world.items), workers=0)
    folders = []
    for number in numbers:
        report = run.nightly(place, world.nights[number], options)
        assert report.exit_code == 0
        folders.append(place.out / world.nights[number].isoformat() / AOI)
    return folders


def test_before_of_the_same_normals_is_the_file_of_the_night_before_and_else_made_alike(
    world: World, first_night: run.Home
) -> None:
    place, first = first_night, first_night.out / world.nights[0].isoformat() / AOI
    [second] = nights(place, world, 1)
    assert os.path.samefile(first / "before.tif", second / "before.tif")
    told = [json.loads((folder / "run.json").read_text())["rasters"]["before"] for folder in (first, second)]
    assert told[0] == told[1]
    assert list(told[0]["files"]) == ["before.tif"]
    content, run_json = (second / "before.tif").read_bytes(), facts(second)
    shutil.rmtree(first)
    nights(place, world, 1)
    assert (second / "before.tif").read_bytes() == content
    assert facts(second) == run_json
    with (second / "before.tif").open("r+b") as touched:
        touched.write(b"an analyst's tool")
    [third] = nights(place, world, 2)
    assert (third / "before.tif").read_bytes() == content
    assert not os.path.samefile(second / "before.tif", third / "before.tif")


def test_rasters_of_a_night_without_a_look_are_those_of_the_night_before_and_else_made_alike(
    world: World, make_home: Callable[..., run.Home], local: run.Options
) -> None:
    place = make_home()
    [first] = nights(place, world, 0)
    quiet = [world.nights[0] + timedelta(days=days) for days in (1, 2)]
    assert run.over(place, quiet, local).exit_code == 0
    folders = [place.out / night.isoformat() / AOI for night in quiet]
    for name in ("change.tif", "after.tif", "before.tif"):
        assert all(os.path.samefile(first / name, folder / name) for folder in folders)
    assert len({(folder / "seen.tif").read_bytes() for folder in (first, *folders)}) == 3  # a day more each
    wanted = {name: (folders[1] / name).read_bytes() for name in ("change.tif", "after.tif")}
    told = facts(folders[1])
    shutil.rmtree(folders[0])
    assert run.over(place, quiet[1:], local).exit_code == 0
    assert not os.path.samefile(first / "change.tif", folders[1] / "change.tif")
    assert {name: (folders[1] / name).read_bytes() for name in wanted} == wanted
    assert facts(folders[1]) == told
    [with_a_look] = nights(place, world, 1)
    assert not os.path.samefile(folders[1] / "change.tif", with_a_look / "change.tif")
    assert (with_a_look / "after.tif").read_bytes() != wanted["after.tif"]


def test_gap_of_a_tile_that_cannot_be_read_is_not_taken_over_by_the_next_night(
    world: World, make_home: Callable[..., run.Home], local: run.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, control = make_home(), make_home()
    quiet = world.nights[0] + timedelta(days=1)

    def once_out_of_reach(*_: object) -> None:
        monkeypatch.undo()
        raise StateError("out of reach for a moment")

    nights(control, world, 0)
    monkeypatch.setattr(drawn, "take", once_out_of_reach)
    nights(place, world, 0)
    for home in (place, control):
        assert run.over(home, [quiet], local).exit_code == 0
    gap, whole = (home.out / world.nights[0].isoformat() / AOI / "change.tif" for home in (place, control))
    assert gap.read_bytes() != whole.read_bytes()
    mended, same = (home.out / quiet.isoformat() / AOI / "change.tif" for home in (place, control))
    assert mended.read_bytes() == same.read_bytes() == whole.read_bytes()


def test_before_shows_a_tile_whose_first_night_failed_after_its_normal_was_kept(
    world: World, make_home: Callable[..., run.Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    save, refused = tilefile.save, list[str]()

    def once_full(depot: Depot, file: str, layers: tilefile.Layers) -> None:
        if not refused:
            refused.append(file)
            raise WriteError("full for a moment")
        save(depot, file, layers)

    place, control = make_home(), make_home()
    with monkeypatch.context() as patched:
        patched.setattr(tilefile, "save", once_full)
        assert run.nightly(place, world.nights[0], run.Options(catalog=str(world.items), workers=0)).exit_code == 1
    nights(control, world, 0)
    [found], [wanted] = nights(place, world, 1), nights(control, world, 1)
    assert (found / "before.tif").read_bytes() == (wanted / "before.tif").read_bytes()


def facts(folder: Path) -> dict[str, object]:
    told: dict[str, object] = json.loads((folder / "run.json").read_text())
    return {name: value for name, value in told.items() if name != "timings"}


def test_drawn_arrays_come_back_once(tmp_path: Path) -> None:
    tile, other = grid.tiles_over(box(77.0, 29.0, 77.03, 29.02), tile_px=256)[:2]
    arrays = {name: np.full((2, 3, 4), number, np.uint16) for number, name in enumerate(drawn.NAMES)}
    drawn.put(tmp_path, tile, arrays)
    assert drawn.take(tmp_path, other) is None
    found = drawn.take(tmp_path, tile)
    assert found is not None
    assert all(np.array_equal(found[name], arrays[name]) for name in drawn.NAMES)
    assert drawn.take(tmp_path, tile) is None
    assert not list((tmp_path / "drawn").iterdir())


def mosaics_peak(folder: Path, width: float) -> tuple[int, int]:
    """Tiles, and the most bytes that arrays took at a time while they went from scratch into mosaics."""
    folder.mkdir()
    tiles = grid.tiles_over(box(77.0, 29.0, 77.0 + width, 29.05), tile_px=512)
    for tile in tiles:
        change = np.full((3, *tile.window.shape), 0.5, np.float32)
        pixels = np.full((6, *tile.window.shape), 700, np.uint16)
        drawn.put(folder, tile, {"change": change, "after": pixels, "seen": pixels[:2]})
    layers = {name: rasters.LAYERS[name] for name in drawn.NAMES}
    tracemalloc.start()
    try:
        with rasters.Mosaics(folder, layers, tiles) as mosaics:
            for tile in tiles:
                for name, values in (drawn.take(folder, tile) or {}).items():
                    mosaics.add(name, tile, values)
        return len(tiles), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_d15_mosaics_memory_does_not_grow_with_the_area(tmp_path: Path) -> None:
    few, least = mosaics_peak(tmp_path / "few", 0.05)
    many, most = mosaics_peak(tmp_path / "many", 0.4)
    assert many >= 4 * few
    assert most < 1.2 * least
