from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from pipeline.ledger import database, notices
from pipeline.ledger.database import Database
from pipeline.ledger.manifest import News, Owed
from pipeline.ledger.nights import Books
from pipeline.ledger.notices import State
from tests.ledger.planted import WINDOW, a_night, day, record
from tests.ledger.test_nights import BOTH

MAIL = ("desk", "mail")


def owed(*names: str, what: str = "new", address: str = "mail") -> tuple[Owed, ...]:
    return tuple(Owed("desk", address, News(what, name, {"kind": "camp"})) for name in names)


def commit(ledger: Database, number: int, *items: Owed, **changes: Any) -> None:
    """A night whose alerts are those that are named, all of them open unless `changes` says otherwise."""
    books = Books(ledger, "a")
    before = books.load(day(number), scenes_since=day(number) - WINDOW)
    done = a_night(before, number, owed=items)
    alerts = [record(name, **changes) for name in ("VW-A", "VW-B")]
    books.commit(before, replace(done, after=replace(done.after, alerts=tuple(alerts))))


def states(ledger: Database) -> list[tuple[str, str, str]]:
    return [(n.what, n.of, n.state.value) for number in range(4) for n in notices.of_night(ledger, "a", day(number))]


@BOTH
def test_what_is_owed_comes_with_the_night_and_goes_when_told(ledger: Database) -> None:
    commit(ledger, 0, *owed("VW-A", "VW-B"))
    found = notices.owed(ledger, *MAIL)
    assert [(n.of, n.night, n.facts, n.state) for n in found] == [
        ("VW-A", day(0), {"kind": "camp"}, State.OWED),
        ("VW-B", day(0), {"kind": "camp"}, State.OWED),
    ]
    notices.begin(ledger, found)
    assert notices.owed(ledger, *MAIL) == ()
    notices.told(ledger, found, day(0))
    assert [n.told_on for n in notices.of_night(ledger, "a", day(0))] == [day(0)] * 2


def test_each_address_is_owed_by_itself(ledger: Database) -> None:
    commit(ledger, 0, *owed("VW-A"), *owed("VW-A", address="hook"))
    notices.told(ledger, notices.owed(ledger, *MAIL), day(0))
    assert [n.of for n in notices.owed(ledger, "desk", "hook")] == ["VW-A"]


@BOTH
def test_night_run_again_owes_only_what_nobody_was_told(ledger: Database) -> None:
    commit(ledger, 0, *owed("VW-A", "VW-B"))
    notices.told(ledger, notices.owed(ledger, *MAIL)[:1], day(0))
    commit(ledger, 0, *owed("VW-A", "VW-C"))
    assert states(ledger) == [("new", "VW-A", "told"), ("new", "VW-C", "owed")]


def test_same_event_on_a_later_night_is_not_owed_again(ledger: Database) -> None:
    commit(ledger, 0, *owed("VW-A"))
    notices.told(ledger, notices.owed(ledger, *MAIL), day(0))
    commit(ledger, 1, *owed("VW-A"), *owed("VW-A", what="confirmed"))
    assert [(n.what, n.of) for n in notices.owed(ledger, *MAIL)] == [("confirmed", "VW-A")]


def test_alert_that_was_told_as_confirmed_is_not_new_afterwards(ledger: Database) -> None:
    commit(ledger, 0, *owed("VW-A", what="confirmed"))
    notices.told(ledger, notices.owed(ledger, *MAIL), day(0))
    commit(ledger, 0, *owed("VW-A", what="new"))
    assert notices.owed(ledger, *MAIL) == ()


def test_what_could_not_be_sent_is_owed_as_before(ledger: Database) -> None:
    commit(ledger, 0, *owed("VW-A"))
    found = notices.owed(ledger, *MAIL)
    notices.begin(ledger, found)
    notices.give_back(ledger, found)
    assert notices.owed(ledger, *MAIL) == found


@BOTH
def test_what_a_run_was_sending_when_it_was_cut_off_is_doubtful_until_asked_for(ledger: Database) -> None:
    commit(ledger, 0, *owed("VW-A"))
    notices.begin(ledger, notices.owed(ledger, *MAIL))
    assert [n.of for n in notices.tidy(ledger, [MAIL])] == ["VW-A"]
    assert notices.tidy(ledger, [MAIL]) == ()
    commit(ledger, 0, *owed("VW-A"))
    assert states(ledger) == [("new", "VW-A", "doubtful")]
    assert notices.again(ledger) == 1
    assert [n.of for n in notices.owed(ledger, *MAIL)] == ["VW-A"]


@BOTH
@pytest.mark.parametrize("status", ["dismissed", "expired", "closed"])
def test_alert_that_has_ended_need_not_be_told(ledger: Database, status: str) -> None:
    blind = Owed("desk", "mail", News("blind", day(0).isoformat(), {}))
    commit(ledger, 0, *owed("VW-A"), blind)
    notices.tidy(ledger, [MAIL])
    assert len(notices.owed(ledger, *MAIL)) == 2
    commit(ledger, 1, status=status)
    notices.tidy(ledger, [MAIL])
    assert [n.what for n in notices.owed(ledger, *MAIL)] == ["blind"]


@BOTH
def test_address_that_is_gone_is_owed_nothing(ledger: Database) -> None:
    commit(ledger, 0, *owed("VW-A"), *owed("VW-A", address="hook"))
    notices.tidy(ledger, [MAIL])
    assert [n.address for n in notices.of_night(ledger, "a", day(0))] == ["mail"]
    notices.tidy(ledger, [])
    assert states(ledger) == []


@BOTH
def test_ledger_without_notices_is_brought_up_to_date(url: str) -> None:
    with database.opened(url) as ledger:
        commit(ledger, 0)
        with ledger.writing() as connection:
            connection.execute(text("DROP TABLE notices"))
            for column in ("standing", "catalog_problems"):
                connection.execute(text(f"ALTER TABLE nights DROP COLUMN {column}"))
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with database.opened(url) as ledger:
        assert Books(ledger, "a").load(day(1), scenes_since=day(0)).standing == ()
        commit(ledger, 1, *owed("VW-A"))
        assert states(ledger) == [("new", "VW-A", "owed")]
