"""Random outlines on the ground: clearings, yards, winding lines.

In: a random generator and sizes in metres. Out: shapely geometry in metres about the origin, y to the south. Knows no
pixels and no spectra.
"""

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon, affinity

OUTLINES = ("natural", "rectangle", "strip")

_NATURAL_VERTICES = 96


def outline(style: str, area_m2: float, *, rng: np.random.Generator) -> Polygon:
    """A polygon of exactly this area, turned at random.

    Args:
        style: `natural` (a blob with ragged edges), `rectangle` (sides 1:1 to 1:3) or `strip` (1:4 to 1:10).
        area_m2: of the result.
        rng: source of all choices.

    Raises:
        ValueError: unknown style.
    """
    if style == "natural":
        shape = _blob(rng)
    elif style in OUTLINES:
        low, high = (1.0, 3.0) if style == "rectangle" else (4.0, 10.0)
        shape = _block(rng, aspect=rng.uniform(low, high))
    else:
        raise ValueError(f"outline {style!r} is none of {', '.join(OUTLINES)}")
    turned = affinity.rotate(shape, rng.uniform(0, 180), origin=(0, 0))
    scale = np.sqrt(area_m2 / turned.area)
    return affinity.scale(turned, scale, scale, origin=(0, 0))


def _blob(rng: np.random.Generator) -> Polygon:
    """Radius as a sum of waves with falling strength, stretched."""
    angle = np.linspace(0, 2 * np.pi, _NATURAL_VERTICES, endpoint=False)
    waves = np.arange(2, 16)
    strength = rng.uniform(0.15, 0.4) * rng.standard_normal(len(waves)) / waves**1.1
    phase = rng.uniform(0, 2 * np.pi, len(waves))
    radius = np.exp((strength[:, None] * np.cos(waves[:, None] * angle + phase[:, None])).sum(axis=0))
    stretch = np.sqrt(rng.uniform(1.0, 2.2))
    return Polygon(np.column_stack([radius * np.cos(angle) * stretch, radius * np.sin(angle) / stretch]))


def _block(rng: np.random.Generator, *, aspect: float) -> Polygon:
    """A rectangle whose corners are a little off and whose sides are a little ragged."""
    half = np.array([np.sqrt(aspect), 1 / np.sqrt(aspect)]) / 2
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    corners = corners + rng.uniform(-0.06, 0.06, corners.shape)
    dense = shapely.get_coordinates(shapely.segmentize(Polygon(corners), 0.08))[:-1]
    ragged = dense + rng.standard_normal(dense.shape) * 0.008
    shape = Polygon(ragged)
    return shape if shape.is_valid else Polygon(corners)


def building(length_m: float, width_m: float, *, rng: np.random.Generator, heading_deg: float) -> Polygon:
    """A rectangular roof about the origin, nearly along a heading."""
    shape = shapely.box(-length_m / 2, -width_m / 2, length_m / 2, width_m / 2)
    turn = heading_deg + 90 * rng.integers(0, 2) + rng.normal(0, 6)
    return affinity.rotate(shape, turn, origin=(0, 0))


def winding_line(length_m: float, *, rng: np.random.Generator, bend_m: float = 180.0) -> shapely.LineString:
    """A smooth line of exactly this length, centred about the origin, that winds but does not turn back.

    Args:
        length_m: along the line.
        rng: source of all choices.
        bend_m: scale over which the direction changes.
    """
    step = 5.0
    count = max(8, int(np.ceil(length_m / step)) + 1)
    heading = rng.uniform(0, 2 * np.pi) + _wander(count, bend_m / step, rng)
    ends = np.column_stack([np.cos(heading), np.sin(heading)]).cumsum(axis=0)
    ends = np.vstack([[0, 0], ends[:-1]])
    length = np.hypot(*np.diff(ends, axis=0).T).sum()
    points = ends * (length_m / length)
    return shapely.LineString(points - (points.min(axis=0) + points.max(axis=0)) / 2)


def _wander(count: int, scale: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Directions (radians) about 0: two slow waves and smoothed noise, bounded so that the line makes way."""
    along = np.arange(count) / scale
    waves = sum(
        rng.uniform(0.05, 0.9 / order) * np.sin(2 * np.pi * along / period + rng.uniform(0, 2 * np.pi))
        for order, period in ((2, rng.uniform(3.0, 9.0)), (2, rng.uniform(1.5, 4.0)), (4, rng.uniform(0.7, 1.8)))
    )
    drift = rng.uniform(-0.5, 0.5) * np.linspace(-1, 1, count)
    wandering: NDArray[np.float64] = np.clip(waves + drift, -1.3, 1.3)
    return wandering
