"""Time series: what each look said of a place, as a picture.

In: points. Out: SVG. Knows no pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pipeline.publish import texts
from pipeline.schema import Measured

_WIDTH, _HEIGHT = 640, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 46, 26, 34
_INDEX_CUT = 60
"""The drawing of the index is so much lower."""
_LEAST_Z = 6.0
_LABELS = 6
_NORMAL_Z = 2.0
"""Within so many spreads a place counts as normal in the picture."""


@dataclass(frozen=True, slots=True)
class Point:
    """What one day's clear pixels said of one place."""

    day: date
    probability: float
    """Of the alert's kind, 0 to 1."""
    z: float | None
    """Change in spreads of the normal; None if not known."""
    seen: float
    """Share of the place that was seen clearly, 0 to 1."""


def draw(points: Sequence[Point], blind: Sequence[date], moment: date, title: str) -> str:
    """The series of one alert.

    Args:
        points: clear looks, oldest first.
        blind: days of looks that saw nothing of the place.
        moment: the first look that showed the change.
        title: told to screen readers, with the values in words.

    Returns:
        SVG with its own description; nothing in it is loaded from elsewhere. Empty without points.
    """
    if not points:
        return ""
    days = [point.day for point in points] + list(blind) + [moment]
    first, last = min(days) - timedelta(days=2), max(days) + timedelta(days=2)
    span = (last - first).days
    tall = max([_LEAST_Z, *(point.z for point in points if point.z is not None)])

    def across(day: date) -> float:
        return round(_LEFT + (day - first).days / span * (_WIDTH - _LEFT - _RIGHT), 1)

    def up(share: float) -> float:
        return round(_HEIGHT - _BOTTOM - min(1.0, max(0.0, share)) * (_HEIGHT - _TOP - _BOTTOM), 1)

    shown = [
        {
            "x": across(point.day),
            "y": up(point.probability),
            "z": None if point.z is None else up(point.z / tall),
            "day": point.day.isoformat(),
            "text": f"{point.probability:.2f}",
            "z_text": "not known" if point.z is None else f"{point.z:.1f}",
            "seen": round(100 * point.seen),
            "partly": point.seen < 1,
        }
        for point in points
    ]
    return texts.render(
        "series.svg",
        title=title,
        box=(_WIDTH, _HEIGHT),
        frame=(_LEFT, _TOP, _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM),
        points=shown,
        line=_path((item["x"], item["y"]) for item in shown),
        z_line=_path((item["x"], item["z"]) for item in shown if item["z"] is not None),
        blind=[across(day) for day in sorted(set(blind) - {point.day for point in points})],
        moment=(across(moment), moment.isoformat()),
        ticks=[(up(share), f"{share:g}", f"{round(share * tall, 1):g}") for share in (0.0, 0.5, 1.0)],
        normal=(up(_NORMAL_Z / tall), up(0)),
        labels=[(across(day), f"{day.day} {day:%b}") for day in _labels(first, last)],
    )


def draw_index(measured: Sequence[Measured], axis: Sequence[date], moment: date, title: str) -> str:
    """NDVI of one alert's ground, look by look, over the normal and its spread.

    Args:
        measured: oldest first.
        axis: days that the drawing reaches over, so that it lies under another.
        moment: the first look that showed the change.
        title: told to screen readers, with the values in words.

    Returns:
        SVG; empty where no look was measured.
    """
    known = [one for one in measured if one.ndvi is not None]
    if not known:
        return ""
    days = [*axis, *(one.day for one in known), moment]
    first, last = min(days) - timedelta(days=2), max(days) + timedelta(days=2)
    usual = [one for one in known if one.ndvi_normal is not None]
    low = min(0.0, *(one.ndvi or 0.0 for one in known))
    inner = _HEIGHT - _INDEX_CUT - _TOP - _BOTTOM

    def across(day: date) -> float:
        return round(_LEFT + (day - first).days / (last - first).days * (_WIDTH - _LEFT - _RIGHT), 1)

    def up(value: float) -> float:
        return round(_TOP + inner - min(1.0, (value - low) / (1 - low)) * inner, 1)

    ends = [(across(one.day), one) for one in usual]
    ends = [(_LEFT, usual[0]), *ends, (_WIDTH - _RIGHT, usual[-1])] if usual else []
    band = [(x, up((o.ndvi_normal or 0) + (o.ndvi_spread or 0))) for x, o in ends]
    band += [(x, up((o.ndvi_normal or 0) - (o.ndvi_spread or 0))) for x, o in reversed(ends)]
    return texts.render(
        "index.svg",
        title=title,
        box=(_WIDTH, _HEIGHT - _INDEX_CUT),
        frame=(_LEFT, _TOP, _WIDTH - _LEFT - _RIGHT, inner),
        band=_path(band) + "Z" if band else "",
        usual=_path((x, up(o.ndvi_normal or 0)) for x, o in ends),
        line=_path((across(one.day), up(one.ndvi or 0)) for one in known),
        points=[(across(one.day), up(one.ndvi or 0), index_text(one), one.seen < 1) for one in known],
        moment=(across(moment), moment.isoformat()),
        ticks=[(up(value), f"{value:g}") for value in (0.0, 0.5, 1.0)],
        labels=[(across(day), f"{day.day} {day:%b}") for day in _labels(first, last)],
    )


def index_text(one: Measured) -> str:
    """Like `2026-03-01: NDVI 0.31, normal 0.78 ± 0.04; NBR ...`."""
    values = (("NDVI", one.ndvi, one.ndvi_normal, one.ndvi_spread), ("NBR", one.nbr, one.nbr_normal, one.nbr_spread))
    told = [f"{name} {value:.2f}{_usual(*usual)}" for name, value, *usual in values if value is not None]
    return f"{one.day.isoformat()}: {'; '.join(told)}"


def _usual(normal: float | None, spread: float | None) -> str:
    return "" if normal is None or spread is None else f", normal {normal:.2f} ± {spread:.2f}"


def _path(places: Any) -> str:
    return " ".join(f"{'M' if number == 0 else 'L'}{x} {y}" for number, (x, y) in enumerate(places))


def _labels(first: date, last: date) -> list[date]:
    step = max(1, -(-(last - first).days // _LABELS))
    return [first + timedelta(days=n) for n in range(step // 2, (last - first).days, step)]
