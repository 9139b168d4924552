"""Presets: how large a simulated world is, how often it is seen, and what is planted in it.

In: nothing. Out: values by name. Knows no pixels.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """How large a world is and how often it is seen."""

    size_px: tuple[int, int]
    """(height, width) in 10 m pixels."""
    history: tuple[int, ...]
    """Days before the first night on which it was seen."""
    night_steps: tuple[int, ...]
    """Days between the first night and each new acquisition."""
    clearings_ha: tuple[float, ...]
    camps_ha: tuple[float, ...]
    tracks_m: tuple[tuple[float, float], ...]
    """(length, width) each."""
    cloudy: float | None = None
    """Cloud cover of the year's average day, 0 to 1; None for a dry season and a monsoon."""
    straddles: bool = True
    """Lies on the boundary of two granules."""


PRESETS = {
    "tiny": Preset(
        (256, 256), (390, 382, 370, 362, 350, 342, 330, 250, 122, 45), (0, 5, 10, 15), (2.5,), (0.6,), ((700.0, 10.0),)
    ),
    "demo": Preset(
        (600, 800),
        (395, 385, 375, 365, 360, 350, 340, 330, 320, 300, 255, 210, 165, 110, 70, 45),
        (0, 5, 10, 15, 22, 30),
        (8.0, 2.5, 0.9, 0.35),
        (1.3, 0.4),
        ((1900.0, 11.0), (800.0, 7.0)),
    ),
    "year": Preset(
        (256, 256),
        (*range(1140, 400, -10), *range(400, 4, -5)),  # three earlier years and a season
        tuple(range(0, 365, 5)),
        (2.5, 1.0),
        (0.8,),
        ((900.0, 12.0),),
        cloudy=0.7,
        straddles=False,  # one tile of one cell: a year of nights takes minutes
    ),
}
