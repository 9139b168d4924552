import sqlite3
import threading
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from pipeline.errors import ConfigError, StateError
from pipeline.ledger import tables
from pipeline.ledger.database import Database
from pipeline.ledger.manifest import Alarm, Manifest, Outlook
from pipeline.ledger.nights import Books
from tests.ledger.planted import FIRST, a_night, day, entry, record, run_nights

BOTH = pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)


def everything(ledger: Database) -> dict[str, list[tuple[object, ...]]]:
    """All rows, but for numbers that the database gives and how often a night was run."""
    found = {}
    with ledger.reading() as connection:
        for table in tables.Base.metadata.sorted_tables:
            columns = [c for c in table.columns if c.name not in ("id", "scene", "attempt")]
            found[table.name] = sorted(map(tuple, connection.execute(select(*columns))), key=repr)
    return found


def load(books: Books, number: int) -> Manifest:
    return books.load(day(number), scenes_since=FIRST)


@BOTH
def test_load_after_commit_gives_the_state_back(ledger: Database) -> None:
    books = Books(ledger, "a")
    assert load(books, 0) == Manifest()
    done = a_night(Manifest(), 0)
    books.commit(Manifest(), done)
    assert load(books, 1) == done.after
    assert (books.first(), books.last()) == (day(0), day(0))


@BOTH
def test_load_of_the_same_night_starts_from_the_one_before(ledger: Database) -> None:
    books = Books(ledger, "a")
    run_nights(books, range(3))
    before = load(books, 2)
    assert before.as_of == day(1)
    assert set(before.ledger) == {"scene0", "scene1"}
    assert [alert["note"] for alert in before.alerts if "note" in alert] == ["night 1"]
    assert books.attempt(day(2)) == 2
    assert books.attempt(day(3)) == 1


@BOTH
def test_commit_of_the_same_night_again_changes_nothing(ledger: Database) -> None:
    books = Books(ledger, "a")
    run_nights(books, range(4))
    first = everything(ledger)
    run_nights(books, range(3, 4))
    assert everything(ledger) == first


@BOTH
def test_commit_of_the_same_night_with_another_result_takes_the_first_one_back(ledger: Database) -> None:
    books, other = Books(ledger, "a"), Books(ledger, "other")
    run_nights(books, range(3))
    before = load(books, 2)
    done = a_night(before, 2, tiles=2)
    more = replace(done.after, ledger=before.ledger, alerts=before.alerts)
    books.commit(before, replace(done, after=more, looks=(), attempt=2))
    run_nights(other, range(3))
    assert load(books, 3).ledger.keys() == {"scene0", "scene1"}
    assert load(books, 3).alerts == before.alerts
    assert load(books, 3).tiles.keys() == {"t0", "t1"}
    assert load(books, 2) == before
    with ledger.reading() as connection:
        looks = select(func.count()).where(tables.Look.aoi == "a", tables.Look.night == day(2))
        assert connection.scalar(looks) == 0


@BOTH
def test_the_first_night_run_again_starts_from_nothing(ledger: Database) -> None:
    books = Books(ledger, "a")
    run_nights(books, range(1))
    assert load(books, 0) == Manifest()
    run_nights(books, range(1))
    assert load(books, 1) == a_night(Manifest(), 0).after


def test_load_of_an_earlier_night_is_refused_with_the_remedy(ledger: Database) -> None:
    books = Books(ledger, "a")
    run_nights(books, range(3))
    with pytest.raises(ConfigError, match=r"is 2026-01-03, later.*--from 2026-01-03 and its --out.*vanwatch replay"):
        load(books, 1)


def test_aois_do_not_see_each_other(ledger: Database) -> None:
    run_nights(Books(ledger, "a"), range(3))
    assert load(Books(ledger, "b"), 0) == Manifest()
    run_nights(Books(ledger, "b"), range(1))
    assert load(Books(ledger, "a"), 3).as_of == day(2)


@BOTH
def test_commit_after_another_run_has_committed_loses_nothing_and_is_refused(ledger: Database) -> None:
    books = Books(ledger, "a")
    run_nights(books, range(2))
    before = load(books, 3)
    run_nights(books, range(2, 3))
    first = everything(ledger)
    with pytest.raises(StateError, match=r"another run has committed the night of 2026-01-03 meanwhile"):
        books.commit(before, a_night(before, 3))
    assert everything(ledger) == first


@BOTH
def test_commit_that_fails_half_way_changes_nothing(ledger: Database) -> None:
    books = Books(ledger, "a")
    run_nights(books, range(2))
    first, before = everything(ledger), load(books, 2)
    done = a_night(before, 2)
    twice = replace(done, looks=done.looks + done.looks[:1])  # looks are written last
    with pytest.raises((IntegrityError, StateError)):
        books.commit(before, twice)
    assert everything(ledger) == first


@BOTH
def test_scene_is_kept_with_identity_items_catalogues_offset_shift_and_clear_share(ledger: Database) -> None:
    run_nights(Books(ledger, "a"), range(1))
    scene, look, listing = tables.Scene, tables.Look, tables.Listing
    with ledger.reading() as connection:
        row = connection.execute(select(scene)).mappings().one()
        assert (row["scene_id"], row["state"], row["platform"], row["relative_orbit"]) == (
            "scene0",
            "used",
            "sentinel-2a",
            19,
        )
        assert row["sensed"].isoformat() == entry(0)["sensed"]
        assert (row["offset_dn"], row["offset_evidence"]) == (-1000, "pixels: darkest 1012")
        assert (row["shift_row_px"], row["shift_col_px"], row["since"]) == (0.1, -0.2, day(0))
        listed = select(listing.catalog, listing.item_id).where(listing.scene == row["id"]).order_by(listing.catalog)
        assert connection.execute(listed).all() == [("earth-search", "item0"), ("planetary-computer", "other0")]
        shares = connection.execute(select(look.tile, look.clear_pct).order_by(look.tile)).all()
        assert shares == [("t0", 90.0), ("t1", 90.0), ("t2", 90.0)]


@BOTH
def test_better_revision_replaces_the_worse_and_the_scene_is_never_there_twice(ledger: Database) -> None:
    books = Books(ledger, "a")
    run_nights(books, range(1))
    before = load(books, 1)
    better = before.ledger | {"scene0": entry(0, revision="r2", listed=[["earth-search", "item0"], ["x", "better"]])}
    done = a_night(before, 1)
    books.commit(before, replace(done, after=replace(done.after, ledger=better)))
    scene = tables.Scene
    with ledger.reading() as connection:
        standing = connection.execute(select(scene.revision, scene.since).where(scene.until.is_(None))).all()
        assert standing == [("r2", day(1))]
        ended = connection.execute(select(scene.revision, scene.until).where(scene.until.is_not(None))).all()
        assert ended == [("r1", day(1))]
    assert load(books, 2).ledger == better
    assert load(books, 1).ledger == before.ledger
    with ledger.reading() as connection:
        old = dict(connection.execute(select(scene).where(scene.until.is_(None))).mappings().one())
    del old["id"]
    with pytest.raises((IntegrityError, StateError)):
        insert_scene(ledger, old)  # the database itself refuses a second row that stands


def insert_scene(ledger: Database, values: dict[str, object]) -> None:
    with ledger.writing() as connection:
        connection.execute(insert(tables.Scene), [values])


def test_an_alert_that_nothing_happened_to_is_not_written_again(ledger: Database) -> None:
    run_nights(Books(ledger, "a"), range(5))
    alert = tables.Alert
    with ledger.reading() as connection:
        counted = select(alert.alert_id, func.count()).group_by(alert.alert_id).order_by(alert.alert_id)
        assert connection.execute(counted).all() == [("VW-GROWS", 5), ("VW-STEADY", 1)]


def test_an_alert_and_a_tile_that_are_gone_end(ledger: Database) -> None:
    books = Books(ledger, "a")
    run_nights(books, range(1))
    before = load(books, 1)
    done = a_night(before, 1, tiles=1)
    books.commit(before, replace(done, after=replace(done.after, alerts=(record("VW-OTHER"),))))
    assert [r["alert_id"] for r in load(books, 2).alerts] == ["VW-OTHER"]
    assert list(load(books, 2).tiles) == ["t0"]


def test_scenes_for_the_normal_only_are_kept_once_and_never_hide_a_look(ledger: Database) -> None:
    books = Books(ledger, "a")
    past = {"old": entry(-200, purpose="normal"), "scene0": entry(0, purpose="normal")}
    done = a_night(Manifest(), 0)
    books.commit(Manifest(), replace(done, history={"old": past["old"]}))
    before = load(books, 1)
    assert set(before.ledger) == {"scene0"}
    later = {key: value | {"night": "2026-01-02"} for key, value in past.items()}
    books.commit(before, replace(a_night(before, 1), history=later))
    scene = tables.Scene
    with ledger.reading() as connection:
        kept = connection.execute(select(scene.scene_id, scene.purpose).order_by(scene.scene_id)).all()
    assert kept == [("old", "normal"), ("scene0", "look"), ("scene1", "look")]


def test_failed_night_is_remembered_until_it_is_whole(ledger: Database) -> None:
    books = Books(ledger, "a")
    books.failed(day(0), "no catalogue answered")
    books.failed(day(0), "still none")
    with ledger.reading() as connection:
        assert connection.scalars(select(tables.Failure.error)).all() == ["still none"]
    run_nights(books, range(1))
    with ledger.reading() as connection:
        assert connection.scalars(select(tables.Failure.error)).all() == []


@BOTH
def test_night_row_says_what_was_seen(ledger: Database) -> None:
    alarm = Alarm("blind", "", 3, 2, "a: blind")
    seen = Outlook(12.5, date(2025, 12, 30), 2, {"cloud": 2}, date(2025, 12, 31), (alarm,))
    Books(ledger, "a").commit(Manifest(), replace(a_night(Manifest(), 0), outlook=seen, failed=("tile t: gone",)))
    with ledger.reading() as connection:
        row = connection.execute(select(tables.Night)).mappings().one()
    assert (row["blind_pct"], row["clear_on"], row["blind_days"]) == (12.5, date(2025, 12, 30), 2)
    assert row["standing"] == ["blind"]
    assert (row["why_blind"], row["newest_scene"], row["alarms"]) == ({"cloud": 2}, date(2025, 12, 31), ["a: blind"])
    assert row["failed"] == ["tile t: gone"]


def test_commit_while_somebody_else_writes_waits_for_it(ledger: Database) -> None:
    books = Books(ledger, "a")
    other = sqlite3.connect(str(ledger.engine.url.database), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.execute, ["ROLLBACK"])
    release.start()
    run_nights(books, range(1))
    release.join()
    other.close()
    assert books.last() == day(0)
