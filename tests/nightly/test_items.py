"""STAC out of whole nights: every night is in the collection, valid, and names files that are there."""

from pathlib import Path

import pystac

from pipeline.nightly import run
from tests.nightly.planted import World
from tests.publish import stac


def test_over_leaves_a_valid_item_for_every_night_and_zone_in_one_collection(world: World, watched: run.Home) -> None:
    root = pystac.Catalog.from_file(watched.out / "catalog.json")
    (collection,) = root.get_children()
    found = list(collection.get_items())
    for thing in (root, collection, *found):
        stac.check(thing)
    assert collection.id == "planted-world"
    assert {item.datetime.date() for item in found if item.datetime} == set(world.nights)
    for item in found:
        assert all(Path(asset.get_absolute_href() or "").is_file() for asset in item.assets.values())
        assert item.properties["vanwatch:model"].startswith("vanwatch-s-")
    assert any(item.properties["vanwatch:scenes"] for item in found)
