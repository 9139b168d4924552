"""Layout: which blocks of a file lie under a window, and which of them are fetched together.

In: a header, windows in file pixels, and keys. Out: keys and windows. Reads nothing.
"""

from collections.abc import Iterable

from pipeline.grid import Window
from pipeline.scenes.files import Header

Key = tuple[int, int]
"""Row and column of a block in its file."""


def keys(header: Header, window: Window) -> list[Key]:
    """(row, col) of the blocks that a window touches; none where it misses the file."""
    inside = window.clipped(Window(0, 0, *header.shape))
    if inside.empty:
        return []
    height, width = header.block
    rows = range(inside.row // height, -(-(inside.row + inside.height) // height))
    cols = range(inside.col // width, -(-(inside.col + inside.width) // width))
    return [(row, col) for row in rows for col in cols]


def extent(header: Header, keys: Iterable[Key]) -> Window:
    """The pixels of a rectangle of blocks."""
    height, width = header.block
    rows, cols = zip(*keys, strict=True)
    whole = Window(
        min(rows) * height,
        min(cols) * width,
        (max(rows) - min(rows) + 1) * height,
        (max(cols) - min(cols) + 1) * width,
    )
    return whole.clipped(Window(0, 0, *header.shape))


def rectangles(keys: Iterable[Key]) -> list[list[Key]]:
    """Blocks in groups that fill a rectangle: runs along rows, then equal runs of adjacent rows."""
    runs: list[list[Key]] = []
    for row, col in sorted(keys):
        if runs and runs[-1][-1] == (row, col - 1):
            runs[-1].append((row, col))
        else:
            runs.append([(row, col)])
    groups: list[list[Key]] = []
    for run in runs:
        above = [(row - 1, col) for row, col in run]
        match = next((group for group in groups if group[-len(run) :] == above and len(group) % len(run) == 0), None)
        if match is not None and all(key[1] in {col for _, col in run} for key in match):
            match.extend(run)
        else:
            groups.append(run)
    return groups
