"""Merging: shapes that the border between two granules cut in two become one again.

In: detections of all granules. Out: the same, fewer. Knows no earlier nights.

Each place belongs to one granule, so areas are added: nothing was counted twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeVar

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from pipeline import config, grid
from pipeline.alerts import detections, places, shapes
from pipeline.grid import RESOLUTION_M
from pipeline.schema import Detection, Kind

TOUCH_M = detections.SEAM_PX * RESOLUTION_M
_LINK_M = 25.0
"""Ends of two lines that the border cut apart: each was traced on its own grid, so they meet only roughly."""
_SNAP_M = 0.01
T = TypeVar("T", int, float, date)


def merge(found: Iterable[Detection], rules: config.Rules) -> tuple[Detection, ...]:
    """Make one of the detections of a kind that touch across granules, then leave out the small ones.

    Args:
        found: detections of any granules and zones, in any order.
        rules: smallest areas and lengths, applied to what came of it.

    Returns:
        Detections in the order of `detections.order`.
    """
    items = sorted(found, key=detections.order)
    families = _families(items)
    merged = [items[family[0]] if len(family) == 1 else _merged([items[i] for i in family]) for family in families]
    return tuple(sorted((item for item in merged if detections.big_enough(item, rules)), key=detections.order))


def _families(items: Sequence[Detection]) -> list[list[int]]:
    """Which detections are one."""
    root = list(range(len(items)))

    def top(index: int) -> int:
        while root[index] != index:
            index = root[index]
        return index

    footprints = [item.footprint for item in items]
    for one, other in places.near(footprints, footprints, within_m=TOUCH_M):
        if one < other and items[one].kind == items[other].kind and items[one].mgrs != items[other].mgrs:
            epsg = places.plane(items[one])
            here, there = (grid.reproject(footprints[index], 4326, epsg) for index in (one, other))
            if here.distance(there) <= TOUCH_M:
                low, high = sorted((top(one), top(other)))
                root[high] = low
    families: dict[int, list[int]] = {}
    for index in range(len(items)):
        families.setdefault(top(index), []).append(index)
    return list(families.values())


def _merged(parts: list[Detection]) -> Detection:
    largest = max(parts, key=lambda part: part.area_m2)  # the first of equals: the parts are in order
    epsg = places.plane(largest)
    areas = [part.area_m2 for part in parts]
    footprint = _united([part.footprint for part in parts], epsg)
    lines, linked_m = (footprint, 0.0) if largest.kind != Kind.TRACK else _joined(parts, epsg)
    length_m = sum(part.length_m for part in parts) + linked_m
    z = [(part.z, part.area_m2) for part in parts if np.isfinite(part.z)]
    share = np.average([part.probabilities for part in parts], axis=0, weights=areas)
    return replace(
        largest,
        geometry=detections.to_wgs84(lines, epsg),
        footprint=detections.to_wgs84(footprint, epsg),
        area_m2=sum(areas),
        length_m=length_m,
        width_m=sum(part.width_m * part.length_m for part in parts) / max(1.0, length_m - linked_m),
        probabilities=(float(share[0]), float(share[1]), float(share[2])),
        confidence=float(np.average([part.confidence for part in parts], weights=areas)),
        hits=_reached([part.hits for part in parts], areas, detections.HIT_SHARE),
        looks=_reached([part.looks for part in parts], areas, detections.HIT_SHARE),
        first_seen=_reached([part.first_seen for part in parts], areas, detections.FIRST_SHARE),
        last_seen=max(part.last_seen for part in parts),
        z=float(np.average([v for v, _ in z], weights=[w for _, w in z])) if z else largest.z,
        log_odds=_reached([part.log_odds for part in parts], areas, detections.EVIDENCE_SHARE),
        beside_cloud=2 * sum(part.area_m2 for part in parts if part.beside_cloud) > sum(areas),
    )


def _reached(values: list[T], areas: list[float], share: float) -> T:
    """The least value that, with those below it, covers a share of the area: a weighted quantile."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    covered = np.cumsum([areas[index] for index in order])
    return values[order[int(np.searchsorted(covered, share * covered[-1]))]]


def _united(footprints: list[BaseGeometry], epsg: int) -> BaseGeometry:
    """The union in the plane; snapped, so that no hair's breadth of rounding stays between two neighbours."""
    placed = [grid.reproject(footprint, 4326, epsg) for footprint in footprints]
    return shapes.polygonal(shapely.make_valid(shapely.union_all(placed, grid_size=_SNAP_M)))


def _joined(parts: list[Detection], epsg: int) -> tuple[BaseGeometry, float]:
    """All lines of the parts in the plane, with links between ends that meet, and the length of these links."""
    lines = [grid.reproject(part.geometry, 4326, epsg) for part in parts]
    tips = [(number, tip) for number, line in enumerate(lines) for tip in shapely.get_parts(line.boundary)]
    gaps = sorted(
        (one[1].distance(other[1]), a, b)
        for a, one in enumerate(tips)
        for b, other in enumerate(tips)
        if a < b and one[0] != other[0] and one[1].distance(other[1]) <= _LINK_M
    )
    links, taken = [], set[int]()
    for gap_m, a, b in gaps:
        if gap_m > 0 and not taken & {a, b}:
            taken |= {a, b}
            links.append(shapely.LineString([tips[a][1], tips[b][1]]))
    whole = shapely.line_merge(
        shapely.MultiLineString([part for g in (*lines, *links) for part in shapely.get_parts(g)])
    )
    return whole, sum(link.length for link in links)
