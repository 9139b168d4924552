"""The arrays of a tile that outlive a night: its evidence and its latest pixels.

In: a depot and a file's name. Out: `Layers`. A tile that has grown or shrunk gets what fits.
"""

from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import packed
from pipeline.depot import Depot
from pipeline.detect import evidence, weight
from pipeline.detect.evidence import Evidence
from pipeline.nightly import latest
from pipeline.nightly.latest import Latest

_AWAY = "away"
"""Empty member of a tile's file: its weights tell of clouds. Those of earlier versions told nothing of them."""


@dataclass(frozen=True, slots=True)
class Layers:
    """The arrays of a tile that outlive the night."""

    evidence: Evidence
    latest: Latest


def left(depot: Depot, file: str, shape: tuple[int, int]) -> Layers:
    """What earlier nights left for a tile of (y, x); empty layers where no file is named."""
    return read(depot, file, shape) if file else Layers(evidence.empty(shape), latest.never(shape))


def read(depot: Depot, file: str, shape: tuple[int, int] | None = None) -> Layers:
    """Read what `save` wrote; fitted to the (y, x) that the tile has now, if that is given."""
    values = packed.load(depot, file)
    known, newest = ({field.name: values[field.name] for field in fields(part)} for part in (Evidence, Latest))
    if _AWAY not in values:  # nothing is known against these looks
        known["weight"] = np.where(known["day"] > 0, known["weight"] | np.uint8(weight.AWAY), known["weight"])
    layers = Layers(Evidence(**known), Latest(**newest))
    return fitted(layers, shape) if shape else layers


def fitted(layers: Layers, shape: tuple[int, int]) -> Layers:
    """Layers of a tile that has grown or shrunk with the outline of its AOI: what is new knows nothing yet.

    Args:
        layers: of a tile with the same first row and column.
        shape: (y, x) of the tile as it is now.
    """
    if layers.evidence.day.shape[1:] == shape:
        return layers
    new = Layers(evidence.empty(shape), latest.never(shape))
    for old, part in ((layers.evidence, new.evidence), (layers.latest, new.latest)):
        for field in fields(part):
            source, target = getattr(old, field.name), getattr(part, field.name)
            height, width = (min(pair) for pair in zip(source.shape[-2:], shape, strict=True))
            target[..., :height, :width] = source[..., :height, :width]
    return new


def save(depot: Depot, file: str, layers: Layers) -> None:
    """Write a tile's arrays: the file is whole or absent."""
    arrays: dict[str, NDArray[Any]] = {
        field.name: getattr(part, field.name) for part in (layers.evidence, layers.latest) for field in fields(part)
    }
    packed.save(depot, file, arrays | {_AWAY: np.zeros(0, np.bool_)})


def without(layers: Layers, days: tuple[date, ...]) -> Layers:
    """Forget the looks of some days, whose scenes are looked at again."""
    for day in days:
        known = evidence.without(layers.evidence, day)
        layers = Layers(known, latest.without(layers.latest, day, known.day[-1]))
    return layers
