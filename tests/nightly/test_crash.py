"""Nights that are killed: whatever the moment, the next run starts from the last whole night and ends the same."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from pipeline.ledger import database, tables
from pipeline.nightly import run
from tests.nightly.planted import World

REPO = Path(__file__).parents[2]
NIGHTS = 3
KILLS = 10
AOI = "planted-world"


class Killer:
    """Runs nights on a home, each time until a given moment."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def until(self, moment: str) -> list[str]:
        """`killed`, or `done` with counts."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{moment}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().split()


@contextmanager
def killer(place: run.Home, world: World) -> Iterator[Killer]:
    command = [sys.executable, "tests/nightly/killed.py", str(place.folder), str(world.items)]
    process = subprocess.Popen(
        [*command, *(day.isoformat() for day in world.nights[:NIGHTS])],
        cwd=REPO,
        env=os.environ | {"PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Killer(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 0


def end_state(place: run.Home) -> dict[str, Any]:
    """All that nights leave: rows, arrays and results; apart from how often a night was run, and timings."""
    found: dict[str, Any] = {}
    folder = place.state / AOI / "arrays"
    with database.opened(place.ledger) as ledger, ledger.reading() as connection:
        for table in tables.Base.metadata.sorted_tables:
            columns = [c for c in table.columns if c.name not in ("id", "scene", "attempt", "arrays")]
            found[table.name] = sorted(map(tuple, connection.execute(select(*columns))), key=repr)
        named = dict(
            connection.execute(select(tables.Tile.tile, tables.Tile.arrays).where(tables.Tile.until.is_(None))).all()
        )
    found |= {key: (folder / name).read_bytes() for key, name in named.items()}
    for path in sorted(place.out.rglob("*")):
        if path.is_file():
            found[str(path.relative_to(place.out))] = path.read_bytes()
    for name in [name for name in found if name.endswith("run.json")]:
        facts = json.loads(found[name])
        del facts["timings"]
        found[name] = facts
    return found


def left_lying(place: run.Home) -> list[Path]:
    """Files that no whole night of the last two names, and what was written aside."""
    with database.opened(place.ledger) as ledger, ledger.reading() as connection:
        last = connection.scalars(select(tables.Night.as_of).order_by(tables.Night.as_of.desc())).first()
        tile = tables.Tile
        named = set(connection.scalars(select(tile.arrays).where(tile.until.is_(None) | (tile.until == last))))
    arrays = [path for path in (place.state / AOI / "arrays").iterdir() if path.name not in named]
    return arrays + list(place.out.rglob(".*")) + list((place.state / AOI).rglob(".*"))


@pytest.fixture(scope="module")
def undisturbed(
    world: World, tmp_path_factory: pytest.TempPathFactory, make_world_home: Callable[[Path], run.Home]
) -> tuple[dict[str, Any], int]:
    """What nights leave that nobody kills, and how many moments they have."""
    place = make_world_home(tmp_path_factory.mktemp("undisturbed") / "home")
    with killer(place, world) as crew:
        word, moments, commits = crew.until("never 0")
    assert (word, commits) == ("done", str(NIGHTS))
    return end_state(place), int(moments)


@pytest.mark.slow
def test_nights_killed_at_seeded_moments_end_as_if_nobody_had(
    world: World, undisturbed: tuple[dict[str, Any], int], make_home: Callable[..., run.Home]
) -> None:
    expected, moments = undisturbed
    place, rng = make_home(), np.random.default_rng(4)
    with killer(place, world) as crew:
        told = [crew.until(f"any {number}") for number in rng.integers(1, moments // NIGHTS, KILLS)]
        assert told == [["killed"]] * KILLS
        assert crew.until("never 0")[0] == "done"
    assert end_state(place) == expected
    assert left_lying(place) == []


@pytest.mark.slow
def test_nights_killed_before_and_after_every_commit_end_as_if_nobody_had(
    world: World, undisturbed: tuple[dict[str, Any], int], make_home: Callable[..., run.Home]
) -> None:
    place = make_home()
    folder = place.state / AOI / "arrays"
    with killer(place, world) as crew:
        for number in range(NIGHTS):
            assert crew.until("committing 1") == ["killed"]
            assert nights_known(place) == number
            assert any(f"{world.nights[number]}.1" in path.name for path in folder.iterdir())
            assert crew.until("committed 1") == ["killed"]
            assert nights_known(place) == number + 1
        assert crew.until("never 0")[0] == "done"
    assert end_state(place) == undisturbed[0]
    assert left_lying(place) == []


def nights_known(place: run.Home) -> int:
    with database.opened(place.ledger) as ledger, ledger.reading() as connection:
        return len(connection.scalars(select(tables.Night.as_of)).all())
