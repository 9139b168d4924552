import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluate import detectability
from pipeline.evaluate import detectability_report as told
from pipeline.evaluate.detectability import SIZES, Quiet, Report, Trial


@pytest.fixture
def report() -> Report:
    rng = np.random.default_rng(3)
    trials = []
    for kind, edges in SIZES.items():
        for size in np.exp(rng.uniform(np.log(edges[0]), np.log(edges[-1]), 300)):
            first = bool(rng.random() < size / edges[-1])
            found = (first, first or bool(rng.random() < 0.3))
            trials.append(Trial(kind, float(size), float(rng.uniform(0, 0.2)), "woods", found, (True, True)))
    return Report(
        aoi="somewhere",
        as_of="2026-05-01",
        model="vanwatch-s-2+00000000",
        seed=1,
        looks=2,
        scenes=("a", "b"),
        tiles=2,
        tiles_of_aoi=3,
        min_area_ha={"clearing": 0.1, "camp": 0.04, "track": 0.1},
        min_length_m=200.0,
        thresholds={"clearing": 0.5, "camp": 0.4, "track": 0.5},
        unplaced=4,
        failed=(),
        problems=("history X: not read",),
        groups=detectability.groups(trials, looks=[1, 2]),
        rates=tuple(detectability.rate(Quiet(kind, looks, 2, 50.0)) for looks in (1, 2) for kind in SIZES),
        trials=tuple(trials),
    )


def test_write_all_files_same_bytes_again(report: Report, tmp_path: Path) -> None:
    for name in ("one", "other"):
        told.write(report, tmp_path / name)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["detectability.json", "detectability.md", "detectability.png"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_facts_are_json_without_nan_and_hold_no_place(report: Report, tmp_path: Path) -> None:
    told.write(report, tmp_path)
    facts = json.loads((tmp_path / "detectability.json").read_text(), parse_constant=pytest.fail)
    assert len(facts["trials"]) == len(report.trials)
    assert set(facts["trials"][0]) == {"kind", "size", "contrast", "ground", "found", "found_any"}


def test_markdown_says_the_floor_both_sides_and_trouble(report: Report) -> None:
    text = told.markdown(report)
    assert "camp of four to six pixels" in text
    assert "*possible*, no more" in text
    assert "| camp | each alone | 2 | 50.0 | 40 [5, 144] |" in text
    assert "- history X: not read" in text
    assert "on open land" not in text  # nothing was planted there


def test_summary_one_line_per_kind_with_sizes_and_alerts(report: Report) -> None:
    lines = told.summary(report).splitlines()
    rows = {line.split()[0]: line for line in lines}
    assert {"clearing", "camp", "track"} <= set(rows)
    assert "40 [5, 144]" in rows["camp"]
    assert "0.04 ha" in rows["camp"]  # as any kind all were found
    assert lines[-1].startswith("below 0.06 ha")


def test_summary_too_few_changes_says_so(report: Report) -> None:
    few = detectability.groups(report.trials[:5], looks=[1, 2])
    sparse = Report(**{name: getattr(report, name) for name in Report.__slots__} | {"groups": few})
    assert "too few" in told.summary(sparse)
