"""Changes planted in the looks of a simulated world and of a real series."""

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigError, SceneError
from pipeline.evaluate import detectability as figures
from pipeline.nightly import detectability, run
from pipeline.nightly.detectability import Options
from tests.nightly.planted import World
from tests.nightly.test_series import home_over


def found(report: figures.Report, kind: str, least: float) -> float:
    hits = [trial.found_any[-1] for trial in report.trials if trial.kind == kind and trial.size >= least]
    return float(np.mean(hits))


@pytest.mark.slow
def test_measure_planted_world_large_changes_found_state_untouched_and_repeatable(
    world: World, make_home: Callable[..., run.Home]
) -> None:
    place = make_home()
    options = Options(catalog=str(world.items), changes=4, workers=0)
    one, other = (detectability.measure(place, "planted-world", world.nights[1], options) for _ in range(2))
    assert one == other
    assert list(place.out.iterdir()) == []
    assert not place.state.exists()
    assert one.looks == 2
    assert len(one.trials) + one.unplaced == 4 * sum(len(edges) - 1 for edges in figures.SIZES.values())
    assert found(one, "clearing", 2.0) > 0.7
    assert found(one, "clearing", 0.0) < found(one, "clearing", 2.0)
    assert {rate.looks for rate in one.rates} == {1, 2}
    assert all(rate.km2 > 0 for rate in one.rates)


@pytest.mark.slow
def test_measure_real_series_large_clearings_found(shared_data: Path, make_home: Callable[..., run.Home]) -> None:
    items = shared_data / "series" / "boadella" / "items.json"
    options = Options(catalog=str(items), changes=3, workers=0)
    report = detectability.measure(home_over(make_home(), items), "series", date(2021, 7, 24), options)
    assert len(report.scenes) == 2
    assert found(report, "clearing", 1.0) > 0.7
    assert {trial.ground for trial in report.trials if trial.kind == "clearing"} == {"woods"}


def test_measure_night_without_scenes_says_what_to_do(world: World, make_home: Callable[..., run.Home]) -> None:
    options = Options(catalog=str(world.items), changes=1, workers=0)
    with pytest.raises(SceneError, match=r"planted-world: no change could be planted.*--as-of"):
        detectability.measure(make_home(), "planted-world", date(2031, 1, 1), options)


def test_measure_unknown_aoi_or_forbidden_model_refused_before_any_work(
    world: World, make_home: Callable[..., run.Home], tmp_path: Path
) -> None:
    place = make_home(use="enforcement")
    options = Options(catalog=str(world.items), workers=0)
    with pytest.raises(ConfigError, match="--aoi nowhere: no such AOI"):
        detectability.measure(place, "nowhere", world.nights[0], options)
    shutil.copytree(place.weights / "vanwatch-s", tmp_path / "strict")
    forbidding = json.loads((tmp_path / "strict" / "card.json").read_text())
    forbidding["terms"] |= {"allowed": ["research"], "forbidden": ["enforcement"]}
    (tmp_path / "strict" / "card.json").write_text(json.dumps(forbidding))
    strict = Options(catalog=str(world.items), model=str(tmp_path / "strict"), workers=0)
    with pytest.raises(ConfigError, match=r"do not (allow|permit) use = 'enforcement'"):
        detectability.measure(place, "planted-world", world.nights[0], strict)
    assert not place.out.exists()
