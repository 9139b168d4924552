"""What is told of alerts out of the tiles' arrays, which are read once.

In: a night, and each tile's arrays. Out: time series and measures of its open alerts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pipeline.config import Profile
from pipeline.grid import Tile
from pipeline.ledger.manifest import Manifest
from pipeline.nightly import state, task, tilefile
from pipeline.nightly.measures import Measures
from pipeline.nightly.timelines import Gathered
from pipeline.normal import keep
from pipeline.schema import Alert, Normal


@dataclass(frozen=True, slots=True)
class Readings:
    """Grow tile by tile."""

    store: state.Store
    before: Manifest
    series: Gathered
    measures: Measures

    @classmethod
    def of(cls, alerts: Sequence[Alert], store: state.Store, before: Manifest) -> "Readings":
        """Of some alerts, on what the night before has left."""
        return cls(store, before, Gathered(tuple(alerts)), Measures(tuple(alerts)))

    def wants(self, tile: Tile) -> bool:
        """Whether an alert lies on a tile."""
        return bool(self.measures.over(tile))

    def add(self, tile: Tile, layers: tilefile.Layers, normal: Normal | None) -> None:
        """Read one tile; for new alerts also what the night before had kept of it.

        Raises:
            StateError: a file of the night before is broken.
        """
        self.series.add(tile, layers.evidence)
        here = self.measures.over(tile)
        self.measures.add(tile, layers.latest, normal, here, first=True)
        known = {record["alert_id"] for record in self.before.alerts}
        new, file = [alert for alert in here if alert.alert_id not in known], self.before.tiles.get(tile.key)
        if new and file:
            earlier = tilefile.read(self.store.arrays, file, tile.window.shape).latest
            self.measures.add(tile, earlier, normal, new, first=False)


def normal_of(tile: Tile, store: state.Store, anchor: date, profile: Profile) -> Normal | None:
    """The kept normal, on the tile alone."""
    normal = keep.load(store.normals, task.normal_key(tile, anchor, profile))
    return None if normal is None else normal.cropped(tile.window)
