"""Crops: what the network saw around each group of marks, kept from a tile's task until its night is published.

In: the looks of one tile as they are judged, then its marks. Out: files in a depot of the night, one per group that
tonight's looks have seen. Nothing downstream reads a scene again: evidence packs are made from these.

All looks but the newest wait on the disk until all are judged, so that memory does not grow with their number.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import config
from pipeline.alerts import shapes
from pipeline.depot import Depot
from pipeline.detect.evidence import Evidence
from pipeline.grid import Tile, Window
from pipeline.schema import Change, Look, Normal

CELL_PX = 8
"""Marks in one cell, or in two that touch, are one group: whatever joins marks to a shape reaches less far."""


@dataclass(frozen=True, slots=True)
class Crop:
    """The surroundings of one group of marks on one tile."""

    window: Window
    """Where evidence and probabilities are given; looks and the normal reach further by the network's halo."""
    depot: Depot
    name: str
    """File with `scenes`, `owned`, `median`, `spread`, `before.NAME` of the evidence, and `NUMBER.NAME` of looks."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A tile after tonight's looks."""

    tile: Tile
    owned: NDArray[np.bool_]
    """(y, x) bool: pixels that the tile answers for."""
    normal: Normal
    """Covers the tile and the network's halo."""
    before: Evidence
    """Before tonight's looks."""
    marks: NDArray[np.void]
    """(n,) of `schema.MARK`, after them."""
    rules: config.Rules


class Spool:
    """The looks of one tile and night, in a folder of their own."""

    def __init__(self, folder: Path, tile: Tile) -> None:
        """Start with none; what an earlier attempt left in `folder` is removed."""
        self._folder = folder
        self._scenes: list[str] = []
        self._newest: dict[str, NDArray[Any]] = {}
        self._seen = np.zeros(tile.window.shape, np.bool_)
        shutil.rmtree(folder, ignore_errors=True)

    def add(self, seen: Look, found: Change) -> None:
        """Put a look, on the tile and the network's halo, and what came of it aside."""
        for name, values in self._newest.items():
            self._folder.mkdir(parents=True, exist_ok=True)
            np.save(self._folder / f"{name}.npy", values)
        layers: dict[str, NDArray[Any]] = {"reflectance": seen.reflectance, "reason": seen.reason}
        number = len(self._scenes)
        self._newest = {f"{number}.{name}": values for name, values in (layers | layers_of(found)).items()}
        self._scenes.append(seen.scene.scene_id)
        self._seen |= np.isfinite(found.probability).any(axis=0)

    def cut(self, judged: Judged, target: Depot) -> tuple[Crop, ...]:
        """Keep the surroundings of all groups that tonight's looks have seen, and let go of the rest.

        Args:
            judged: the tile.
            target: for the night's crops.
        """
        try:
            return tuple(self._saved(judged, window, target) for window in self._windows(judged))
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _windows(self, judged: Judged) -> Iterator[Window]:
        """Bounding boxes of the groups that were seen and may make an alert, alone or with a neighbouring tile."""
        tile, marks = judged.tile, judged.marks
        seen = self._seen[marks["row"] - tile.window.row, marks["col"] - tile.window.col]
        each = (judged.rules.clearing, judged.rules.camp, judged.rules.track)
        least = min(kind.min_area_m2 for kind in each) / shapes.PIXEL_M2
        for members in shapes.members(groups(marks)):
            window = shapes.crop(marks["row"][members], marks["col"][members])[1]
            around = window.grown(2 * CELL_PX)
            if seen[members].any() and (len(members) >= least or around.clipped(tile.window) != around):
                yield window

    def _saved(self, judged: Judged, window: Window, target: Depot) -> Crop:
        tile = judged.tile
        halo_px = (judged.normal.window.height - tile.window.height) // 2
        inner, outer = window.within(tile.window), window.grown(halo_px).within(judged.normal.window)
        arrays: dict[str, Any] = {
            "scenes": np.array(self._scenes),
            "owned": judged.owned[inner],
            "median": judged.normal.median[:, *outer],
            "spread": judged.normal.spread[:, *outer],
        }
        arrays |= {f"before.{name}": values[..., *inner] for name, values in layers_of(judged.before).items()}
        waiting = {path.stem: np.load(path, mmap_mode="r") for path in sorted(self._folder.glob("*.npy"))}
        for name, values in (waiting | self._newest).items():
            arrays[name] = values[..., *(outer if name.endswith((".reflectance", ".reason")) else inner)]
        file = f"{tile.key}.{window.row}_{window.col}.npz"
        with target.writing(file) as handle:
            np.savez(handle, **arrays)
        return Crop(window, target, file)


def layers_of(facts: Evidence | Change) -> dict[str, NDArray[Any]]:
    """The arrays of some evidence or of a change, by name; their last two axes are (y, x)."""
    values = {field.name: getattr(facts, field.name) for field in fields(facts)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def groups(marks: NDArray[np.void]) -> NDArray[np.intp]:
    """Number the groups of marks of one granule: those of one group may belong to one shape, others cannot.

    Args:
        marks: (n,) of `schema.MARK`.

    Returns:
        (n,) group of each: 0, 1, ...
    """
    if not len(marks):
        return np.zeros(0, np.intp)
    cells = np.column_stack([marks["row"], marks["col"]]) // CELL_PX
    distinct, back = np.unique(cells, axis=0, return_inverse=True)
    numbered: NDArray[np.intp] = shapes.groups(distinct[:, 0], distinct[:, 1])[back.ravel()]
    return numbered
