from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from pipeline.errors import ConfigError
from pipeline.ledger import tables, verdicts
from pipeline.ledger.database import Database
from pipeline.ledger.nights import Books
from pipeline.ledger.verdicts import Verdict
from tests.ledger.planted import run_nights
from tests.ledger.test_nights import BOTH

SAID = Verdict("VW-GROWS", "dismissed", "a quarry", "ana", date(2026, 1, 5))


@BOTH
def test_verdicts_come_back_oldest_first_and_the_same_twice_counts_once(ledger: Database) -> None:
    run_nights(Books(ledger, "a"), range(1))
    later = replace(SAID, verdict="confirmed", reason="I was there", on=date(2026, 1, 4))
    for said in (SAID, SAID, later):
        verdicts.record_verdict(ledger, said)
    assert verdicts.verdicts_for(ledger, ["VW-GROWS", "VW-STEADY", "VW-GONE"]) == {"VW-GROWS": (SAID, later)}


def test_verdicts_survive_a_night_that_is_run_again_and_an_alert_that_goes(ledger: Database) -> None:
    books = Books(ledger, "a")
    run_nights(books, range(2))
    verdicts.record_verdict(ledger, SAID)
    run_nights(books, range(1, 4))
    assert verdicts.verdicts_for(ledger, ["VW-GROWS"]) == {"VW-GROWS": (SAID,)}


def test_record_verdict_unknown_alert_or_verdict_says_what_to_do(ledger: Database) -> None:
    run_nights(Books(ledger, "a"), range(1))
    with pytest.raises(ConfigError, match=r"VW-GROW: no such alert; did you mean VW-GROWS\?"):
        verdicts.record_verdict(ledger, replace(SAID, alert_id="VW-GROW"))
    with pytest.raises(ConfigError, match="not one of confirmed, dismissed, unsure"):
        verdicts.record_verdict(ledger, replace(SAID, verdict="maybe"))
    with ledger.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.Verdict)) == 0


@BOTH
def test_first_word_said_again_counts_where_another_was_said_since_on_that_day(ledger: Database) -> None:
    run_nights(Books(ledger, "a"), range(1))
    other = replace(SAID, verdict="confirmed")
    added = [verdicts.record_verdicts(ledger, [said], again=True) for said in (SAID, other, SAID, SAID)]
    assert added == [1, 1, 1, 0]
    assert verdicts.record_verdicts(ledger, [other]) == 0
    assert [one.said for one in verdicts.standing(ledger, "a", until=SAID.on)] == [SAID]
    assert verdicts.areas(ledger, ["VW-GROWS", "VW-NONE"]) == ("a",)


@BOTH
def test_standing_of_a_night_knows_nothing_that_was_said_later(ledger: Database) -> None:
    """The newest day counts, in whatever order the words came in."""
    run_nights(Books(ledger, "a"), range(1))
    later = replace(SAID, verdict="confirmed", on=SAID.on + timedelta(days=1))
    verdicts.record_verdicts(ledger, [later, SAID])
    nights = [SAID.on + timedelta(days=number) for number in (-1, 0, 1)]
    counts = [[one.said for one in verdicts.standing(ledger, "a", until=night)] for night in nights]
    assert counts == [[], [SAID], [later]]
