"""Parts: what a night knows of one alert on one granule, put together from the crops of its tiles.

In: an alert and the crops. Out: a `Part`, the same however the granule was cut into tiles. Knows no files but crops.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio import features
from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.alerts import kinds, shapes
from pipeline.grid import Granule, Window
from pipeline.nightly import crops
from pipeline.nightly.crops import Crop
from pipeline.schema import KINDS, Alert, Reason
from pipeline.sensors import BANDS

Layers = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """What a night knows of one granule."""

    granule: Granule
    marks: NDArray[np.void]
    """(n,) of `schema.MARK`, ordered by kind, row and column."""
    group: NDArray[np.intp]
    """(n,) number of each mark's group, see `crops.groups`."""
    crops: tuple[Crop, ...]
    halo_px: int
    seam: BaseGeometry
    """Border to what other granules answer for, in the granule's CRS."""
    scenes: tuple[str, ...]
    """Looked at tonight, oldest first."""
    normal_scenes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartLook:
    """One look around the alert."""

    scene_id: str
    layers: Layers
    """`reflectance` (band, y, x), `reason` (y, x), and the arrays of its `Change`; NaN beyond what is known."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the network saw tonight of one alert on one granule; all arrays cover `window`."""

    granule: Granule
    window: Window
    """Reaches further than what is judged by `halo_px` on all sides."""
    halo_px: int
    normal: NDArray[np.float32]
    """(2 x band, y, x): median, then spread."""
    own: NDArray[np.bool_]
    """(y, x): where marks can be made again: seen by a tile that answers for them, and no other group's."""
    marks: NDArray[np.void]
    """(n,) of `schema.MARK`: all of the groups that the alert lies on, of all kinds."""
    before: Layers
    """The evidence before tonight; meaningless outside `own`."""
    looks: tuple[PartLook, ...]
    """That saw some of `own`, oldest first."""
    unseen: tuple[str, ...]
    """Scenes that saw nothing of it."""
    seam: BaseGeometry
    """The part of the granule's seam near by."""
    normal_scenes: tuple[str, ...]


def around(alert: Alert, table: Table) -> Part | None:
    """Put one alert's part together; None where the alert is not on this granule. Unseen tonight, it has no looks."""
    member = _members(alert, table)
    mine = table.marks[member]
    if not len(mine):
        return None
    found = [crop for crop in table.crops if _inside(mine, crop.window).any()]
    if not found:
        return _unseen(mine, table)
    hull = _hull(crop.window for crop in found)
    window = hull.grown(table.halo_px)
    loaded = [(crop.window, _load(crop)) for crop in found]
    own = _pasted(window, [(place, layers["owned"]) for place, layers in loaded])
    others = table.marks[~member & _inside(table.marks, window)]
    own[others["row"] - window.row, others["col"] - window.col] = False
    looks = [look for scene in table.scenes if (look := _look(scene, window, loaded, table.halo_px)) is not None]
    seen = [look for look in looks if np.isfinite(look.layers["probability"][:, own]).any()]
    normal = [np.concatenate([layers["median"], layers["spread"]]) for _, layers in loaded]
    places = [place.grown(table.halo_px) for place, _ in loaded]
    return Part(
        granule=table.granule,
        window=window,
        halo_px=table.halo_px,
        normal=_pasted(window, list(zip(places, normal, strict=True))),
        own=own,
        marks=mine,
        before={
            name.removeprefix("before."): _pasted(window, [(place, layers[name]) for place, layers in loaded])
            for name in loaded[0][1]
            if name.startswith("before.")
        },
        looks=tuple(seen),
        unseen=tuple(scene for scene in table.scenes if scene not in {look.scene_id for look in seen}),
        seam=_seam_in(table, window),
        normal_scenes=table.normal_scenes,
    )


def _unseen(mine: NDArray[np.void], table: Table) -> Part:
    """Marks that tonight's looks have not seen: only they are known."""
    window = shapes.crop(mine["row"], mine["col"])[1]
    return Part(
        granule=table.granule,
        window=window,
        halo_px=0,
        normal=np.full((2 * len(BANDS), *window.shape), np.nan, np.float32),
        own=np.zeros(window.shape, np.bool_),
        marks=mine,
        before={},
        looks=(),
        unseen=table.scenes,
        seam=_seam_in(table, window),
        normal_scenes=table.normal_scenes,
    )


def _seam_in(table: Table, window: Window) -> BaseGeometry:
    return table.seam.intersection(shapely.box(*table.granule.window_bounds(window.grown(crops.CELL_PX))))


def _members(alert: Alert, table: Table) -> NDArray[np.bool_]:
    """(n,) bool: marks of the groups that an alert's footprint lies on."""
    marks, chosen = table.marks, np.zeros(len(table.marks), np.bool_)
    footprint = grid.reproject(alert.detection.footprint, 4326, table.granule.epsg)
    if not np.isfinite(footprint.bounds).all():
        return chosen
    window = table.granule.window_over(footprint)
    kind = KINDS.index(kinds.contested(alert))
    near = np.flatnonzero((marks["kind"] == kind) & _inside(marks, window))
    if window.empty or not len(near):
        return chosen
    mask = features.geometry_mask([footprint], window.shape, table.granule.transform(window), invert=True)
    hit = near[mask[marks["row"][near] - window.row, marks["col"][near] - window.col]]
    return np.isin(table.group, table.group[hit])


def _inside(marks: NDArray[np.void], window: Window) -> NDArray[np.bool_]:
    row, col = marks["row"] - window.row, marks["col"] - window.col
    inside: NDArray[np.bool_] = (row >= 0) & (row < window.height) & (col >= 0) & (col < window.width)
    return inside


def _hull(windows: Iterable[Window]) -> Window:
    each = list(windows)
    row, col = min(w.row for w in each), min(w.col for w in each)
    return Window(row, col, max(w.row + w.height for w in each) - row, max(w.col + w.width for w in each) - col)


def _load(crop: Crop) -> Layers:
    with crop.depot.reading(crop.name) as handle, np.load(handle, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _look(scene: str, window: Window, loaded: list[tuple[Window, Layers]], halo_px: int) -> PartLook | None:
    """One look, from all crops that have it."""
    pieces: dict[str, list[tuple[Window, NDArray[Any]]]] = {}
    for place, layers in loaded:
        for number in np.flatnonzero(layers["scenes"] == scene):
            for name, values in layers.items():
                if name.startswith(f"{number}."):
                    wide = name.endswith((".reflectance", ".reason"))
                    where = place.grown(halo_px) if wide else place
                    pieces.setdefault(name.split(".", 1)[1], []).append((where, values))
    if not pieces:
        return None
    return PartLook(scene, {name: _pasted(window, each, name) for name, each in sorted(pieces.items())})


def _pasted(window: Window, pieces: list[tuple[Window, NDArray[Any]]], name: str = "") -> NDArray[Any]:
    """Pieces in their places; NaN, 0, or for reasons `NODATA`, where there is none."""
    first = pieces[0][1]
    fill = np.nan if first.dtype.kind == "f" else Reason.NODATA if name == "reason" else 0
    whole = np.full((*first.shape[:-2], *window.shape), fill, first.dtype)
    for place, values in pieces:
        whole[..., *place.within(window)] = values
    return whole
