import json
from pathlib import Path

import pytest

from pipeline import demo
from pipeline.errors import ConfigError


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, demo.Result]:
    """The whole demo, on the smallest world."""
    out = tmp_path_factory.mktemp("demo") / "out"
    return out, demo.run_demo(out, seed=11, workers=0, preset="tiny")


@pytest.mark.slow
def test_run_demo_finds_what_was_planted_and_says_where_to_look(shown: tuple[Path, demo.Result]) -> None:
    out, result = shown
    assert result.exit_code == 0
    assert [score.kind for score in result.planted if not score.found] == []
    assert result.others == ()
    assert Path(result.picture).read_bytes().startswith(b"\x89PNG")
    assert Path(result.folder) == out / "out" / "latest" / "planted-world"


@pytest.mark.slow
def test_describe_prints_every_planted_event_and_the_places(
    shown: tuple[Path, demo.Result], capsys: pytest.CaptureFixture[str]
) -> None:
    _, result = shown
    demo.describe(result)
    text = capsys.readouterr().out
    assert all(score.kind in text for score in result.planted)
    assert f"{len(result.planted)} of {len(result.planted)} planted events found; 0 alerts on nothing planted." in text
    assert result.picture in text.replace("\n", "")


def test_prepare_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").touch()
    with pytest.raises(ConfigError, match="name another folder with --out"):
        demo.prepare(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_prepare_folder_of_an_earlier_demo_is_made_anew(tmp_path: Path) -> None:
    place = demo.prepare(tmp_path / "demo")
    (place.folder / "old.txt").touch()
    demo.prepare(tmp_path / "demo")
    assert sorted(path.name for path in place.folder.iterdir()) == [".vanwatch-demo", "aoi", "configs"]


def test_compare_alert_beside_a_planted_event_means_it_and_one_far_off_does_not() -> None:
    def feature(west: float, name: str) -> dict[str, object]:
        ring = [[west, 20.0], [west + 0.001, 20.0], [west + 0.001, 20.001], [west, 20.001], [west, 20.0]]
        facts = {"kind": "clearing", "start": "2022-03-01", "area_ha": 1.0, "length_m": 0.0, "alert_id": name}
        return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": facts}

    planted, alerts = [feature(80.0, "")], [feature(80.0011, "near"), feature(80.01, "far")]
    (score,), others = demo.compare(json.loads(json.dumps(planted)), alerts)
    assert [found["alert_id"] for found in score.found] == ["near"]
    assert [other["alert_id"] for other in others] == ["far"]
