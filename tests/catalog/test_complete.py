import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from shapely import box

from pipeline.catalog import complete
from pipeline.config import Catalog

AREA = box(2.80, 42.33, 2.83, 42.36)
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
