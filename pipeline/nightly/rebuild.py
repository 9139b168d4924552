"""Rebuilding: the steps from looks to a detection, done again from an evidence pack alone.

In: a pack's folder. Out: what each step gives, to be compared with what the pack says. Knows no home and no scenes.
"""

import json
import math
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import ValidationError
from shapely.geometry.base import BaseGeometry

from pipeline import grid, packed
from pipeline.alerts import detections, kinds, merge, record
from pipeline.config import Profile
from pipeline.depot import Folder
from pipeline.detect import change, evidence
from pipeline.detect import marks as adding
from pipeline.detect.detector import Detector
from pipeline.detect.evidence import Evidence
from pipeline.errors import StateError
from pipeline.grid import Granule, Tile, Window
from pipeline.publish import packs
from pipeline.schema import KINDS, MARK, Alert, Change, Detection
from pipeline.sensors import BANDS

_REMEDY = "restore it from a backup"
_HEADER_BYTES = 1024
"""Of an array's header there are fewer."""
_EARLIER = np.dtype([(name, MARK[name]) for name in MARK.names or () if name != "beside_cloud"])
"""Marks of packs that were written before marks told of clouds."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A pack, as far as it is needed to do its steps again."""

    folder: Path
    facts: dict[str, Any]
    alert: Alert
    profile: Profile
    thresholds: tuple[float, float, float]
    parts: tuple["OpenedPart", ...]


@dataclass(frozen=True, slots=True)
class OpenedPart:
    """One granule's part of a pack."""

    granule: Granule
    window: Window
    halo_px: int
    looks: tuple[dict[str, Any], ...]
    """Facts of each look."""
    seam: BaseGeometry
    folder: Path
    kept: dict[str, NDArray[Any]]
    """`own`, `marks`, `before.NAME`, `NUMBER.NAME`."""

    @property
    def own(self) -> NDArray[np.bool_]:
        """(y, x) bool: where marks can be made again."""
        return self.kept["own"]

    @property
    def marks(self) -> NDArray[np.void]:
        """(n,) of `schema.MARK`, or what it was before, as the pack says."""
        return self.kept["marks"]

    @property
    def inner(self) -> Window:
        """Where the network's halo is known."""
        return self.window.grown(-self.halo_px)

    def probability(self, number: int) -> NDArray[np.float32]:
        """(kind, y, x) float32 on `window`, as the pack says."""
        return self.raster(f"probability_{number}.tif", len(KINDS))

    def raster(self, name: str, bands: int) -> NDArray[np.float32]:
        """(band, y, x) float32 on `window`."""
        values: NDArray[np.float32] = packs.read_raster(self.folder / name, (bands, *self.window.shape))
        return values


def opened(folder: Path) -> Opened:
    """Open a pack.

    Raises:
        StateError: something is missing or broken.
    """
    facts = packs.read_values(folder / "facts.json")
    alert = record.from_record(packs.read_values(folder / "alert.json"))
    try:
        clearing, camp, track = (float(value) for value in facts["model"]["thresholds"])
        return Opened(
            folder=folder,
            facts=facts,
            alert=alert,
            profile=Profile.model_validate_json(json.dumps(facts["profile"])),
            thresholds=(clearing, camp, track),
            parts=tuple(_part(folder / name, told) for name, told in sorted(facts["parts"].items())),
        )
    except (KeyError, TypeError, ValueError, ValidationError, shapely.errors.ShapelyError) as err:
        raise StateError(f"{folder / 'facts.json'}: damaged ({err!r:.120}); {_REMEDY}") from err


def _part(folder: Path, told: dict[str, Any]) -> OpenedPart:
    window, looks = Window(*(int(number) for number in told["window"])), tuple(told["looks"])
    halo_px = int(told["halo_px"])
    if not 0 <= 2 * halo_px < min(window.shape):
        raise ValueError(f"halo_px {halo_px} in a window of {window.shape}")
    return OpenedPart(
        granule=grid.granule(folder.name),
        window=window,
        halo_px=halo_px,
        looks=looks,
        seam=shapely.from_wkb(told["seam"]),
        folder=folder,
        kept=_kept(folder, window, len(looks)),
    )


def _kept(folder: Path, window: Window, looks: int) -> dict[str, NDArray[Any]]:
    """The arrays of a part: what its window asks for, and nothing larger is read.

    Raises:
        StateError: they are missing or broken, or do not fit the window.
    """
    if max(window.shape) > grid.GRANULE_PX:
        raise StateError(f"{folder}: its window {window.shape} is larger than a granule; {_REMEDY}")
    asked = _asked(window, looks)
    most_bytes = sum(_HEADER_BYTES + dtype.itemsize * math.prod(shape) for dtype, shape in asked.values())
    kept = packed.load(Folder(folder), "evidence.npz", foreign_bytes=most_bytes, remedy=_REMEDY)
    lost = [name for name in (asked if looks else ("own", "marks")) if name not in kept]
    wrong = [name for name in kept if name != "marks" and (kept[name].dtype, kept[name].shape) != asked.get(name)]
    if lost or wrong or not _fit(kept["marks"], window):
        what = ", ".join([*lost, *wrong]) or "marks"
        raise StateError(f"{folder / 'evidence.npz'}: {what}: not as the window asks; {_REMEDY}")
    return kept


def _asked(window: Window, looks: int) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Type and shape of each array that a part may have; of the marks, as many as there can be."""
    known = {f"before.{name}": values for name, values in asdict(evidence.empty((0, 0))).items()}
    asked = {name: (values.dtype, (*values.shape[:-2], *window.shape)) for name, values in known.items()}
    asked |= {"own": (np.dtype(np.bool_), window.shape), "marks": (MARK, (len(KINDS) * math.prod(window.shape),))}
    for number in range(1, looks + 1):
        asked |= {f"{number}.z": (np.dtype(np.float32), window.shape)}
        asked |= {f"{number}.weight": (np.dtype(np.uint8), window.shape)}
    return asked


def _fit(marks: NDArray[np.void], window: Window) -> bool:
    """Are they marks, and in the window?"""
    if marks.dtype not in (MARK, _EARLIER) or marks.ndim != 1:
        return False
    rows, cols = marks["row"] - window.row, marks["col"] - window.col
    return bool(((rows >= 0) & (rows < window.height) & (cols >= 0) & (cols < window.width)).all())


def probability(part: OpenedPart, number: int, detector: Detector) -> NDArray[np.float32]:
    """What the network says of a look.

    Args:
        part: of the pack.
        number: of the look, from 1.
        detector: the model.

    Returns:
        (kind, y, x) float32 on the part's window; NaN where the pack does not hold all that the network looks at.
    """
    before = part.raster("normal.tif", 2 * len(BANDS))[: len(BANDS)]
    after = part.raster(f"look_{number}.tif", len(BANDS))
    wanted = part.own[part.inner.within(part.window)]
    found = change.run_cells(before, after, part.inner, wanted=wanted, detector=detector)
    whole = np.full((len(found), *part.window.shape), np.nan, np.float32)
    whole[:, *part.inner.within(part.window)] = found
    return whole


def marks(pack: Opened, part: OpenedPart) -> NDArray[np.void]:
    """The marks after tonight's looks, from the evidence before them and the probabilities in the pack."""
    tile = Tile(part.granule, part.window, shapely.box(*part.granule.window_bounds(part.window)))
    known = Evidence(**{n.removeprefix("before."): v for n, v in part.kept.items() if n.startswith("before.")})
    for number, look in enumerate(part.looks, start=1):
        layers = {name.split(".", 1)[1]: v for name, v in part.kept.items() if name.startswith(f"{number}.")}
        sensed = datetime.fromisoformat(look["sensed"])
        found = Change(tile, look["scene_id"], sensed, probability=part.probability(number), **layers)
        known = evidence.add(known, found, pack.profile.evidence)
    return adding.marks(known, tile, part.own, pack.profile.evidence, pack.thresholds)


def detection(pack: Opened) -> Detection | None:
    """The event that the marks in a pack make where the alert lies; None if they make none of its kind there."""
    found: list[Detection] = []
    for part in pack.parts:
        marked = np.zeros(len(part.marks), MARK)
        for name in part.marks.dtype.names or ():
            marked[name] = part.marks[name]
        found += detections.find(marked, part.granule, pack.profile.rules, seam=part.seam)
    here, contested = pack.alert.detection, kinds.contested(pack.alert)
    mine = [item for item in merge.merge(found, pack.profile.rules) if item.kind == contested]
    shared = [item.footprint.intersection(here.footprint).area for item in mine]
    best = int(np.argmax(shared)) if shared else -1
    if not shared or shared[best] <= 0:
        return None
    return kinds.as_event(mine[best], here.kind)


def day_of(look: dict[str, Any]) -> date:
    """The scene day of a look."""
    return datetime.fromisoformat(look["sensed"]).date()
