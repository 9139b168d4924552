"""Skeletons: from a mask of a long, narrow thing to the paths along its middle.

In: a mask. Out: `Path` values in pixel coordinates. Knows no metres, no granules and no dates.

The skeleton's pixels are taken apart into paths between junctions; side shoots that are no longer than the mask is
wide, and so come from its ragged edge, are cut; free ends are drawn out to the edge of the mask, which thinning had
eaten away; and the staircase of pixels is smoothed.
"""

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import morphology

Points = NDArray[np.float64]
_EIGHT = np.ones((3, 3), np.int8)
_HOLE_PX = 8
"""Smaller holes are noise; the skeleton would run around them on both sides."""
_SPUR_PX = 3.0
_SMOOTH_PX = 2.0
_STEP_PX = 0.5
_TANGENT_PX = 6.0


@dataclass(frozen=True, slots=True)
class Path:
    """One stretch of a skeleton."""

    points: Points
    """(n, 2) float64: row and column of pixel centres, n > 1."""
    nodes: tuple[int, int]
    """What its ends meet: a junction's number > 0, or a number < 0 of its own where the end is free."""

    @property
    def length_px(self) -> float:
        """Length along the path."""
        return float(np.hypot(*np.diff(self.points, axis=0).T).sum())

    def outward(self, end: int) -> Points:
        """Unit vector (row, column) along which the path leaves through its start (0) or its end (1)."""
        points = self.points if end else self.points[::-1]
        distance = np.hypot(*(points - points[-1]).T)
        far = np.flatnonzero(distance >= min(_TANGENT_PX, float(distance.max())))[-1]
        vector: Points = points[-1] - points[far]
        return vector / max(float(np.hypot(*vector)), 1e-9)


def paths(mask: NDArray[np.bool_]) -> tuple[Path, ...]:
    """The smooth paths along the middle of a mask.

    Args:
        mask: (y, x) bool, one 8-connected group.

    Returns:
        Paths with row and column of pixel centres as coordinates; none for a mask without length, like a single
        pixel. Paths that meet share the exact coordinates of their junction.
    """
    room = np.pad(mask, 1)
    room = morphology.remove_small_holes(room, max_size=_HOLE_PX, connectivity=1)
    half_width = ndimage.distance_transform_edt(room)
    thin: NDArray[np.bool_] = morphology.skeletonize(room)  # type: ignore[no-untyped-call]  # it has no types yet
    pruned = _pruned(_stretches(thin), half_width)
    drawn = [_drawn_out(_smoothed(path), room, half_width) for path in pruned]
    return tuple(replace(path, points=path.points - 1) for path in drawn if path.length_px > 0)


def _stretches(thin: NDArray[np.bool_]) -> list[Path]:
    """Take a skeleton apart at its junctions."""
    around = ndimage.convolve(thin.astype(np.int8), _EIGHT, mode="constant") - 1
    crossing = thin & (around > 2)
    clusters, count = ndimage.label(crossing, _EIGHT)
    centres = np.array(ndimage.center_of_mass(crossing, clusters, range(1, count + 1))).reshape(-1, 2)
    parts, _ = ndimage.label(thin & ~crossing, _EIGHT)
    found = []
    for index, box in enumerate(ndimage.find_objects(parts), start=1):
        pixels = np.argwhere(parts[box] == index) + [side.start for side in box]
        points, ends = _ordered(pixels, clusters)
        free = (-2 * index, -2 * index - 1)
        nodes = (ends[0] or free[0], ends[1] or free[1])
        if points is None or (len(pixels) < _HOLE_PX / 2 and nodes[0] == nodes[1]):
            continue  # a lone pixel, or a knot in the skeleton
        before = [centres[nodes[0] - 1]] if nodes[0] > 0 else []
        after = [centres[nodes[1] - 1]] if nodes[1] > 0 else []
        points = np.vstack([*before, points, *after])
        if len(points) > 1:
            found.append(Path(points, nodes))
    return found


def _ordered(pixels: NDArray[np.intp], clusters: NDArray[np.int32]) -> tuple[Points | None, tuple[int, int]]:
    """Pixels of one stretch from end to end, and the junctions (0: none) that its two ends touch."""
    left = {(int(row), int(col)) for row, col in pixels}
    degree = {place: sum(near in left for near in _near(place)) for place in left}
    start = min(left, key=lambda place: (degree[place], place))
    ring = degree[start] == 2
    walked = [start]
    left.discard(start)
    while left and (onward := sorted((p for p in _near(walked[-1]) if p in left), key=lambda p: _apart(p, walked[-1]))):
        walked.append(onward[0])
        left.discard(onward[0])
    if ring:
        walked.append(start)
        return np.array(walked, np.float64), (0, 0)
    touched = [sorted({int(clusters[p]) for p in _near(place) if clusters[p]}) for place in (walked[0], walked[-1])]
    if len(walked) == 1:
        both = touched[0]
        ends = (both[0], both[1]) if len(both) > 1 else (both[0] if both else 0, 0)
        return np.array(walked, np.float64), ends
    return np.array(walked, np.float64), (touched[0][0] if touched[0] else 0, touched[1][0] if touched[1] else 0)


def _near(place: tuple[int, int]) -> list[tuple[int, int]]:
    row, col = place
    return [(row + y, col + x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x]


def _apart(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    """Straight neighbours before diagonal ones."""
    return abs(one[0] - other[0]) + abs(one[1] - other[1]), one


def _pruned(stretches: list[Path], half_width: NDArray[np.float64]) -> list[Path]:
    """Cut side shoots, junction by junction, and close the junctions that are none any more."""
    while True:
        meeting: dict[int, list[Path]] = defaultdict(list)
        for path in stretches:
            for node in path.nodes:
                meeting[node].append(path)
        cut: set[int] = set()
        for node in sorted(n for n in meeting if n > 0):
            cut |= {id(path) for path in _shoots(node, meeting[node], half_width)}
        if not cut:
            return stretches
        stretches = _closed([path for path in stretches if id(path) not in cut])


def _shoots(node: int, arms: list[Path], half_width: NDArray[np.float64]) -> list[Path]:
    """The arms of a junction that are no more than the mask's ragged edge."""
    at = arms[0].points[0 if arms[0].nodes[0] == node else -1]
    limit = 1.5 * half_width[tuple(np.rint(at).astype(int))] + _SPUR_PX
    short = [path for path in arms if min(path.nodes) < 0 and path.length_px < limit]
    if len(short) < len(arms):
        return short
    return sorted(short, key=lambda path: -path.length_px)[2:]  # a star: keep its longest axis


def _closed(stretches: list[Path]) -> list[Path]:
    """Free the ends at junctions that kept one arm, and join the two arms where two are left."""
    result = dict(enumerate(stretches))
    ends: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for index, path in result.items():
        for end in (0, 1):
            ends[path.nodes[end]].append((index, end))
    moved: dict[int, int] = {}
    lowest = min((min(path.nodes) for path in stretches), default=0)
    for node in sorted(n for n in ends if n > 0 and len(ends[n]) <= 2):
        arms = [(_final(index, moved), end) for index, end in ends[node]]
        lowest -= 1
        if len(arms) == 1:
            path = result[arms[0][0]]
            start, end = (lowest if met == node else met for met in path.nodes)
            result[arms[0][0]] = replace(path, nodes=(start, end))
        elif arms[0][0] != arms[1][0]:
            kept, gone = result[arms[0][0]], result.pop(arms[1][0])
            result[arms[0][0]] = _joined(kept, gone, node)
            moved[arms[1][0]] = arms[0][0]
    return list(result.values())


def _final(index: int, moved: dict[int, int]) -> int:
    while index in moved:
        index = moved[index]
    return index


def _joined(one: Path, other: Path, node: int) -> Path:
    """Two paths that meet at `node`, as one."""
    first = one if one.nodes[1] == node else _reversed(one)
    second = other if other.nodes[0] == node else _reversed(other)
    return Path(np.vstack([first.points, second.points[1:]]), (first.nodes[0], second.nodes[1]))


def _reversed(path: Path) -> Path:
    return Path(path.points[::-1], (path.nodes[1], path.nodes[0]))


def _smoothed(path: Path) -> Path:
    """Even steps and no staircase; the ends stay where they are."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path.points, axis=0).T))])
    steps = max(2, int(np.ceil(along[-1] / _STEP_PX)) + 1)
    even = np.column_stack([np.interp(np.linspace(0, along[-1], steps), along, column) for column in path.points.T])
    sigma = _SMOOTH_PX / _STEP_PX
    border = int(4 * sigma)
    wide = np.pad(even, ((border, border), (0, 0)), mode="reflect", reflect_type="odd")  # keeps the ends in place
    smooth = ndimage.gaussian_filter1d(wide, sigma, axis=0, truncate=4)[border:-border]
    smooth[[0, -1]] = path.points[[0, -1]]
    return replace(path, points=smooth)


def _drawn_out(path: Path, room: NDArray[np.bool_], half_width: NDArray[np.float64]) -> Path:
    """Lead free ends straight on to the edge of the mask, from where the skeleton has not yet turned to a corner."""
    if np.array_equal(path.points[0], path.points[-1]):
        return path
    typical = float(np.median(half_width[tuple(np.rint(path.points).astype(int).T)]))
    for end in (0, 1):
        if path.nodes[end] > 0:
            continue
        path = _trimmed(path, end, min(max(0.0, typical - 1), path.length_px / 4))
        tip, heading = path.points[-1 if end else 0], path.outward(end)
        reach = np.arange(0, 3 * half_width.max() + 4, 0.25)[:, None] * heading + tip
        inside = np.array([_holds(room, place) for place in reach])
        last = reach[-1] if inside.all() else reach[max(0, int(np.argmin(inside)) - 1)]
        path = replace(path, points=np.vstack([path.points, last] if end else [last, path.points]))
    return path


def _trimmed(path: Path, end: int, by_px: float) -> Path:
    """The path without its last bit at one end."""
    points = path.points if end else path.points[::-1]
    to_end = np.cumsum(np.hypot(*np.diff(points[::-1], axis=0).T))[::-1]
    kept = points[: max(2, int((to_end >= by_px).sum()))]
    return replace(path, points=kept if end else kept[::-1])


def _holds(room: NDArray[np.bool_], place: Points) -> bool:
    row, col = np.floor(place + 0.5).astype(int)
    return bool(0 <= row < room.shape[0] and 0 <= col < room.shape[1] and room[row, col])
