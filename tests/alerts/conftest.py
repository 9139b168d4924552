"""Planted marks and detections for the tests of this folder."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pytest
from rasterio import features
from shapely.geometry.base import BaseGeometry

from pipeline import grid
from pipeline.schema import KINDS, MARK, Detection, Kind


@dataclass(frozen=True)
class Planted:
    """What the evidence says where a shape was drawn."""

    day: int = 20_400
    """A scene day in November 2025, far beyond what eight bits hold."""

    def pixels(
        self, rows: np.ndarray, cols: np.ndarray, kind: str, *, log_odds: float = 3.0, hits: int = 2
    ) -> np.ndarray:
        """Marks of one kind on some pixels of the granule grid."""
        found = np.zeros(len(rows), MARK)
        found["row"], found["col"], found["kind"] = rows, cols, KINDS.index(kind)
        found["log_odds"], found["probability"] = log_odds, 0.9
        found["hits"], found["looks"], found["z"] = hits, hits + 1, 4.5
        found["first_day"], found["last_day"] = self.day, self.day + 5 * (hits - 1)
        return found

    def marks(
        self, shape: BaseGeometry, kind: str, granule: grid.Granule, *, log_odds: float = 3.0, hits: int = 2
    ) -> np.ndarray:
        """Marks of one kind on the pixels whose centre lies in a shape (in the granule's CRS)."""
        window = granule.window_over(shape.buffer(20))
        if window.empty:
            return np.zeros(0, MARK)
        mask = features.geometry_mask([shape], window.shape, granule.transform(window), invert=True)
        rows, cols = np.nonzero(mask)
        return self.pixels(rows + window.row, cols + window.col, kind, log_odds=log_odds, hits=hits)

    def detection(
        self, shape: BaseGeometry, granule: grid.Granule, *, kind: Kind = Kind.CLEARING, hits: int = 1, seen: int = 0
    ) -> Detection:
        """A detection of a shape (in the granule's CRS) last seen `seen` days after the first of November 2025."""
        place = grid.reproject(shape, granule.epsg, 4326)
        last = date.fromordinal(date(2025, 11, 1).toordinal() + seen)
        first = last if hits == 1 else date.fromordinal(last.toordinal() - 5 * (hits - 1))
        return Detection(
            kind, place, place, shape.area, 0.0, 0.0, (0.9, 0.1, 0.0), 0.9, hits, hits, first, last, 4.0, granule.mgrs
        )  # fmt: skip


@pytest.fixture(scope="session")
def planted() -> Planted:
    return Planted()
