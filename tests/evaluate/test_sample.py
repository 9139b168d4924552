"""Drawing a sample of a night's map, filling it in with the truth, and what that says of the map."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from shapely.geometry import box, mapping

from pipeline import grid
from pipeline.errors import ConfigError, StateError
from pipeline.evaluate import sample
from pipeline.publish import rasters

EPSG, LEFT, TOP, SIDE = 32644, 400_000, 2_200_000, 300
UNSEEN_ROWS = 20


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """A clearing of 30 x 30 pixels and a camp of 2 x 2; the last rows were never seen, the first column is outside."""
    folder = tmp_path / "2026-05-01" / "hills"
    folder.mkdir(parents=True)
    days = np.full((1, SIDE, SIDE), 3, np.uint16)
    days[:, -UNSEEN_ROWS:], days[:, :, 0] = rasters.NEVER, rasters.OUTSIDE
    transform = rasterio.Affine(10, 0, LEFT, 0, -10, TOP)
    profile: dict[str, Any] = {"driver": "GTiff", "dtype": "uint16", "count": 1, "crs": f"EPSG:{EPSG}"}
    with rasterio.open(folder / "seen.tif", "w", height=SIDE, width=SIDE, transform=transform, **profile) as target:
        target.write(days)
    alerts = [alert("clearing", 100, 100, 30), alert("camp", 200, 50, 2)]
    (folder / "alerts.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": alerts}))
    (folder / "run.json").write_text(json.dumps({"aoi": "hills", "as_of": "2026-05-01"}))
    return folder


def alert(kind: str, row: int, col: int, side: int) -> dict[str, Any]:
    ground = box(LEFT + 10 * col, TOP - 10 * (row + side), LEFT + 10 * (col + side), TOP - 10 * row)
    shape = mapping(grid.reproject(ground, EPSG, 4326))
    return {"type": "Feature", "properties": {"kind": kind, "width_m": 0.0}, "geometry": shape}


def filled(path: Path, *, missed: bool) -> None:
    """Let people say what is there: the clearing is half as wide, and a clearing elsewhere was missed."""
    collection = json.loads(path.read_text())
    for feature in collection["features"]:
        x, y = grid.transformer(4326, EPSG).transform(*feature["geometry"]["coordinates"])
        row, col = (TOP - y) // 10, (x - LEFT) // 10
        there = "clearing" if 100 <= row < 130 and 100 <= col < 115 else "none"
        there = "camp" if 200 <= row < 202 and 50 <= col < 52 else there
        feature["properties"]["reference"] = "Clearing " if missed and row < 30 and col < 100 else there
    path.write_text(json.dumps(collection))


def test_draw_counts_strata_and_tells_nobody_where_they_are(night: Path, tmp_path: Path) -> None:
    found = sample.draw(night, tmp_path / "s.geojson", each=40, elsewhere=100, seed=1)
    assert (found.pixels["clearing"], found.pixels["camp"], found.pixels["track"]) == (900, 4, 0)
    assert sum(found.pixels.values()) == (SIDE - UNSEEN_ROWS) * (SIDE - 1)
    assert found.unseen_ha == pytest.approx(UNSEEN_ROWS * (SIDE - 1) / 100)
    assert found.points == 40 + 4 + 40 + 100
    text = (tmp_path / "s.geojson").read_text()
    assert not any(word in text for word in (*sample.STRATA,))
    again = sample.draw(night, tmp_path / "t.geojson", each=40, elsewhere=100, seed=1)
    assert (tmp_path / "t.geojson").read_text() == text
    assert again.points == found.points
    sample.draw(night, tmp_path / "u.geojson", each=40, elsewhere=100, seed=2)
    assert (tmp_path / "u.geojson").read_text() != text


def test_draw_in_blocks_is_the_same_as_in_one(night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every point lies in its stratum, whatever the size of the blocks."""
    monkeypatch.setattr(sample, "_BLOCK_PX", 64)
    found = sample.draw(night, tmp_path / "s.geojson", each=40, elsewhere=100, seed=1)
    assert found.pixels["clearing"] == 900
    stratum = json.loads(Path(found.design).read_text())["stratum"]
    for feature in json.loads((tmp_path / "s.geojson").read_text())["features"]:
        x, y = grid.transformer(4326, EPSG).transform(*feature["geometry"]["coordinates"])
        row, col = (TOP - y) / 10, (x - LEFT) / 10
        assert 1 <= col < SIDE
        assert 0 <= row < SIDE - UNSEEN_ROWS
        in_clearing = 100 <= row < 130 and 100 <= col < 130
        assert in_clearing == (stratum[feature["properties"]["sample_id"]] == "clearing")


@pytest.mark.parametrize("missed", [False, True])
def test_judge_says_what_is_right_and_what_was_missed(night: Path, tmp_path: Path, missed: bool) -> None:
    path = tmp_path / "s.geojson"
    sample.draw(night, path, each=200, elsewhere=400, seed=1)
    filled(path, missed=missed)
    found = sample.judge(path)
    clearing = found.accuracy.classes["clearing"]
    assert clearing.users is not None
    assert clearing.producers is not None
    assert abs(clearing.users.value - 0.5) < clearing.users.plus_minus < 0.1
    there = 450 + (30 * 99 if missed else 0)
    assert abs(clearing.producers.value - 450 / there) <= clearing.producers.plus_minus + 1e-9
    assert abs(clearing.area.value * found.accuracy.pixels - there) < clearing.area.plus_minus * found.accuracy.pixels
    assert (found.aoi, found.night, found.open, found.unsure) == ("hills", "2026-05-01", 0, 0)


def test_judge_reads_csv_and_leaves_out_what_is_open_or_unsure(night: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.geojson"
    sample.draw(night, path, each=40, elsewhere=100, seed=1)
    filled(path, missed=False)
    rows = [feature["properties"] for feature in json.loads(path.read_text())["features"]]
    rows[0]["reference"], rows[1]["reference"] = "", "unsure"
    with (tmp_path / "s.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        table.writerows(rows)
    found = sample.judge(tmp_path / "s.csv")
    assert (found.open, found.unsure, found.accuracy.looked_at) == (1, 1, len(rows) - 2)


def test_judge_leaves_out_a_stratum_of_which_nobody_can_tell_and_counts_lost_rows(night: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.geojson"
    found = sample.draw(night, path, each=40, elsewhere=100, seed=1)
    filled(path, missed=False)
    stratum = json.loads(Path(found.design).read_text())["stratum"]
    collection = json.loads(path.read_text())
    for feature in collection["features"]:
        if stratum[feature["properties"]["sample_id"]] == "camp":
            feature["properties"]["reference"] = "unsure"
    lost = [f for f in collection["features"] if stratum[f["properties"]["sample_id"]] == "elsewhere"][:7]
    collection["features"] = [feature for feature in collection["features"] if feature not in lost]
    path.write_text(json.dumps(collection))
    judged = sample.judge(path)
    assert (judged.unjudged, judged.unsure, judged.open) == ({"camp": 4}, 4, 7)
    assert judged.accuracy.pixels == sum(found.pixels.values()) - 4
    assert judged.accuracy.classes["camp"].users is None


def test_judge_where_nobody_could_tell_anything_is_an_error_though_a_stratum_is_empty(
    night: Path, tmp_path: Path
) -> None:
    path = tmp_path / "s.geojson"
    assert sample.draw(night, path, each=5, elsewhere=5, seed=1).pixels["track"] == 0
    collection = json.loads(path.read_text())
    for feature in collection["features"]:
        feature["properties"]["reference"] = "unsure"
    path.write_text(json.dumps(collection))
    with pytest.raises(ConfigError, match="of no stratum two points tell"):
        sample.judge(path)


def test_judge_takes_a_spreadsheet_with_empty_rows_and_says_what_is_no_utf8(night: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.geojson"
    sample.draw(night, path, each=5, elsewhere=5, seed=1)
    filled(path, missed=False)
    rows = [feature["properties"] for feature in json.loads(path.read_text())["features"]]
    lines = [
        "sample_id;reference;note",
        *(f"{int(row['sample_id'])};{row['reference']};für" for row in rows),
        ";;",
        ";;",
    ]
    table, text = tmp_path / "s.csv", "\r\n".join(lines)
    table.write_bytes(text.encode("utf-8-sig"))
    assert sample.judge(table) == sample.judge(path)
    table.write_bytes(text.encode("cp1252"))
    with pytest.raises(ConfigError, match=r"s\.csv: is not UTF-8; save it as CSV UTF-8"):
        sample.judge(table)


@pytest.mark.parametrize("name", ["seen.tif", "alerts.geojson", "run.json"])
def test_draw_of_a_damaged_night_is_one_line_and_leaves_nothing(night: Path, tmp_path: Path, name: str) -> None:
    content = (night / name).read_bytes()
    (night / name).write_bytes(content[: min(40, len(content) // 2)])
    with pytest.raises(StateError, match=rf"{name}: not readable"):
        sample.draw(night, tmp_path / "s.geojson", each=40, elsewhere=100, seed=1)
    assert not list(tmp_path.glob("*s.*"))


def test_wrong_input_is_one_line(night: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.geojson"
    with pytest.raises(ConfigError, match=r"s\.geojson: no such file"):
        sample.judge(path)
    with pytest.raises(ConfigError, match="no published night"):
        sample.draw(tmp_path, path, each=2, elsewhere=2, seed=1)
    sample.draw(night, path, each=40, elsewhere=100, seed=1)
    with pytest.raises(ConfigError, match="is there already"):
        sample.draw(night, path, each=40, elsewhere=100, seed=1)
    with pytest.raises(ConfigError, match="of stratum 'clearing' 0 points tell what is there, two are needed"):
        sample.judge(path)
    whole = path.read_text()
    for wrong, line in (
        (whole.replace('"reference": ""', '"reference": "forest"', 1), "reference 'forest': use clearing, camp"),
        (whole.replace('"0001"', '"0002"'), "is not in the design, or there twice"),
        (whole.replace('"reference"', '"label"'), "has no column reference"),
        ("{", "not readable"),
    ):
        path.write_text(wrong)
        with pytest.raises(ConfigError, match=line):
            sample.judge(path)
    path.write_text(whole)
    drawn = sample.design_of(path).read_text()
    fewer, words = drawn.replace('"clearing": 900', '"clearing": 3'), drawn.replace('"camp": 4', '"camp": "4"')
    assert len({drawn, fewer, words}) == 3
    for design in ("[]", "{", '{"format": 1}', fewer, words):
        sample.design_of(path).write_text(design)
        with pytest.raises(ConfigError, match="not the design of a sample"):
            sample.judge(path)
    sample.design_of(path).unlink()
    with pytest.raises(ConfigError, match="the design of a sample must lie beside it"):
        sample.judge(path)
