"""The table: as text, as facts for JSON, and as the page `docs/speed.md`.

In: lines. Out: text. Measures nothing.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from benchmarks.bars import Line

STEAL_LIMIT_PCT = 5.0
"""Above it a line should be measured again."""


def short(line: Line) -> str:
    """One line of text."""
    state = {True: "met", False: "MISSED", None: ""}[line.met]
    values = "  ".join(part for part in (line.ours, line.peer, line.ratio, line.bar, state) if part)
    busy = f"  [stolen {line.stolen_pct} %, others {line.others_pct} %]" if line.ratio else ""
    return f"{line.number:>3}  {line.what}: {values}{busy}{f' ({line.note})' if line.note else ''}"


def text(lines: Sequence[Line]) -> str:
    """All lines, and how many bars are met."""
    asked = [line for line in lines if line.met is not None]
    met = sum(bool(line.met) for line in asked)
    return "\n".join(["", *map(short, lines), "", f"{met} of {len(asked)} lines with a bar are met"])


def facts(lines: Sequence[Line], *, machine: str, day: date, quick: bool) -> dict[str, Any]:
    """What is kept."""
    return {"day": day.isoformat(), "machine": machine, "quick": quick, "lines": [asdict(line) for line in lines]}


def page(told: dict[str, Any]) -> str:
    """The page, from what is kept."""
    lines = [Line(**values) for values in told["lines"]]
    head = [
        "# Speed and memory, measured",
        "",
        f"Made by `make bench` on {told['day']}, {told['machine']}"
        f"{'; the small version, a look and not a measurement' if told['quick'] else ''}. Ours and the peer run in turn"
        " in one process on one thread unless a line says otherwise; ratios are the median (lowest..highest) of the"
        " rounds; `cpu` is seconds of user and system time, `wall` seconds of the clock. A line with more than"
        f" {STEAL_LIMIT_PCT:g} % stolen CPU time should be measured again. Processes of a night keep the memory that"
        " they free (`pipeline/nightly/allocation.py`); the rows of bars 1 to 8 are of a process that does not. Earlier"
        " results: `benchmarks/results`.",
        "",
        "| bar | what | ours | peer | ratio | asked | met | stolen, others % | note |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    state = {True: "yes", False: "**no**", None: ""}
    body = [
        f"| {line.number} | {line.what} | {line.ours} | {line.peer} | {line.ratio} | {line.bar} | {state[line.met]}"
        f" | {f'{line.stolen_pct:g}, {line.others_pct:g}' if line.ratio else ''} | {line.note} |"
        for line in lines
    ]
    return "\n".join([*head, *body]) + "\n"
