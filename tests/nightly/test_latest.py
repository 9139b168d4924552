"""Latest clear pixels: whatever order looks come in."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import grid, schema
from pipeline.detect.evidence import to_day
from pipeline.grid import Window
from pipeline.nightly import latest
from pipeline.nightly.latest import Latest
from pipeline.schema import Look, Reason

GRANULE = grid.granule("44QLH")
WINDOW = Window(0, 0, 2, 3)
START = datetime(2024, 5, 1, 5, tzinfo=UTC)


def look(days: int, seed: int) -> Look:
    rng = np.random.default_rng([days, seed])
    why = rng.choice([0, 0, Reason.CLOUD, Reason.SHADOW], (2, 3)).astype(np.uint8)
    values = rng.choice([0.02, 0.05, 0.3], (6, 2, 3)).astype(np.float32)
    values[:, why != 0] = np.nan
    sensed = START + timedelta(days=days)
    scene = schema.Scene(f"s{days}-{seed}", "", GRANULE, sensed, None, None, 0.0, (), ())
    return Look(scene, WINDOW, schema.look_pixels(values, why, GRANULE, WINDOW))


def of(items: list[Look]) -> Latest:
    found = latest.never(WINDOW.shape)
    for item in items:
        found = latest.added(found, item)
    return found


def same(one: Latest, other: Latest) -> bool:
    names = ("after", "after_day", "blind", "blind_day")
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in names)


some_looks = st.lists(st.builds(look, st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=8)


@given(some_looks, st.randoms())
def test_added_in_any_order_and_twice_the_same_bits(items: list[Look], chance: object) -> None:
    shuffled = [*items, items[0]]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert same(of(shuffled), of(items))


@given(some_looks)
def test_added_keeps_the_newest_clear_pixel_and_the_newest_reason(items: list[Look]) -> None:
    found = of(items)
    newest = max(item.sensed_day for item in items)
    for y in range(2):
        for x in range(3):
            days = [item.sensed_day for item in items if item.reason[y, x] == Reason.CLEAR]
            assert found.after_day[y, x] == (to_day(max(days)) if days else 0)
            assert (found.after[:, y, x] > 0).all() == bool(days)
            assert found.blind[y, x] == min(i.reason[y, x] for i in items if i.sensed_day == newest)


def test_without_forgets_the_pixels_of_the_day_and_says_when_it_was_seen_before() -> None:
    first, second = look(0, 1), look(5, 2)
    known = of([first, second])
    earlier = np.full((2, 3), to_day(first.sensed_day), np.uint16)
    found = latest.without(known, second.sensed_day, earlier)
    gone = second.reason == Reason.CLEAR
    assert gone.any()
    assert (found.after[:, gone] == 0).all()
    assert (found.after_day[gone] == to_day(first.sensed_day)).all()
    assert same(latest.added(found, second), known)


def test_blinded_tells_the_reason_and_leaves_the_pixels() -> None:
    known = of([look(0, 1)])
    found = latest.blinded(known, look(5, 2))
    assert found.after is known.after
    assert (found.blind == look(5, 2).reason).all()
    assert found.blind_day[0, 0] == pytest.approx(to_day(look(5, 2).sensed_day))
