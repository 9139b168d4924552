"""A replayed night finds what was listed by then, and nothing that was listed later."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline import grid
from pipeline.catalog import listing
from pipeline.schema import Scene

NOON = datetime(2025, 7, 10, 12, 0, tzinfo=UTC)
TAKE = Scene("", "sentinel-2b", grid.granule("24MUA"), NOON, NOON, 95, 1.0, (), ("a",), NOON)


def listed(days: float | None, **facts: object) -> Scene:
    """Listed so many days after its acquisition."""
    published = None if days is None else NOON + timedelta(days=days)
    return replace(TAKE, published=published, **facts)  # type: ignore[arg-type]


def ids(scenes: list[Scene], day: int) -> list[str]:
    return [scene.item_ids[0] for scene in listing.known_by(scenes, date(2025, 7, day))]


def test_known_by_scene_is_found_from_the_day_it_was_listed() -> None:
    late = listed(5)
    assert [ids([late], day) for day in (10, 14, 15, 31)] == [[], [], ["a"], ["a"]]


def test_known_by_never_looks_ahead_of_the_acquisition() -> None:
    assert [ids([listed(d)], 9) for d in (0, None, 400)] == [[], [], []]


def test_known_by_unknown_listing_time_the_acquisition_decides() -> None:
    assert ids([listed(None)], 10) == ["a"]


def test_known_by_backfilled_archive_the_acquisition_decides() -> None:
    assert ids([listed(400)], 10) == ["a"]


@pytest.mark.parametrize("days", [3, 400])
def test_known_by_reprocessing_is_not_found_before_it_was_listed(days: int) -> None:
    both = [listed(0.1), listed(days, item_ids=("b",))]
    assert ids(both, 11) == ["a"]
    assert ids(both[::-1], 11) == ["a"]


def test_known_by_reprocessing_of_another_acquisition_hides_nothing() -> None:
    other = listed(400, item_ids=("b",), platform="sentinel-2a")
    assert ids([listed(0.1), other], 11) == ["a", "b"]
