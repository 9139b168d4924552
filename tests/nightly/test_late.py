"""Scenes that are listed late, and again: each counts once, in its best revision, whatever the catalogue does."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from pipeline.ledger import database, tables
from pipeline.nightly import run, tilefile
from tests.nightly.planted import World, left, with_absolute_hrefs


def sensed_on(item: dict[str, Any], day: str) -> bool:
    return str(item["properties"]["datetime"]).startswith(day)


def reprocessed(item: dict[str, Any]) -> dict[str, Any]:
    """The same acquisition in a newer processing, under another id, with the same pixels."""
    again = copy.deepcopy(item)
    properties = again["properties"]
    again["id"] = again["id"].replace("_0_L2A", "_1_L2A")
    properties["s2:processing_baseline"] = "99.99"
    properties["s2:generation_time"] = properties["s2:generation_time"].replace("2022-", "2023-")
    return again


@pytest.mark.slow
def test_d4_d6_late_scene_is_picked_up_and_a_reprocessed_one_replaces_what_was_used(
    world: World, make_home: Callable[..., run.Home], tmp_path: Path
) -> None:
    first, second, third = (day.isoformat() for day in world.nights[:3])
    listed = with_absolute_hrefs(world.items, str(world.items.parent))
    everything = listed["features"]
    lacking = [item for item in everything if not sensed_on(item, second)]
    twice = everything + [reprocessed(item) for item in everything if sensed_on(item, first)]
    place = make_home()
    for number, items in enumerate((lacking, lacking, twice)):
        path = tmp_path / f"items{number}.json"
        path.write_text(json.dumps({**listed, "features": items}))
        report = run.nightly(place, world.nights[number], run.Options(catalog=str(path), workers=0))
        assert report.exit_code == 0
    scene, look, listing = tables.Scene, tables.Look, tables.Listing
    with database.opened(place.ledger) as ledger, ledger.reading() as connection:
        standing = select(scene).where(scene.until.is_(None), scene.purpose == "look")
        rows = connection.execute(standing).mappings().all()
        looks = connection.execute(select(look.scene_id, look.tile, look.night)).all()
        items = connection.execute(select(listing.scene, listing.item_id)).all()
    assert len({row["scene_id"] for row in rows}) == len(rows)
    assert {row["state"] for row in rows} == {"used"}
    of_day = {day: [row for row in rows if row["sensed"].date().isoformat() == day] for day in (first, second, third)}
    assert all(of_day.values())
    for day, expected in ((first, {first, third}), (second, {third}), (third, {third})):
        read = {row["scene_id"] for row in of_day[day]}
        assert {each.night.isoformat() for each in looks if each.scene_id in read} == expected
    for name in left(place).tiles.values():  # read twice, but one look
        days = tilefile.read(place.store("planted-world").arrays, name).evidence.day
        assert (np.diff(days.astype(int), axis=0)[days[1:] > 0] > 0).all()
    for row in of_day[first]:  # the older processing is known, and the one that is used now is remembered as such
        names = {each.item_id for each in items if each.scene == row["id"]}
        assert {name.split("_")[-2] for name in names} == {"0", "1"}
        assert row["entry"]["night"] == third
        assert row["entry"]["processed"].startswith("99.99")
