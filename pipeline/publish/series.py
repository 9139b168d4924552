"""Time series: what each look said of a place, as a picture.

In: points. Out: SVG. Knows no pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pipeline.publish import texts

_WIDTH, _HEIGHT = 640, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 46, 26, 34
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
        ticks=[(up(share), f"{share:g}", f"{share * tall:.0f}") for share in (0.0, 0.5, 1.0)],
        normal=(up(_NORMAL_Z / tall), up(0)),
        labels=[(across(day), f"{day.day} {day:%b}") for day in _labels(first, last)],
    )


def _path(places: Any) -> str:
    return " ".join(f"{'M' if number == 0 else 'L'}{x} {y}" for number, (x, y) in enumerate(places))


def _labels(first: date, last: date) -> list[date]:
    step = max(1, -(-(last - first).days // _LABELS))
    return [first + timedelta(days=n) for n in range(step // 2, (last - first).days, step)]
