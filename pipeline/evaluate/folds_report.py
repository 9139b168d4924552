"""A benchmark's figures for people and machines.

In: figures. Out: text and files. Nothing is computed here.
"""

import json
from dataclasses import asdict
from pathlib import Path

from pipeline.evaluate import report
from pipeline.evaluate.folds import Benchmarked, Figure


def write(found: Benchmarked, out: Path) -> None:
    """Write <name>.json and <name>.md to `out`, which is made if need be; the same figures give the same bytes."""
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{found.name}.json").write_text(as_json(found), encoding="utf-8")
    (out / f"{found.name}.md").write_text(markdown(found), encoding="utf-8")


def as_json(found: Benchmarked) -> str:
    """All figures; what is not defined is null."""
    return json.dumps(report.plain(asdict(found)), indent=1, sort_keys=True) + "\n"


def text(found: Benchmarked) -> str:
    """For a terminal."""
    names = list(dict.fromkeys(row.figure for row in found.figures))
    lines = [found.licence, _what(found), "", f"{'':<24}" + "".join(f"{name:>27}" for name in names)]
    for method in dict.fromkeys(row.method for row in found.figures):
        cells = [f"{_cell(row):>27}" for row in found.figures if row.method == method]
        lines.append(f"{method:<24}" + "".join(cells))
    return "\n".join(lines) + "\n"


def markdown(found: Benchmarked) -> str:
    """For people."""
    names = list(dict.fromkeys(row.figure for row in found.figures))
    lines = [f"# {found.name}", "", found.licence, "", _what(found), ""]
    lines += ["| method | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for method in dict.fromkeys(row.method for row in found.figures):
        lines.append(f"| {method} | " + " | ".join(_cell(r) for r in found.figures if r.method == method) + " |")
    return "\n".join(lines) + "\n"


def _what(found: Benchmarked) -> str:
    return (
        f"{found.test_images} whole test images, {found.bands} bands (networks: 6), {found.seeds} ways to deal the "
        f"{found.training_images} training images that thresholds come from: mean, deviation over these ways, and in "
        "brackets 95 % of a bootstrap over test images."
    )


def _cell(row: Figure) -> str:
    return f"{row.mean:.3f} ± {row.spread:.3f} [{row.low:.3f}, {row.high:.3f}]"
