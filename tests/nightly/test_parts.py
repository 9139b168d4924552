"""Crops and parts: the surroundings of an alert come together as they were, however the granule was cut."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapely import LineString, Polygon, box

from pipeline import config, grid, schema
from pipeline.depot import Folder
from pipeline.detect import evidence
from pipeline.grid import Tile, Window
from pipeline.nightly import crops, parts
from pipeline.schema import KINDS, MARK, Alert, Change, Detection, Kind, Look, Scene, Status

GRANULE = grid.granule("43RGM")
HALO = 32
SIDE = 256
SCENE = Scene("S2A_43RGM_one", "sentinel-2a", GRANULE, datetime(2025, 11, 1, tzinfo=UTC), None, None, None, (), ())


def marks_of(pixels: list[tuple[int, int]], kind: Kind = Kind.CLEARING) -> np.ndarray:
    found = np.zeros(len(pixels), MARK)
    found["row"], found["col"] = np.array(pixels).T
    found["kind"] = KINDS.index(kind)
    return found


def block(row: int, col: int, height: int, width: int) -> list[tuple[int, int]]:
    return [(row + y, col + x) for y in range(height) for x in range(width)]


def place_coded(window: Window) -> np.ndarray:
    """(y, x) float32: the value tells the place on the granule grid."""
    rows = np.arange(window.row, window.row + window.height)[:, None]
    cols = np.arange(window.col, window.col + window.width)[None]
    return (rows * 20_000 + cols).astype(np.float32)


def cut(tile: Tile, marks: np.ndarray, folder: Path, *, seen: bool = True) -> tuple[crops.Crop, ...]:
    """Crops of a tile whose pixels know where they are."""
    around = tile.window.grown(HALO)
    pixels = np.broadcast_to(place_coded(around), (6, *around.shape)).copy()
    reason = np.zeros(around.shape, np.uint8)
    probability = np.broadcast_to(place_coded(tile.window), (3, *tile.window.shape)).copy()
    if not seen:
        probability[:] = np.nan
    look = Look(SCENE, around, schema.look_pixels(pixels, reason, GRANULE, around))
    count = np.ones(around.shape, np.uint8)
    weight = np.full(tile.window.shape, 16, np.uint8)
    normal = schema.Normal(around, schema.normal_pixels(pixels, pixels, count, GRANULE, around), ())
    spool = crops.Spool(folder / "spool" / tile.key, tile)
    spool.add(look, Change(tile, SCENE.scene_id, SCENE.sensed, probability, probability[0], weight))
    before = evidence.empty(tile.window.shape)
    judged = crops.Judged(tile, tile.owned(), normal, before, marks, config.Rules())
    found = spool.cut(judged, Folder(folder / "crops"))
    assert not (folder / "spool" / tile.key).exists()
    return found


def tile_at(row: int, col: int, side: int = SIDE) -> Tile:
    window = Window(row, col, side, side)
    return Tile(GRANULE, window, box(*GRANULE.window_bounds(window)))


def table(tiles: list[Tile], marks: np.ndarray, folder: Path, **more: Any) -> parts.Table:
    marks = np.sort(marks, order=["kind", "row", "col"])
    inside = [marks[parts._inside(marks, tile.window)] for tile in tiles]
    kept = tuple(c for tile, mine in zip(tiles, inside, strict=True) for c in cut(tile, mine, folder, **more))
    scenes = (SCENE.scene_id, "never")
    return parts.Table(GRANULE, marks, crops.groups(marks), kept, HALO, LineString(), scenes, ("n1",))


def alert_on(pixels: list[tuple[int, int]], kind: Kind = Kind.CLEARING) -> Alert:
    rows, cols = np.array(pixels).T
    window = Window(int(rows.min()), int(cols.min()), int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1)
    shape: Polygon = grid.reproject(box(*GRANULE.window_bounds(window)), GRANULE.epsg, 4326)
    day = date(2025, 11, 1)
    numbers = (100.0 * len(pixels), 0.0, 0.0, (0.9, 0.0, 0.0), 0.9, 1, 1)
    found = Detection(kind, shape, shape, *numbers, day, day, 4.0, "43RGM")
    return Alert("VW-AAAAAAAA", "hills", Status.POSSIBLE, found, None, 0.0, (), (), (), (), "m")


def test_around_one_tile_everything_lies_where_it_was(tmp_path: Path) -> None:
    pixels = block(100, 120, 6, 9)
    part = parts.around(alert_on(pixels), table([tile_at(0, 0)], marks_of(pixels), tmp_path))
    assert part is not None
    assert part.window == Window(100, 120, 6, 9).grown(HALO)
    expected = place_coded(part.window)
    (look,) = part.looks
    assert (look.layers["reflectance"] == expected).all()
    assert (part.normal == expected).all()
    inner = Window(100, 120, 6, 9).within(part.window)
    assert part.own[inner].all()
    assert part.own.sum() == 54
    assert (look.layers["probability"][:, *inner] == expected[inner]).all()
    assert part.unseen == ("never",)
    assert part.normal_scenes == ("n1",)


def test_around_cut_through_by_tiles_gives_the_same(tmp_path: Path) -> None:
    pixels = block(250, 250, 12, 12)
    marks, alert = marks_of(pixels), alert_on(pixels)
    four = [tile_at(row, col) for row in (0, SIDE) for col in (0, SIDE)]
    whole = parts.around(alert, table([tile_at(0, 0, 2 * SIDE)], marks, tmp_path / "one"))
    cut_up = parts.around(alert, table(four, marks, tmp_path / "four"))
    assert whole is not None
    assert cut_up is not None
    assert cut_up.window == whole.window
    assert (cut_up.own == whole.own).all()
    assert (cut_up.looks[0].layers["reflectance"] == whole.looks[0].layers["reflectance"]).all()
    assert (cut_up.normal == whole.normal).all()
    assert set(cut_up.before) == set(whole.before)


def test_around_neighbour_within_reach_belongs_to_it_and_one_further_off_does_not(tmp_path: Path) -> None:
    mine, near, far = block(100, 100, 5, 5), block(100, 109, 5, 5), block(100, 140, 5, 5)
    part = parts.around(alert_on(mine), table([tile_at(0, 0)], marks_of(mine + near + far), tmp_path))
    assert part is not None
    assert len(part.marks) == 50
    assert not part.own[100 - part.window.row, 140 - part.window.col :].any()


def test_around_another_group_within_the_window_is_left_out(tmp_path: Path) -> None:
    corner = block(100, 100, 40, 2) + block(138, 102, 2, 38)
    other = block(108, 128, 4, 4)
    alert = alert_on(block(100, 100, 40, 2))
    part = parts.around(alert, table([tile_at(0, 0)], marks_of(corner + other), tmp_path))
    assert part is not None
    assert len(part.marks) == len(corner)
    rows, cols = np.array(other).T
    assert not part.own[rows - part.window.row, cols - part.window.col].any()
    assert part.own[110 - part.window.row, 110 - part.window.col]


def test_around_unseen_tonight_keeps_the_marks_and_has_no_looks(tmp_path: Path) -> None:
    pixels = block(100, 120, 6, 9)
    part = parts.around(alert_on(pixels), table([tile_at(0, 0)], marks_of(pixels), tmp_path, seen=False))
    assert part is not None
    assert (len(part.marks), part.looks) == (54, ())
    assert not part.own.any()


@pytest.mark.parametrize("kind", [Kind.CAMP, Kind.TRACK])
def test_around_no_mark_of_its_kind_under_the_alert_is_none(tmp_path: Path, kind: Kind) -> None:
    pixels = block(100, 120, 6, 9)
    assert parts.around(alert_on(pixels, kind), table([tile_at(0, 0)], marks_of(pixels), tmp_path)) is None


def test_cut_lone_pixels_are_kept_only_where_a_neighbouring_tile_may_have_the_rest(tmp_path: Path) -> None:
    tile = tile_at(0, 0)
    found = cut(tile, marks_of([(100, 100), (100, 250)]), tmp_path)
    assert [crop.window for crop in found] == [Window(100, 250, 1, 1)]


def test_groups_join_what_lies_within_a_cell_and_part_what_lies_two_cells_apart() -> None:
    numbers = crops.groups(marks_of([(0, 0), (0, 8), (0, 24), (15, 15)]))
    assert len(set(numbers[[0, 1, 3]])) == 1
    assert numbers[2] != numbers[0] or numbers[2] == numbers[3]
    assert len(crops.groups(marks_of([(0, 0)])[:0])) == 0
