"""The OSCD benchmark on a tiny set in its layout."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigError, RasterError
from pipeline.evaluate import folds_report
from pipeline.evaluate.places import CHANGED, STABLE
from pipeline.learn import oscd
from pipeline.learn.oscd import Benchmark
from tests.learn import oscd_layout

VANWATCH = Path(sys.executable).parent / "vanwatch"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return oscd_layout.write_oscd(tmp_path_factory.mktemp("oscd"))


def _silent(line: str) -> None:
    """No progress."""


@pytest.mark.parametrize("bands", [6, 13])
def test_read_test_images_are_whole_in_reflectance_and_by_region(root, bands):
    places = oscd.read(root, "test", bands=bands)
    assert [place.id for place in places] == list(oscd_layout.TEST)
    assert [place.before.shape for place in places] == [(bands, *size) for size in oscd_layout.TEST.values()]
    for place in places:
        changed = place.label == CHANGED
        assert set(np.unique(place.label)) == {CHANGED, STABLE}
        assert np.isfinite(place.before).all()
        np.testing.assert_allclose((place.after - place.before)[:6, changed].mean(), 0.09, atol=0.01)
        np.testing.assert_allclose((place.after - place.before)[:6, ~changed].mean(), 0, atol=0.01)


def test_read_bands_come_in_our_order_with_the_others_behind(tmp_path):
    root = oscd_layout.write_oscd(tmp_path)
    from PIL import Image

    folder = root / f"{oscd_layout.PREFIX}Images" / "dubai" / "imgs_1_rect"
    for number, band in enumerate(oscd_layout.ALL_BANDS, start=1):
        Image.fromarray(np.full(oscd_layout.TEST["dubai"], 100 * number, np.uint16)).save(folder / f"{band}.tif")
    dubai = oscd.read(root, "test", bands=13)[1]
    numbers = np.rint(dubai.before[:, 5, 5] * 100).astype(int).tolist()
    assert numbers == [2, 3, 4, 8, 12, 13, 1, 5, 6, 7, 9, 10, 11]
    np.testing.assert_array_equal(oscd.read(root, "test", bands=6)[1].before, dubai.before[:6])


def test_run_thresholds_of_training_images_find_what_is_easy_and_bytes_repeat(root, tmp_path):
    chosen = Benchmark("oscd", root, bands=13, seeds=2)
    found = oscd.run(chosen, tmp_path / "one", report=_silent)
    oscd.run(chosen, tmp_path / "two", report=_silent)
    for name in ("oscd.json", "oscd.md"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert (found.training_images, found.test_images, found.seeds, found.bands) == (5, 3, 2, 13)
    assert found.value("CVA", "F1") > 0.98
    assert found.value("boosting, fitted here", "F1") > 0.95
    assert found.value("dNDVI", "AP") < 0.9
    assert 0 <= found.value("vanwatch-s", "recall") <= 1
    ways = {(row.method, row.figure): row.spread for row in found.figures}
    assert ways["CVA", "AP"] == 0.0


def test_run_says_the_licence_first_and_in_every_output(root, tmp_path):
    lines: list[str] = []
    found = oscd.run(Benchmark("oscd", root, seeds=1, models=()), tmp_path, report=lines.append)
    assert "CC-BY-NC-SA" in lines[0]
    for text in (folds_report.text(found), folds_report.markdown(found), folds_report.as_json(found)):
        assert "CC-BY-NC-SA" in text


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"name": "levir"}, ConfigError, "known is oscd"),
        ({"root": None}, ConfigError, "--root"),
        ({"bands": 7}, ConfigError, "expected 6 or 13"),
        ({"root": Path("/nowhere")}, RasterError, "no OSCD here"),
    ],
)
def test_run_wrong_input_says_what_to_do(root, tmp_path, change, error, message):
    values = {"name": "oscd", "root": root, "models": ()} | change
    with pytest.raises(error, match=message):
        oscd.run(Benchmark(**values), tmp_path, report=_silent)


def test_read_set_that_lacks_files_is_named(tmp_path):
    root = oscd_layout.write_oscd(tmp_path)
    (root / f"{oscd_layout.PREFIX}Images" / "milano" / "imgs_2_rect" / "B12.tif").unlink()
    with pytest.raises(RasterError, match="test part is not readable"):
        oscd.read(root, "test", bands=6)


def test_benchmark_command_prints_json(root, tmp_path):
    command = [VANWATCH, "evaluate", "--benchmark", "oscd", "--root", root, "--seeds", "1", "--out", tmp_path, "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == json.loads((tmp_path / "oscd.json").read_text())
    assert "CC-BY-NC-SA" in result.stderr
