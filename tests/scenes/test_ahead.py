import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import config
from pipeline.scenes import ahead, look
from pipeline.scenes.blocks import BlockStore
from pipeline.schema import Inspected, Reason
from tests.scenes.test_look import AT, COVER, bands, inspected, served


@pytest.fixture
def scenes(writer: Any, server: Any) -> tuple[list[Inspected], list[Inspected]]:
    """Two, near and far."""
    parts = [writer.part(bands(seed), at=AT, item_id=f"item{seed}") for seed in (1, 2)]
    far = [served(part, server, writer.folder) for part in parts]
    return [inspected(writer.scene(part)) for part in parts], [inspected(writer.scene(part)) for part in far]


def asked(server: Any, name: str) -> set[str]:
    return {path.rpartition("/")[2] for _, path, _ in server.log if path.startswith(f"/{name}/")}


def test_looks_are_those_read_one_by_one(scenes: Any, store: BlockStore, profile: config.Profile) -> None:
    near, far = scenes
    for each in (near, far):
        found = list(ahead.read_looks(each, COVER, store=store, profile=profile))
        alone = [look.read_look(one, COVER, store=store, profile=profile) for one in near]
        assert [one.scene for one in found] == [one.scene for one in each]
        for one, other in zip(found, alone, strict=True):
            assert np.array_equal(one.reflectance, other.reflectance, equal_nan=True)
            assert np.array_equal(one.reason, other.reason)


def test_no_scenes_are_no_looks(store: BlockStore, profile: config.Profile) -> None:
    assert list(ahead.read_looks((), COVER, store=store, profile=profile)) == []


def test_files_of_the_next_look_are_read_while_the_first_is_worked_on(
    scenes: Any, server: Any, store: BlockStore, profile: config.Profile
) -> None:
    looks = ahead.read_looks(scenes[1], COVER, store=store, profile=profile)
    next(looks)
    until = time.monotonic() + 30
    while len(asked(server, "item2")) < 7 and time.monotonic() < until:
        time.sleep(0.01)
    assert len(asked(server, "item2")) == 7
    assert len(list(looks)) == 1


def test_d11_file_that_fails_ahead_is_a_gap_of_its_own_look_and_leaves_no_reader_behind(
    scenes: Any, writer: Any, server: Any, store: BlockStore, profile: config.Profile
) -> None:
    Path(scenes[0][1].scene.parts[0].asset("B02").href).unlink()
    first, second = ahead.read_looks(scenes[1], COVER, store=store, profile=profile)
    assert (first.reason == Reason.CLEAR).all()
    assert (second.reason == Reason.FAILED).all()
    count = len(server.log)
    time.sleep(0.2)
    assert len(server.log) == count


@pytest.mark.parametrize("broken", ["gone", "cut off"])
def test_d11_file_that_failed_ahead_is_not_tried_again_for_its_look(
    scenes: Any, store: BlockStore, profile: config.Profile, broken: str
) -> None:
    path = Path(scenes[0][1].scene.parts[0].asset("B02").href)
    if broken == "gone":
        path.unlink()
    else:  # its header is whole
        path.write_bytes(path.read_bytes()[:2000])
    looks = list(ahead.read_looks(scenes[1], COVER, store=store, profile=profile))
    assert [(one.reason == Reason.FAILED).all() for one in looks] == [False, True]
    assert (store.stats.failed_reads, store.stats.failed_attempts) == (1, store.rules.attempts)
    assert store.stats.blocks_served > 0
    # another tile's looks try it anew
    assert len(list(ahead.read_looks(scenes[1], COVER, store=store, profile=profile))) == 2
    assert (store.stats.failed_reads, store.stats.failed_attempts) == (2, 2 * store.rules.attempts)
