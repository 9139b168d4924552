"""What matters of the table on one screen: a row per method, and how far the first one is ahead of each.

In: results. Out: text. Nothing is computed here.
"""

import math
from dataclasses import dataclass

from pipeline.evaluate import alarms, limits
from pipeline.evaluate.results import Results, Row
from pipeline.schema import KINDS

_NAME_WIDTH = 20


@dataclass(frozen=True, slots=True)
class Headline:
    """One column."""

    title: str
    trial: str
    figure: str
    what: str
    digits: int = 3
    lower_is_better: bool = False


HEADLINES = (
    Headline("AP czech", "czech", "AP", "average precision on real clear-cuts"),
    Headline(
        "obj 1%", "czech", "objects at 1%", "real clear-cuts of 0.1 ha and more found, 1 % of stable forest flagged"
    ),
    Headline("AP inner", "czech, edges left out", "AP", "as AP czech, without the pixels at edges"),
    Headline("AUC amazon", alarms.MINING, "AUC flagged at 1% of suburbs", "scenes with new mines against natural ones"),
    *(Headline(f"AP {kind}", f"injected {kind}", "AP", f"average precision on injected {kind}s") for kind in KINDS),
    Headline(
        "alerts",
        alarms.TOGETHER,
        f"alerts at {limits.FOUND:.0%} of clearings",
        "false alerts per 1,000 km2 and look, all methods finding half of the clearings injected into training places",
        digits=0,
        lower_is_better=True,
    ),
)
"""In the order of the columns. Those that were not measured are left out."""


def text(results: Results) -> str:
    """The summary; ends with a line break."""
    found = {(row.trial, row.method, row.figure): row for row in results.rows}
    methods = list(dict.fromkeys(row.method for row in results.rows))
    shown = [line for line in HEADLINES if any((line.trial, m, line.figure) in found for m in methods)]
    wide = [max(len(line.title), 6) + 2 for line in shown]
    names = max([_NAME_WIDTH, *(len(method) + 3 for method in methods)])
    lines = [
        " " * names + "".join(f"{line.title:>{width}}" for line, width in zip(shown, wide, strict=True)),
    ]
    for method in methods:
        cells = [_value(found.get((line.trial, method, line.figure)), line) for line in shown]
        lines.append(
            f"{method:<{names}}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, wide, strict=True))
        )
    for line in shown:
        rows = [found[line.trial, m, line.figure] for m in methods if (line.trial, m, line.figure) in found]
        lines += ["", f"{line.title}: {line.what}; in brackets 95 % over {rows[0].groups} groups of places"]
        known = [row for row in rows if math.isfinite(row.value)]
        lines += [_compared(row, line, first=rows[0].method, names=names) for row in known]
        lines += [] if known else ["  not measured: these places hold nothing of it"]
    return "\n".join(lines) + "\n"


def _value(row: Row | None, line: Headline) -> str:
    return "" if row is None or not math.isfinite(row.value) else f"{row.value:.{line.digits}f}"


def _compared(row: Row, line: Headline, *, first: str, names: int) -> str:
    start = f"  {row.method:<{names - 2}}{_interval(row.value, row.low, row.high, line):<24}"
    if row.method == first or not math.isfinite(row.ahead):
        return start.rstrip()
    sign = -1 if line.lower_is_better else 1
    ahead, low, high = (sign * number for number in (row.ahead, row.ahead_low, row.ahead_high))
    low, high = min(low, high), max(low, high)
    return f"{start}{first} {'ahead' if ahead >= 0 else 'behind'} by {_lead(ahead, low, high, line)}"


def _lead(ahead: float, low: float, high: float, line: Headline) -> str:
    """The lead as it is read: of one that is behind, how far."""
    if ahead >= 0:
        return _interval(ahead, low, high, line)
    return _interval(-ahead, -high, -low, line)


def _interval(value: float, low: float, high: float, line: Headline) -> str:
    shown = f"{value:.{line.digits}f}"
    return shown + (f" [{low:.{line.digits}f}, {high:.{line.digits}f}]" if math.isfinite(low) else "")
