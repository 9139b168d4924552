"""The table as a whole, on a few real places and on planted ones."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigError, RasterError
from pipeline.evaluate import methods, places, report, table, trials
from pipeline.evaluate.methods import Method
from pipeline.evaluate.metrics import curve, reliability
from pipeline.evaluate.places import CHANGED, STABLE, Place
from pipeline.evaluate.results import Results
from pipeline.schema import KINDS, Kind
from tests.evaluate import planted

SHIPPED = Path(__file__).parents[2] / "models" / "weights" / "vanwatch-s"


def _results() -> Results:
    rng = np.random.default_rng(1)
    label = np.where(np.arange(400).reshape(20, 20) % 20 < 5, np.uint8(CHANGED), np.uint8(STABLE))
    spots = [Place(f"p{i}", f"g{i}", Kind.CLEARING, *(np.zeros((6, 20, 20), np.float32),) * 2, label) for i in range(3)]
    maps = {name: [rng.random((20, 20)).astype(np.float32) for _ in spots] for name in ("ours", "peer")}
    rows = trials.pixel_trial("a, b", maps, spots, claims={"ours"}, draws=trials.Draws(9, 1))
    ranked = trials.ranked_pixels(maps["ours"], spots)
    return Results(
        rows,
        {"ours": {"x": float("inf")}},
        {"a, b": {"ours": curve(ranked)}},
        {"a, b": {"ours": reliability(ranked)}},
        1,
    )


def test_write_same_results_give_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        report.write(_results(), tmp_path / folder)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["a-b-precision-recall.png", "a-b-reliability.png", "table.json", "table.md"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    facts = json.loads((tmp_path / "one" / "table.json").read_text())
    assert facts["thresholds"]["ours"]["x"] is None
    assert {row["figure"] for row in facts["rows"]} >= {"AP", "ECE", "objects at 1%"}


def test_markdown_every_figure_stands_once_with_its_interval():
    results = _results()
    text = report.markdown(results.rows, seed=1)
    assert "## a, b (3 groups of places)" in text
    row = results.rows[0]
    assert f"| ours | {row.value:.3f} [{row.low:.3f}, {row.high:.3f}]" in text


def test_value_of_what_was_not_measured_is_an_error():
    results = _results()
    assert results.value("a, b", "peer", "AP") == pytest.approx(0.25, abs=0.1)
    with pytest.raises(KeyError, match="czech"):
        results.value("czech", "peer", "AP")


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="no weights are shipped yet")
def test_of_model_real_clear_cut_scores_kinds_where_both_dates_are_seen(shared_data):
    place = places.read_czech(shared_data / "pairs" / "czech")[2]
    method = methods.of_model("vanwatch-s")
    scores = method.score(place.before, place.after)
    assert tuple(scores) == KINDS
    assert method.probabilistic
    seen = np.isfinite(place.before[:4]).all(axis=0) & np.isfinite(place.after[:4]).all(axis=0)
    np.testing.assert_array_equal(np.isfinite(scores["clearing"]), seen)
    changed = place.label == CHANGED
    assert np.nanmean(scores["clearing"][changed]) > np.nanmean(scores["clearing"][place.label == STABLE])


@pytest.mark.slow
@pytest.mark.skipif(not SHIPPED.is_dir(), reason="no weights are shipped yet")
def test_evaluate_real_data_writes_the_whole_table(shared_data, tmp_path):
    results = table.evaluate(["vanwatch-s"], shared_data, tmp_path, seed=1, extras=table.Extras(draws=5))
    trials_run = {row.trial for row in results.rows}
    assert {"czech", "czech, edges left out", "portugal", "amazon, mining", "amazon natural"} <= trials_run
    assert results.value("czech", "dNDVI", "AP") == pytest.approx(0.889, abs=0.001)
    assert results.value("amazon, mining", "dNBR", "AUC flagged at 1% of suburbs") == pytest.approx(0.73, abs=0.02)
    assert (tmp_path / "table.md").stat().st_size > 2000


def test_lineup_two_methods_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="dNBR"):
        table.lineup([], [Method("dNBR", lambda before, after: {})])


def test_evaluate_of_a_folder_without_data_says_which_is_missing(tmp_path):
    with pytest.raises(RasterError, match=r"us-suburbs: no such folder; .*--data"):
        table.evaluate([], tmp_path, tmp_path / "out", seed=1)
    assert not (tmp_path / "out").exists()


def test_evaluate_planted_data_twice_gives_the_same_bytes_and_every_trial(tmp_path):
    data = planted.write_data(tmp_path / "data")
    for folder in ("one", "two"):
        results = table.evaluate([], data, tmp_path / folder, seed=3, extras=table.Extras(draws=6))
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "two").iterdir())
    assert {"table.json", "table.md", "czech-mistakes.png"} <= set(names)
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    assert results.value("czech", "dNDVI", "AP") > 0.95
    assert results.value("amazon, mining", "dNDVI", "AUC mean score") == 1.0
    trials_run = {row.trial for row in results.rows}
    assert {"portugal", "amazon natural", "boadella, look after normal", "quiet places together"} <= trials_run


def test_evaluate_another_seed_moves_the_intervals_only(tmp_path):
    data = planted.write_data(tmp_path / "data")
    one, two = (table.evaluate([], data, tmp_path / "out", seed=s, extras=table.Extras(draws=6)) for s in (1, 2))
    assert [row.value for row in one.rows] == [row.value for row in two.rows]
    assert [row.low for row in one.rows] != [row.low for row in two.rows]
