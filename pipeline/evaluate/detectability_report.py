"""Detectability as files: JSON for machines, Markdown and a plot for people, and a few lines for a terminal.

In: a report. Out: detectability.json, detectability.md, detectability.png. Nothing is computed here.
"""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.evaluate.detectability import (
    CONTRASTS,
    FLOOR_HA,
    LEVELS,
    MIN_CHANGES,
    PIXEL_M,
    SIZES,
    UNITS,
    Group,
    Rate,
    Report,
    Share,
)

NAME = "detectability"
_COLOURS = {"faint": "#7fb3d5", "middling": "#2e86c1", "strong": "#1b4f72"}
_FLOOR = (
    "A pixel is 10 m: six of them are {floor:g} ha. Of anything smaller, like a camp of four to six pixels, an alert",
    "is *possible*, no more: a few mixed pixels show it. A track narrower than {pixel:g} m fills no pixel.",
)
_MEANING = (
    "Shapes and spectra of the planted changes are the simulator's, of the sort that chips for training are made with;",
    "the pixels around them, the weather, the normal and all that happened there in between are those of the looks.",
    "Real changes differ from planted ones, so take this as what can be hoped for here, not as what is promised.",
    "",
    "A change is found when an alert of its kind overlaps it (or of any kind, where it says so), by the evidence, the",
    "thresholds and the smallest sizes of the profile. Nine tenths of it at least lie on ground that all looks see and",
    "where no alert stood before: what clouds hide is not counted as missed. Size is the area inside the outline,",
    "contrast the root mean square over the bands of the mean step in reflectance inside it. Brackets are 95 %",
    "intervals.",
)
_SMALLEST = (
    "The smallest class, by its lower edge, in which so many are found, and in all larger ones together; classes with",
    "fewer than {least} changes are not asked.",
)
_PLAINLY = ("On the same looks. False ones, or changes that were really there: nobody has looked.",)


def write(report: Report, out: Path) -> None:
    """Write all files to `out`, which is made if need be; the same report gives the same bytes."""
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{NAME}.json").write_text(json.dumps(facts(report), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (out / f"{NAME}.md").write_text(markdown(report), encoding="utf-8")
    figure = _figure(report)
    FigureCanvasAgg(figure)
    figure.savefig(out / f"{NAME}.png", dpi=110, metadata={"Software": None})


def facts(report: Report) -> dict[str, object]:
    """The report as values that JSON can carry; NaN becomes null."""
    plain = _plain(asdict(report))
    if not isinstance(plain, dict):
        raise TypeError("a report is a dictionary of fields")
    return plain


def summary(report: Report) -> str:
    """What a terminal shows."""
    lines = [
        f"{report.aoi} up to {report.as_of}, {report.model}: {len(report.trials)} changes planted in {report.tiles} of "
        f"{report.tiles_of_aoi} tiles, {_looks(report.looks)}",
        f"{'':10}{'smallest size found':>32}{'as any kind':>24}{'alerts without planting':>30}",
        f"{'kind':10}"
        + "".join(f"{f'{level:.0%} of them':>16}" for level in LEVELS)
        + "".join(f"{f'{level:.0%}':>12}" for level in LEVELS)
        + f"{'per 1,000 km2 and look':>30}",
    ]
    for kind in SIZES:
        own, wide = report.group(kind), report.group(kind, any_kind=True)
        cells = "".join(f"{text:>16}" for text in _sizes(own)) + "".join(f"{text:>12}" for text in _sizes(wide))
        lines.append(f"{kind:10}{cells}{_rate(_single(report, kind)):>30}")
    return "\n".join([*lines, f"below {FLOOR_HA:g} ha (six pixels) an alert is possible, no more"])


def markdown(report: Report) -> str:
    """The report for people."""
    limits = ", ".join(f"{kind} {report.thresholds[kind]:g} and {report.min_area_ha[kind]:g} ha" for kind in SIZES)
    lines = [
        f"# What would be found in {report.aoi}",
        "",
        f"Night {report.as_of}, model {report.model}, {_looks(report.looks)} in {report.tiles} of "
        f"{report.tiles_of_aoi} tiles, seed {report.seed}: {len(report.trials)} changes planted, {report.unplaced} "
        "found no room or no clear look.",
        f"Threshold and smallest area: {limits}; tracks of at least {report.min_length_m:g} m.",
        "",
        *(line.format(floor=FLOOR_HA, pixel=PIXEL_M) for line in _FLOOR),
        "",
        *_MEANING,
        "",
        f"![recall against size]({NAME}.png)",
        "",
        "## Smallest size found",
        "",
        *(line.format(least=MIN_CHANGES) for line in _SMALLEST),
        "",
        "| kind | by | " + " | ".join(f"{level:.0%}" for level in LEVELS) + " |",
        "|---|---|" + "---|" * len(LEVELS),
    ]
    for item in _told(report):
        lines.append(f"| {item.kind} | {_title(item)} | {' | '.join(_sizes(item))} |")
    lines += ["", "## Alerts where nothing was planted", "", *_PLAINLY, ""]
    lines += ["| kind | looks | alerts | km2 | per 1,000 km2 |", "|---|---|---|---|---|"]
    for rate in report.rates:
        looks = "each alone" if rate.looks == 1 else f"{rate.looks} together"
        lines.append(f"| {rate.kind} | {looks} | {rate.alerts} | {rate.km2:.1f} | {_rate(rate)} |")
    for kind in SIZES:
        lines += ["", f"## {kind.capitalize()}: recall by size ({UNITS[kind]})", "", *_table(report, kind)]
    troubles = report.failed + report.problems
    lines += ["", "## Trouble", "", *(f"- {line}" for line in troubles)] if troubles else []
    return "\n".join(lines) + "\n"


def _table(report: Report, kind: str) -> list[str]:
    mine = [item for item in _told(report) if item.kind == kind]
    edges = [f"{share.low:g} to {share.high:g}" for share in report.group(kind).shares]
    rows = [f"| {_title(item)} | " + " | ".join(_recall(share) for share in item.shares) + " |" for item in mine]
    return ["| found | " + " | ".join(edges) + " |", "|---" * (len(edges) + 1) + "|", *rows]


def _told(report: Report) -> list[Group]:
    """Curves of at least one change."""
    return [item for item in report.groups if any(share.changes for share in item.shares)]


def _title(item: Group) -> str:
    who = "as any kind" if item.any_kind else "as its kind"
    if item.name == "all":
        return f"all, {who}, {_looks(item.looks)}"
    if item.name in CONTRASTS:
        low, high = CONTRASTS[item.name]
        edge = f"{low:g} to {high:g}" if math.isfinite(high) else f"{low:g} and more"
        return f"{item.name} contrast ({edge})"
    return f"on {item.name}"


def _looks(count: int) -> str:
    return "after one look" if count == 1 else f"after {count} looks"


def _sizes(item: Group) -> list[str]:
    """The smallest size at each level, in words."""
    if all(share.changes < MIN_CHANGES for share in item.shares):
        return ["too few"] * len(LEVELS)
    return ["none" if size is None else f"{size:g} {UNITS[item.kind]}" for size in item.smallest]


def _recall(share: Share) -> str:
    if not share.changes:
        return ""
    return f"{share.recall:.2f} [{share.recall_low:.2f}, {share.recall_high:.2f}] of {share.changes}"


def _rate(rate: Rate) -> str:
    return f"{rate.rate:.0f} [{rate.rate_low:.0f}, {rate.rate_high:.0f}]"


def _single(report: Report, kind: str) -> Rate:
    return next(rate for rate in report.rates if rate.kind == kind and rate.looks == 1)


def _figure(report: Report) -> Figure:
    figure = Figure(figsize=(15, 5.4), layout="constrained")
    for axes, kind in zip(figure.subplots(1, len(SIZES), sharey=True), SIZES, strict=True):
        _panel(axes, report, kind)
    figure.suptitle(f"What would be found in {report.aoi}: night {report.as_of}, {report.model}")
    handles: dict[str, Artist] = {}
    for axes in figure.axes:
        handles |= {str(label): line for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=4, frameon=False)
    return figure


def _panel(axes: Axes, report: Report, kind: str) -> None:
    edges = SIZES[kind]
    floor, text = (PIXEL_M, "narrower than a pixel") if kind == "track" else (FLOOR_HA, "under six pixels")
    axes.axvspan(edges[0] / 2, floor, color="0.92", label="at the floor of 10 m pixels: possible, no more")
    axes.text(edges[0] * 1.02, 1.005, text, fontsize=8, color="0.4", va="bottom")
    if kind != "track":
        axes.axvline(report.min_area_ha[kind], color="0.5", linewidth=1, linestyle=":", label="smallest of the profile")
    for name, colour in _COLOURS.items():
        _curve(axes, report.group(kind, name), color=colour, linewidth=1, marker=".", label=f"{name} contrast")
    wide = report.group(kind, any_kind=True)
    _curve(axes, wide, color="0.45", linewidth=1.2, linestyle="--", label=f"all, as any kind, {_looks(report.looks)}")
    if report.looks > 1:
        once = report.group(kind, looks=1)
        _curve(axes, once, color="#c0392b", linewidth=1.2, linestyle=":", label="all, after one look")
    own = report.group(kind)
    told = [share for share in own.shares if share.changes]
    lows, highs = [share.recall_low for share in told], [share.recall_high for share in told]
    axes.fill_between([_middle(share) for share in told], lows, highs, color="k", alpha=0.12, label="95 % interval")
    _curve(axes, own, color="k", linewidth=2, marker="o", label=f"all, as its kind, {_looks(report.looks)}")
    axes.set_xscale("log")
    axes.set(title=kind, xlabel=f"size, {UNITS[kind]}", xlim=(edges[0], edges[-1]), ylim=(0, 1.05))
    axes.set_xticks(edges, [f"{edge:g}" for edge in edges])
    axes.minorticks_off()
    axes.grid(axis="y", color="0.9")
    if kind == next(iter(SIZES)):
        axes.set_ylabel("share found")


def _curve(axes: Axes, group: Group, **style: Any) -> None:
    told = [share for share in group.shares if share.changes >= (MIN_CHANGES if group.name != "all" else 1)]
    axes.plot([_middle(share) for share in told], [share.recall for share in told], **style)


def _middle(share: Share) -> float:
    return math.sqrt(share.low * share.high)


def _plain(value: object) -> object:
    """JSON knows no NaN and no infinity: they become null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
