"""Results as files: JSON for machines, Markdown and plots for people.

In: results. Out: table.json, table.md, and a plot per trial with labelled pixels. Nothing is computed here.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.evaluate import summary
from pipeline.evaluate.metrics import Curve, Reliability
from pipeline.evaluate.results import Results, Row

_MOST_POINTS = 2000  # of a drawn curve
_PREAMBLE = (
    "All methods on the same pixels. In brackets: 95 % of a bootstrap over groups of places, seed {seed}. Marked +",
    "where the first method does better in 95 % of the same draws of places, - where it does worse. `objects`: of at",
    "least 0.1 ha, found where 30 % of their pixels are flagged (`any`: one pixel), with that share of stable pixels",
    "flagged. `alerts`: false alerts of at least 0.1 ha per 1,000 km2 and look, at the score that this share of the",
    "pixels of training places (US suburbs) exceeds, at the one that finds this share of the pixels of clearings",
    "injected into training places, or at the profiles' default threshold.",
)


def write(results: Results, out: Path) -> None:
    """Write all files to `out`, which is made if need be; the same results give the same bytes."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "table.json").write_text(as_json(results), encoding="utf-8")
    text = markdown(results.rows, seed=results.seed) + "\n## Summary\n\n```text\n" + summary.text(results) + "```\n"
    (out / "table.md").write_text(text, encoding="utf-8")
    for trial, curves in results.curves.items():
        _draw(_curves_figure(trial, curves), out / f"{slug(trial)}-precision-recall.png")
    for trial, claims in results.reliabilities.items():
        if claims:
            _draw(_reliability_figure(trial, claims), out / f"{slug(trial)}-reliability.png")


def as_json(results: Results) -> str:
    """All figures and thresholds; what is not defined is null."""
    facts = {"seed": results.seed, "thresholds": results.thresholds, "rows": [asdict(row) for row in results.rows]}
    return json.dumps(plain(facts), indent=1, sort_keys=True) + "\n"


def markdown(rows: tuple[Row, ...], *, seed: int) -> str:
    """One table per trial: methods down, figures across, each with its interval."""
    lines = [
        "# Methods compared",
        "",
        *(line.format(seed=seed) for line in _PREAMBLE),
    ]
    for trial in dict.fromkeys(row.trial for row in rows):
        mine = [row for row in rows if row.trial == trial]
        figures = list(dict.fromkeys(row.figure for row in mine))
        cells = {(row.method, row.figure): _cell(row) for row in mine}
        lines += ["", f"## {trial} ({mine[0].groups} groups of places)", ""]
        lines += ["| method | " + " | ".join(figures) + " |", "|---" * (len(figures) + 1) + "|"]
        for method in dict.fromkeys(row.method for row in mine):
            lines.append(f"| {method} | " + " | ".join(cells.get((method, figure), "") for figure in figures) + " |")
    return "\n".join(lines) + "\n"


def _cell(row: Row) -> str:
    lower_is_better = row.figure.startswith(("alerts", "ECE"))
    digits = 0 if row.figure.startswith("alerts") else 3
    value, low, high = (f"{number:.{digits}f}" for number in (row.value, row.low, row.high))
    more, less = ("-", "+") if lower_is_better else ("+", "-")
    mark = f" {more}" if row.ahead_low > 0 else f" {less}" if row.ahead_high < 0 else ""
    return value + (f" [{low}, {high}]" if math.isfinite(row.low) else "") + mark


def _curves_figure(trial: str, curves: Mapping[str, Curve]) -> Figure:
    figure = Figure(figsize=(7, 7), layout="constrained")
    axes = figure.subplots()
    for method, curve in curves.items():
        drawn = np.unique(np.searchsorted(curve.recall, np.linspace(curve.recall[0], curve.recall[-1], _MOST_POINTS)))
        axes.plot(curve.recall[drawn], curve.precision[drawn], label=method, linewidth=1.2)
    axes.set(xlabel="recall", ylabel="precision", title=trial, xlim=(0, 1), ylim=(0, 1.01))
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _reliability_figure(trial: str, claims: Mapping[str, Reliability]) -> Figure:
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for method, found in claims.items():
        label = f"{method} (ECE {found.expected_error:.3f})"
        axes.plot(found.claimed, found.happened, marker="o", linewidth=1.2, label=label)
    axes.set(xlabel="probability", ylabel="share that changed", title=trial, xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left")
    return figure


def _draw(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def slug(trial: str) -> str:
    """Name of a trial in file names."""
    return trial.replace(",", "").replace(" ", "-")


def plain(value: object) -> object:
    """JSON knows no NaN and no infinity: they become null."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
