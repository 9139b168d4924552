"""Small looks for tests of evidence: a change per day, with holes, weights and scores."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import shapely
from hypothesis import strategies as st

from pipeline import config, grid
from pipeline.detect import evidence
from pipeline.detect.evidence import Evidence
from pipeline.detect.weight import AWAY, BARER, IN_SEASON
from pipeline.grid import Window
from pipeline.schema import Change

RULES = config.Evidence()
THRESHOLDS = (0.5, 0.5, 0.5)
START = date(2024, 3, 1)
_GRANULE = grid.granule("44QLH")
TILE = grid.Tile(_GRANULE, Window(0, 0, 2, 3), shapely.box(*_GRANULE.window_bounds(Window(0, 0, 2, 3))))
OWNED = np.ones((2, 3), bool)


def change(
    day: date,
    values: object,
    *,
    weight: int = 16,
    facts: int = IN_SEASON + BARER + AWAY,
    z: float = 2.0,
    name: str = "",
) -> Change:
    """`values` is one probability for all kinds and pixels, or (kind, y, x); `weight` is in sixteenths."""
    probability = np.broadcast_to(np.asarray(values, np.float32), (3, 2, 3)).copy()
    sensed = datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
    scores = np.where(np.isfinite(probability[0]), np.float32(z), np.float32(np.nan))
    return Change(TILE, name or f"s{day}", sensed, probability, scores, np.full((2, 3), weight + facts, np.uint8))


def on(days: int) -> date:
    """So many days after the first."""
    return START + timedelta(days=days)


def added(*changes: Change, rules: config.Evidence = RULES) -> Evidence:
    """The evidence of some looks."""
    known = evidence.empty((2, 3))
    for item in changes:
        known = evidence.add(known, item, rules)
    return known


def same(one: Evidence, other: Evidence) -> bool:
    """To the last bit."""
    return all(
        getattr(one, name).dtype == getattr(other, name).dtype
        and getattr(one, name).tobytes() == getattr(other, name).tobytes()
        for name in ("day", "odds", "weight", "z")
    )


@dataclass(frozen=True)
class Drawn:
    """What hypothesis shows of a look."""

    days: int
    seed: int


def looks(most: int = 30) -> st.SearchStrategy[list[Change]]:
    """Looks in any order; some of one day, some more than a pixel can remember."""
    one = st.builds(Drawn, st.integers(0, 40), st.integers(0, 1000))
    return st.lists(one, min_size=1, max_size=most).map(lambda items: [random_change(item) for item in items])


def random_change(drawn: Drawn) -> Change:
    """Quiet, loud or between, pixel by pixel; a third unseen."""
    rng = np.random.default_rng([drawn.seed, drawn.days])
    probability = rng.choice([0.0, 0.01, 0.3, 0.55, 0.9, 0.99, 1.0], (3, 2, 3)).astype(np.float32)
    probability[:, rng.random((2, 3)) < 1 / 3] = np.nan
    made = change(on(drawn.days), probability, name=f"s{drawn.days}-{drawn.seed}")
    z = rng.normal(0, 20, (2, 3)).astype(np.float32)
    weight = rng.integers(1, 17, (2, 3)) + IN_SEASON * rng.integers(0, 8, (2, 3))
    return replace(made, z=z, weight=weight.astype(np.uint8))
