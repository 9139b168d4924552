"""Places: which WGS84 shapes lie near each other, in metres, the antimeridian included.

In: WGS84 shapes. Out: pairs of numbers and planes. Knows no kinds and no dates.
"""

import math
from collections.abc import Sequence

import shapely
from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.schema import Detection

_DEGREE_M = 110_000.0
"""A little less than a degree of latitude anywhere, so that searches reach a little too far."""


def plane(detection: Detection) -> int:
    """EPSG code of the UTM zone in which to measure around a detection: its granule's own, where it has one."""
    try:
        return grid.granule(detection.mgrs).epsg
    except ValueError:  # found on a grid of the user's own
        lon, lat = (float(value) for value in shapely.get_coordinates(detection.footprint)[0])
        zone = min(60, max(1, math.floor((lon + 180) / 6) + 1))
        return (32600 if lat >= 0 else 32700) + zone


def near(ones: Sequence[BaseGeometry], others: Sequence[BaseGeometry], *, within_m: float) -> list[tuple[int, int]]:
    """Pairs that may be within a distance: none that is gets lost, some that are not are among them.

    Args:
        ones: WGS84 shapes within -180 to 180 degrees.
        others: the same.
        within_m: distance in metres.

    Returns:
        Sorted (index in `ones`, index in `others`).
    """
    parts, owner = shapely.get_parts(list(others), return_index=True)
    tree = shapely.STRtree(parts)
    found: set[tuple[int, int]] = set()
    for index, geometry in enumerate(ones):
        for part in shapely.get_parts(geometry):
            for around in _boxes(part, within_m):
                found.update((index, int(owner[hit])) for hit in tree.query(around))
    return sorted(found)


def _boxes(part: BaseGeometry, margin_m: float) -> list[BaseGeometry]:
    """The grown bounding box, and its other side where it reaches beyond 180 degrees."""
    west, south, east, north = part.bounds
    tall = margin_m / _DEGREE_M
    wide = tall / max(0.05, math.cos(math.radians(max(abs(south), abs(north)))))
    west, south, east, north = west - wide, south - tall, east + wide, north + tall
    shifts = [0, *([360] if west < -180 else []), *([-360] if east > 180 else [])]
    return [shapely.box(west + shift, south, east + shift, north) for shift in shifts]
