"""What a night costs the ledger does not grow with the number of nights before it: statements and rows, counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import event, select, text

from pipeline.ledger import tables
from pipeline.ledger.database import Database
from pipeline.ledger.nights import Books
from tests.ledger.planted import WINDOW, a_night, day, run_nights


@dataclass
class Cost:
    """What was asked of the database."""

    statements: list[str] = field(default_factory=list)
    written: int = 0
    loaded: int = 0


@contextmanager
def counted(ledger: Database) -> Iterator[Cost]:
    cost = Cost()

    def before(connection: object, cursor: object, statement: str, parameters: object, *_: object) -> None:
        cost.statements.append(statement.split("(", 1)[0][:40])

    def after(connection: object, cursor: object, statement: str, *_: object) -> None:
        cost.written += max(0, getattr(cursor, "rowcount", 0))

    event.listen(ledger.engine, "before_cursor_execute", before)
    event.listen(ledger.engine, "after_cursor_execute", after)
    try:
        yield cost
    finally:
        event.remove(ledger.engine, "before_cursor_execute", before)
        event.remove(ledger.engine, "after_cursor_execute", after)


def cost_of(books: Books, number: int) -> Cost:
    """Load, look at the orbits, and commit the night of a day."""
    with counted(books.database) as cost:
        before = books.load(day(number), scenes_since=day(number) - WINDOW)
        orbits = books.seen(day(number))
        books.attempt(day(number))
        books.commit(before, a_night(before, number))
    cost.loaded = len(before.ledger) + len(before.tiles) + len(before.alerts) + len(orbits)
    return cost


@pytest.mark.slow
def test_night_300_costs_the_ledger_what_an_early_night_costs(ledger: Database) -> None:
    books = Books(ledger, "a")
    run_nights(books, range(2))
    second = cost_of(books, 2)
    run_nights(books, range(3, 160))
    full = cost_of(books, 160)  # search window and memory of orbits are full: 31 and 120 days
    run_nights(books, range(161, 300))
    late = cost_of(books, 300)
    assert late.statements == full.statements == second.statements
    assert (late.written, late.loaded) == (full.written, full.loaded)
    assert second.loaded == 2 + 2 + 3 + 2  # scenes of the search, scenes of the orbits, tiles, alerts
    assert late.loaded == 31 + 120 + 3 + 2


def test_no_statement_of_a_night_reads_a_whole_table(ledger: Database) -> None:
    run_nights(Books(ledger, "a"), range(3))
    books = Books(ledger, "a")
    for table in (tables.Scene, tables.Tile, tables.Alert):
        for where in (books._standing(table, day(3)), (table.aoi == "a") & (table.since == day(3))):
            asked = select(table.id).where(where).compile(ledger.engine, compile_kwargs={"literal_binds": True})
            with ledger.reading() as connection:
                plan = [row[-1] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {asked}"))]
            assert plan
            assert not [line for line in plan if line.startswith("SCAN")]
            assert [line for line in plan if "aoi=?" in line and ("until" in line or "since" in line)]


def test_seen_remembers_months_and_no_more(ledger: Database) -> None:
    books = Books(ledger, "a")
    run_nights(books, range(1))
    assert len(books.seen(day(100))) == 1
    assert books.seen(day(0) + timedelta(days=130)) == ()
