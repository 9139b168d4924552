"""Tracks: from the pixels of tracks to centre lines with length and width.

In: rows and columns of pixels. Out: `Track` values in the granule's CRS. Knows no evidence and no dates.

A canopy that closes over a track for a few pixels does not make two tracks of it: ends that face each other across
a gap of up to `GAP_M` are joined, and the gap counts as length, since somebody drives there.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapely import LineString, MultiLineString
from shapely.geometry.base import BaseGeometry

from pipeline.alerts import shapes, skeleton
from pipeline.grid import RESOLUTION_M, Granule, Window

GAP_M = 60.0
"""Widest gap that is taken for canopy over one track."""
MIN_ELONGATION = 3.0
"""A track is at least so many times longer than wide; anything stouter is an area."""
_TURN = np.cos(np.radians(40))
_SIDESTEP_PX = 1.5
_SIMPLIFY_M = 1.0


@dataclass(frozen=True, slots=True)
class Track:
    """One track, possibly with branches."""

    line: BaseGeometry
    """LineString or MultiLineString in the granule's CRS."""
    length_m: float
    """Along all its lines, joined gaps included."""
    width_m: float
    """Area by seen length, never less than one pixel: below that nothing can be told."""
    pixels: NDArray[np.intp]
    """Indices of its pixels among those given."""

    @property
    def area_m2(self) -> float:
        """Counted pixels."""
        return float(len(self.pixels) * shapes.PIXEL_M2)


@dataclass(frozen=True, slots=True)
class _Strand:
    group: int
    path: skeleton.Path


def trace(rows: NDArray[np.integer], cols: NDArray[np.integer], granule: Granule) -> tuple[Track, ...]:
    """Find the tracks in a set of pixels.

    Args:
        rows: (n,) rows of distinct pixels.
        cols: (n,) their columns.
        granule: gives place and CRS.

    Returns:
        Tracks in the order of their topmost pixel; groups that are no lines (see `MIN_ELONGATION`) are left out.
    """
    gathered = shapes.members(shapes.groups(rows, cols))
    strands = [
        _Strand(number, path) for number, pixels in enumerate(gathered) for path in _paths(rows[pixels], cols[pixels])
    ]
    bridges = _bridges(strands)
    drawn, spanning = defaultdict(list), defaultdict(list)
    for strand in strands:
        drawn[strand.group].append(strand.path.points)
    for (one, _), points in bridges:
        spanning[one].append(points)
    found = []
    for together in _families(strands, bridges):
        pixels = np.concatenate([gathered[number] for number in together])
        lines = [points for number in together for points in drawn[number]]
        spans = [points for number in together for points in spanning[number]]
        track = _track(lines, spans, pixels, granule)
        if track.length_m >= MIN_ELONGATION * track.width_m:
            found.append(track)
    return tuple(found)


def _paths(rows: NDArray[np.integer], cols: NDArray[np.integer]) -> list[skeleton.Path]:
    """Paths of one group, in pixel coordinates of the granule grid."""
    mask, window = shapes.crop(rows, cols)
    corner = np.array([window.row, window.col])
    return [skeleton.Path(path.points + corner, path.nodes) for path in skeleton.paths(mask)]


def _bridges(strands: list[_Strand]) -> list[tuple[tuple[int, int], skeleton.Points]]:
    """Pairs of groups to join, with the straight line between their ends; each end is joined once."""
    ends = [(s, end) for s in range(len(strands)) for end in (0, 1) if strands[s].path.nodes[end] < 0]
    if len(ends) < 2:
        return []
    tips = np.array([strands[s].path.points[-1 if end else 0] for s, end in ends])
    headings = np.array([strands[s].path.outward(end) for s, end in ends])
    pairs = cKDTree(tips).query_pairs(GAP_M / RESOLUTION_M, output_type="ndarray")
    gaps = np.hypot(*(tips[pairs[:, 0]] - tips[pairs[:, 1]]).T)
    taken: set[int] = set()
    found = []
    for one, other in pairs[np.lexsort((pairs[:, 1], pairs[:, 0], gaps))]:
        groups = strands[ends[one][0]].group, strands[ends[other][0]].group
        if groups[0] == groups[1] or taken & {one, other}:
            continue
        gap = tips[other] - tips[one]
        if _faces(headings[one], gap) and _faces(headings[other], -gap) and headings[one] @ headings[other] < -0.5:
            taken |= {one, other}
            found.append((groups, np.vstack([tips[one], tips[other]])))
    return found


def _faces(heading: skeleton.Points, gap: skeleton.Points) -> bool:
    """Does an end point across the gap, within 40 degrees or a sidestep of a pixel and a half?"""
    forward = float(heading @ gap)
    sideways = abs(float(heading[0] * gap[1] - heading[1] * gap[0]))
    return forward > 0 and (forward >= _TURN * float(np.hypot(*gap)) or sideways <= _SIDESTEP_PX)


def _families(strands: list[_Strand], bridges: list[tuple[tuple[int, int], skeleton.Points]]) -> list[tuple[int, ...]]:
    """Groups that bridges make one, each in order."""
    root = {strand.group: strand.group for strand in strands}

    def top(group: int) -> int:
        while root[group] != group:
            group = root[group]
        return group

    for (one, other), _ in bridges:
        low, high = sorted((top(one), top(other)))
        root[high] = low
    families: dict[int, list[int]] = {}
    for group in sorted(root):
        families.setdefault(top(group), []).append(group)
    return [tuple(family) for _, family in sorted(families.items())]


def _track(
    lines: list[skeleton.Points], spans: list[skeleton.Points], pixels: NDArray[np.intp], granule: Granule
) -> Track:
    drawn = [shapely.simplify(_line(points, granule), _SIMPLIFY_M) for points in lines]
    bridged = [_line(points, granule) for points in spans]
    seen_m = sum(line.length for line in drawn)
    merged = shapely.line_merge(MultiLineString([*drawn, *bridged]))
    width_m = max(float(RESOLUTION_M), len(pixels) * shapes.PIXEL_M2 / seen_m)
    return Track(merged, float(merged.length), width_m, pixels)


def _line(points: skeleton.Points, granule: Granule) -> LineString:
    """Pixel centres to metres."""
    place = granule.transform(Window(0, 0, 1, 1))
    return LineString(
        np.column_stack([place.c + place.a * (points[:, 1] + 0.5), place.f + place.e * (points[:, 0] + 0.5)])
    )
