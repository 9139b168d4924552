import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from pipeline import watch
from pipeline.errors import ConfigError
from pipeline.watch import estimates, maps


@pytest.mark.parametrize("name", ["champhai-border", "sundargarh-forest", "taveuni-island"])
def test_preview_shipped_area_picture_with_something_on_it(home: Path, tmp_path: Path, name: str) -> None:
    found = watch.preview(home, name, tmp_path / "new" / "map.png")
    picture = imread(found.png)
    assert picture.shape[0] > 600
    assert len(np.unique((picture[..., :3] * 255).astype(int).reshape(-1, 3), axis=0)) > 50
    text = watch.describe_preview(found)
    assert name in text
    assert "estimate" in text


def test_preview_twice_same_bytes(home: Path, tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        watch.preview(home, "champhai-border", tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_preview_without_out_named_after_the_area(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert watch.preview(home, "champhai-border").png == "champhai-border.png"
    assert (tmp_path / "champhai-border.png").is_file()


@pytest.mark.parametrize("name", ["वन अभयारण्य", "Wood of $\\frac$", "Forêt d'Ituri"])
def test_preview_name_in_any_script_or_with_signs_of_formulas_drawn_without_a_word(
    home: Path, tmp_path: Path, name: str
) -> None:
    path = home / "aoi" / "champhai-border.geojson"
    document = json.loads(path.read_text())
    document["properties"]["name"] = name
    path.write_text(json.dumps(document))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert watch.preview(home, "champhai-border", tmp_path / "map.png").estimate.name == name


def test_preview_unknown_area_writes_nothing(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no AOI"):
        watch.preview(home, "nowhere", tmp_path / "map.png")
    assert not (tmp_path / "map.png").exists()


def test_estimate_figures_follow_from_area_and_orbit(home: Path) -> None:
    area = watch.find(home, "gadchiroli-forest")
    found = estimates.estimate(area, halo_px=64)
    # at 19.7 N tracks are 280.2 * cos(19.7) = 263.8 km apart: 290 / 263.8 looks in 5 days, 30.44 days a month
    assert found.looks_a_month == pytest.approx(290 / 263.8 * 30.44 / 5, rel=1e-2)
    assert found.scenes_a_month > len(found.granules) * found.looks_a_month
    assert found.watched_px == pytest.approx(found.area_km2 * 1e4)
    assert found.read_px % estimates.BLOCK_PX**2 == 0
    assert found.watched_px < found.read_px < 4 * found.watched_px


def test_estimate_wider_halo_never_reads_less(home: Path) -> None:
    area = watch.find(home, "champhai-border")
    sizes = [estimates.estimate(area, halo_px=halo).read_px for halo in (0, 64, 256, 1024)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


@pytest.mark.parametrize("name", sorted(estimates.COSTS))
def test_costs_each_figure_changes_the_estimate(home: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    area = watch.find(home, "champhai-border")
    before = estimates.estimate(area, halo_px=64)
    cost = estimates.COSTS[name]
    monkeypatch.setitem(estimates.COSTS, name, estimates.Cost(cost.value * 2, cost.unit, cost.source))
    assert estimates.estimate(area, halo_px=64) != before


@pytest.mark.parametrize(
    ("value", "letters", "text"),
    [
        (80.1, "EW", "80.1° E"),
        (-179.9, "EW", "179.9° W"),
        (-180.0, "EW", "180°"),
        (0.0, "NS", "0°"),
        (-17, "NS", "17° S"),
    ],
)
def test_degrees_any_value_named(value: float, letters: str, text: str) -> None:
    assert maps._degrees(value, letters) == text


@pytest.mark.parametrize(("length", "nice"), [(0.99, 0.5), (1, 1), (4.9, 2), (7, 5), (12.3, 10), (260, 200)])
def test_nice_scale_bar_not_longer(length: float, nice: float) -> None:
    assert maps._nice(length) == pytest.approx(nice)


@pytest.mark.parametrize(("minutes", "text"), [(0.004, "less than a minute"), (2.34, "about 2.3 minutes")])
def test_readable_minutes_never_none(minutes: float, text: str) -> None:
    assert estimates.readable_minutes(minutes) == text


@pytest.mark.parametrize(
    ("number", "text"), [(12, "12 B"), (4_600, "5 kB"), (84e6, "84 MB"), (2.44e9, "2.4 GB"), (3.2e12, "3,200.0 GB")]
)
def test_readable_bytes_unit_that_suits(number: float, text: str) -> None:
    assert estimates.readable_bytes(number) == text
