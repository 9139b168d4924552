import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from shapely import box

from pipeline import grid
from pipeline.catalog import complete
from pipeline.catalog.search import Found
from pipeline.config import Catalog

AREA = box(2.80, 42.33, 2.83, 42.36)
SEAM = box(1.70, 42.33, 1.90, 42.36)
"""Across the edge of 31TDG, which does not reach into the west of it, 31TCG."""
START, END = date(2020, 1, 1), date(2020, 2, 5)


@pytest.fixture
def items(shared_data: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((shared_data / "series" / "boadella" / "items.json").read_text())[
        "features"
    ]
    return found


def listed(path: Path, items: list[dict[str, Any]]) -> tuple[str, Catalog]:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    return path.stem, Catalog(url=str(path))


def until(items: list[dict[str, Any]], day: str) -> list[dict[str, Any]]:
    return [item for item in items if item["properties"]["datetime"] < day]


def test_d6_a_stalled_catalogue_is_filled_from_the_next(items: list[dict[str, Any]], tmp_path: Path) -> None:
    catalogs = [listed(tmp_path / "stalled.json", until(items, "2020-01-20")), listed(tmp_path / "live.json", items)]
    found = complete.search(
        AREA, start=START, end=END, catalogs=catalogs, stale_days=12, save_to=tmp_path / "saved.json"
    )
    assert [scene.solar_day.day for scene in found.scenes] == [13, 18, 23, 28, 2]
    assert any("stalled: no scene of 31TDG" in line and "3 scenes came from live" in line for line in found.problems)
    assert (tmp_path / "saved_next.json").exists()


def test_d6_a_fresh_catalogue_asks_no_other(items: list[dict[str, Any]], tmp_path: Path) -> None:
    catalogs = [listed(tmp_path / "fresh.json", items), ("gone", Catalog(url=str(tmp_path / "gone.json")))]
    found = complete.search(
        AREA, start=START, end=END, catalogs=catalogs, stale_days=12, save_to=tmp_path / "saved.json"
    )
    assert len(found.scenes) == 5
    assert found.problems == ()


def test_d6_a_next_catalogue_that_fails_is_a_problem_and_no_end(items: list[dict[str, Any]], tmp_path: Path) -> None:
    gone = ("gone", Catalog(url=str(tmp_path / "gone.json")))
    catalogs = [listed(tmp_path / "stalled.json", until(items, "2020-01-20")), gone]
    found = complete.search(
        AREA, start=START, end=END, catalogs=catalogs, stale_days=12, save_to=tmp_path / "saved.json"
    )
    assert len(found.scenes) == 2
    assert any("gone" in line for line in found.problems)


def found_in(first: Any, second: Any, folder: Path, **changes: Any) -> Found:
    """What two catalogues give together."""
    values: dict[str, Any] = {"geometry": AREA, "stale_days": 12, **changes}
    catalogs = [first, second]
    return complete.search(start=START, end=END, catalogs=catalogs, save_to=folder / "saved.json", **values)


def west(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same items, of 31TCG."""
    text = json.dumps(items).replace("31TDG", "31TCG").replace('"DG"', '"CG"')
    moved: list[dict[str, Any]] = json.loads(text)
    return moved


def missed(path: Path, items: list[dict[str, Any]]) -> tuple[str, Catalog]:
    """A catalogue that is fresh and lacks the day of 23 January."""
    return listed(path, [item for item in items if not item["properties"]["datetime"].startswith("2020-01-23")])


def test_d6_ground_that_no_listed_granule_covers_is_filled_from_the_next(
    items: list[dict[str, Any]], tmp_path: Path
) -> None:
    first, second = listed(tmp_path / "half.json", items), listed(tmp_path / "whole.json", items + west(items))
    found = found_in(first, second, tmp_path, geometry=SEAM)
    assert [scene.granule.mgrs for scene in found.scenes] == ["31TCG"] * 5 + ["31TDG"] * 5
    (line,) = found.problems
    assert line.startswith("half: no scene of ")
    assert line.endswith(" km2 of the area; 5 scenes came from whole")


def test_d6_ground_that_no_catalogue_covers_is_no_problem_of_one(items: list[dict[str, Any]], tmp_path: Path) -> None:
    first, second = listed(tmp_path / "first.json", items), listed(tmp_path / "second.json", items)
    found = found_in(first, second, tmp_path, geometry=SEAM)
    assert (tmp_path / "saved_next.json").exists()
    assert len(found.scenes) == 5
    assert found.problems == ()


def test_d6_granule_of_earlier_nights_is_missed_though_another_covers_its_ground(
    items: list[dict[str, Any]], tmp_path: Path
) -> None:
    overlap = grid.reproject(box(400_500, 4_686_000, 402_500, 4_688_000), 32631, 4326)
    first = listed(tmp_path / "west.json", west(items))
    second = listed(tmp_path / "both.json", items + west(items))
    alone = found_in(first, second, tmp_path, geometry=overlap)
    assert {scene.granule.mgrs for scene in alone.scenes} == {"31TCG"}
    found = found_in(first, second, tmp_path, geometry=overlap, watched=[grid.granule("31TDG")])
    assert {scene.granule.mgrs for scene in found.scenes} == {"31TCG", "31TDG"}
    assert any("west: no scene of 31TDG for over 12 days; 5 scenes came from both" in line for line in found.problems)


def test_d7_overpass_that_a_fresh_catalogue_does_not_list_is_filled_from_the_next(
    items: list[dict[str, Any]], tmp_path: Path
) -> None:
    found = found_in(
        missed(tmp_path / "gappy.json", items), listed(tmp_path / "whole.json", items), tmp_path, stale_days=14
    )
    assert [scene.solar_day.day for scene in found.scenes] == [13, 18, 23, 28, 2]
    assert found.problems == (
        "gappy: no scene of 31TDG on 2020-01-23, when a satellite should have passed; 1 scenes came from whole",
    )


def test_d7_overpass_that_nobody_lists_is_no_problem_of_one(items: list[dict[str, Any]], tmp_path: Path) -> None:
    found = found_in(
        missed(tmp_path / "first.json", items), missed(tmp_path / "second.json", items), tmp_path, stale_days=14
    )
    assert (tmp_path / "saved_next.json").exists()
    assert len(found.scenes) == 4
    assert found.problems == ()


def test_d7_overpass_missed_long_ago_asks_no_other(items: list[dict[str, Any]], tmp_path: Path) -> None:
    gone = ("gone", Catalog(url=str(tmp_path / "gone.json")))
    found = found_in(missed(tmp_path / "gappy.json", items), gone, tmp_path, stale_days=12)
    assert len(found.scenes) == 4
    assert found.problems == ()
