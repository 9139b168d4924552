"""The night's folder in QGIS itself: nothing missing, everything drawn, a verdict typed there comes back."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.publish import verdicts
from pipeline.publish.columns import COLUMNS
from tests.publish import planted

SYSTEM_PYTHON = "/usr/bin/python3"
PROGRAM = Path(__file__).with_name("qgis_program.py")


def environment() -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GDAL", "PROJ"))}
    return mine | {"QT_QPA_PLATFORM": "offscreen", "LC_ALL": "C.UTF-8"}


def has_qgis() -> bool:
    if not Path(SYSTEM_PYTHON).exists():
        return False
    command = [SYSTEM_PYTHON, "-c", "import qgis.core"]
    return subprocess.run(command, capture_output=True, env=environment(), check=False).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not has_qgis(), reason="QGIS (Debian's qgis and python3-qgis) is not installed"),
]


def program(*words: object) -> Any:
    command = [SYSTEM_PYTHON, str(PROGRAM), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def moved(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The night's folder somewhere else, with a space in its name: nothing in it may lean on where it was made."""
    folder = tmp_path_factory.mktemp("moved") / "another place"
    shutil.copytree(published, folder)
    return folder


@pytest.fixture(scope="module")
def seen(moved: Path, pictures: Path) -> dict[str, Any]:
    found: dict[str, Any] = program("look", moved, pictures)
    return found


def test_project_opens_without_a_missing_layer_wherever_its_folder_lies(seen: dict[str, Any], moved: Path) -> None:
    assert seen["opened"]
    assert seen["invalid"] == []
    assert all(source.startswith(str(moved)) for source in seen["sources"])
    assert seen["crs"] == "EPSG:32643"
    assert {crs for name, crs in seen["layer_crs"].items() if "after" in name} == {"EPSG:32643"}
    assert seen["layer_crs"]["vanwatch_alerts"] == "EPSG:4326"


def test_project_every_layer_is_drawn_alerts_on_top(seen: dict[str, Any]) -> None:
    assert [name for name, share in seen["drawn"].items() if share == 0] == []
    assert seen["drawn"]["vanwatch_after_true"] > 0.8
    assert seen["order"][:4] == ["vanwatch_tracks", "vanwatch_alerts", "vanwatch_blind", "vanwatch_aoi"]
    context = [name for name in seen["order"] if "context" in name]
    assert seen["order"][4 : 4 + len(context)] == context
    assert [name.removeprefix("vanwatch_context_") for name in context] == [
        "settlement_points",
        "road_lines",
        "border_lines",
        "settlement_areas",
        "permit_areas",
        "protected_areas",
    ]
    assert seen["themes"] == sorted(seen["themes"])
    assert {"Before, true colour", "After, SWIR, NIR, red"} <= set(seen["themes"])


def test_project_map_shows_the_clearing_in_its_colours(seen: dict[str, Any], pictures: Path) -> None:
    assert seen["map"] > 0.8
    pixels = np.asarray(Image.open(pictures / "map.png").convert("RGB")).reshape(-1, 3).astype(int)
    colours = {
        "clearing": (255, 210, 31),
        "track": (53, 208, 255),
        "reserve": (126, 224, 138),
        "permit": (255, 159, 67),
    }
    for colour in colours.values():
        assert (np.abs(pixels - colour).max(axis=1) < 30).sum() > 50


def test_d27_project_temporal_controller_runs_over_the_alerts_and_shows_each_from_its_first_day(
    seen: dict[str, Any],
) -> None:
    assert seen["range"] == ["2025-10-31", "2025-11-08"]
    assert seen["temporal"]["2025-10-30"] == [0, 0]
    assert all(share > 0 for share in seen["temporal"]["2025-11-03"])


def test_project_form_offers_the_verdicts_and_guards_the_rest(seen: dict[str, Any]) -> None:
    form = seen["form"]
    assert form["widget"] == "ValueMap"
    assert [next(iter(choice.values())) for choice in form["choices"]] == ["", "confirmed", "dismissed", "unsure"]
    assert sorted(form["editable"]) == ["fid", "note", "verdict", "verdict_by"]
    assert form["tabs"][0] == "Verdict"
    assert {form["titles"][column.name] for column in COLUMNS} == {column.title for column in COLUMNS}
    assert form["types"]["first_seen"] == "DateTime"


def test_project_map_tips_show_pictures_that_exist(seen: dict[str, Any], moved: Path) -> None:
    for text, name in zip(seen["tips"], ("VW-AAAAAAAA", "VW-TTTTTTTT"), strict=True):
        assert name in text
        assert "[%" not in text
        for ending in ("before", "after"):
            assert f"file:///{moved}/chips/{name}_{ending}.jpg" in text
            assert (moved / "chips" / f"{name}_{ending}.jpg").read_bytes().startswith(b"\xff\xd8")


def test_project_map_tip_shows_a_note_as_it_was_typed(seen: dict[str, Any]) -> None:
    assert "stumps &lt;1 y?" in seen["tips"][0]


def test_project_sheets_one_page_for_each_open_alert(seen: dict[str, Any], pictures: Path) -> None:
    assert seen["sheets"] == {"Alert sheet": [0, 0], "Track sheet": [0]}
    page = np.asarray(Image.open(pictures / "Alert_sheet_0.png").convert("L"))
    assert page.shape[1] > page.shape[0]
    assert page.std() > 40


@pytest.fixture
def judging(published: Path, tmp_path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """QGIS has saved a verdict and still holds the file open."""
    folder = tmp_path / "night"
    shutil.copytree(published, folder)
    command = [SYSTEM_PYTHON, str(PROGRAM), "judge", str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as opened:
        assert opened.stdin
        assert opened.stdout
        yield folder, json.loads(opened.stdout.readline())
        opened.stdin.write("\n")


def test_d29_verdict_typed_in_qgis_comes_back_while_qgis_holds_the_file_open(
    judging: tuple[Path, dict[str, Any]],
) -> None:
    folder, said = judging
    assert said == {"saved": True}
    (found,) = verdicts.read_verdicts(folder / "alerts.gpkg")
    assert (found.alert_id, found.verdict, found.note) == ("VW-CCCCCCCC", "dismissed", "road works")
    assert found.on is not None


def test_d29_night_run_again_while_qgis_holds_the_file_open_loses_nothing(
    judging: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, _ = judging
    verdicts.set_aside(folder, tmp_path / "edited")
    assert not (folder / "alerts.gpkg").exists()
    (found,) = verdicts.read_verdicts(tmp_path / "edited" / "0001.gpkg")
    assert found.verdict == "dismissed"


def test_geojson_dragged_in_wears_the_style_beside_it(published: Path, pictures: Path) -> None:
    found = program("geojson", published, pictures)
    assert {shape: one["count"] for shape, one in found.items()} == {"Polygon": 3, "LineString": 1}
    for one in found.values():
        assert one["renderer"] == "RuleRenderer"
        assert one["date"] == "first_seen"
        assert one["drawn"] > 0
        assert "caution: season" in one["tip"]
        assert planted.AREA.id not in one["tip"]


def test_rasters_dragged_in_are_shown_in_true_colour(published: Path, pictures: Path) -> None:
    found = program("raster", published, pictures)
    for one in found.values():
        assert [band.split(": ")[1].split(" ")[0] for band in one["bands"]] == ["B04", "B03", "B02"]
        assert one["drawn"] > 0
