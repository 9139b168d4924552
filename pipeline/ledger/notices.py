"""Notices: what each address is to be told, and whether it has been.

In: news of a night, within its transaction. Out: what an address is owed. Knows no address but its name, and sends
nothing.

A notice is `owed` when its night is committed; `sending` is committed before a message goes out, `told` after. So a run
that is cut off in between leaves `sending`: nobody knows whether it went out, and as nothing is to be told twice it
becomes `doubtful` and stays so until somebody asks for it again. What could not be sent goes back to `owed`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, delete, false, insert, not_, or_, select, update

from pipeline.ledger import rows, tables
from pipeline.ledger.database import Database
from pipeline.ledger.manifest import Owed

OPEN = ("possible", "confirmed")
"""An alert of another status is not told any more."""
_ABOUT_ALERTS = ("new", "confirmed")


class State(StrEnum):
    """How far a notice has come."""

    OWED = "owed"
    SENDING = "sending"
    TOLD = "told"
    DOUBTFUL = "doubtful"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened, for one address."""

    id: int
    group: str
    address: str
    aoi: str
    night: date
    what: str
    of: str
    facts: dict[str, Any]
    state: State
    told_on: date | None


def put(connection: Connection, aoi: str, night: date, owed: Iterable[Owed]) -> None:
    """Note what is owed after a night; what an address knows already, or was told in stronger words, is left out."""
    wanted = {(each.group, each.address, each.news.what, each.news.of): each.news for each in owed}
    table = tables.Notice
    known: set[tuple[str, ...]] = set()
    for names in rows.few(sorted({of for *_, of in wanted})):
        query = select(table.group, table.address, table.what, table.of).where(table.aoi == aoi, table.of.in_(names))
        known |= {tuple(row) for row in connection.execute(query)}
    made = [
        {"group": group, "address": address, "aoi": aoi, "night": night, "what": what, "of": of, "facts": news.facts}
        for (group, address, what, of), news in sorted(wanted.items(), key=lambda pair: pair[0])
        if not {(group, address, what, of), (group, address, "confirmed", of)} & known
    ]
    if made:
        connection.execute(insert(table), [{**row, "state": State.OWED, "told_on": None} for row in made])


def take_back(connection: Connection, aoi: str, night: date) -> None:
    """A night is run again: what nobody was told of it yet is forgotten."""
    table = tables.Notice
    connection.execute(delete(table).where(table.aoi == aoi, table.night == night, table.state == State.OWED))


def tidy(database: Database, addresses: Collection[tuple[str, str]]) -> tuple[Notice, ...]:
    """Before anything is sent: what a run left that was cut off becomes doubtful, what need not be told is forgotten.

    Args:
        database: the ledger.
        addresses: group and name of those that there are; others are owed nothing any more.

    Returns:
        What has become doubtful.

    Raises:
        StateError: the database cannot be written to.
    """
    table, alert = tables.Notice, tables.Alert
    standing = select(alert.alert_id).where(alert.aoi == table.aoi, alert.until.is_(None), alert.status.in_(OPEN))
    ended = and_(table.what.in_(_ABOUT_ALERTS), table.of.not_in(standing))
    there = [and_(table.group == group, table.address == name) for group, name in sorted(addresses)]
    with database.writing() as connection:
        cut_off = _select(connection, table.state == State.SENDING)
        connection.execute(update(table).where(table.state == State.SENDING).values(state=State.DOUBTFUL))
        connection.execute(delete(table).where(table.state == State.OWED, ended))
        connection.execute(delete(table).where(table.state == State.OWED, not_(or_(false(), *there))))
    return cut_off


def owed(database: Database, group: str, address: str) -> tuple[Notice, ...]:
    """What an address is to be told, oldest first.

    Raises:
        StateError: the database does not answer.
    """
    table = tables.Notice
    with database.reading() as connection:
        return _select(connection, and_(table.group == group, table.address == address, table.state == State.OWED))


def begin(database: Database, owed: Collection[Notice]) -> None:
    """A message is about to go out.

    Raises:
        StateError: the database cannot be written to.
    """
    with database.writing() as connection:
        _mark(connection, owed, State.SENDING)


def told(database: Database, sent: Collection[Notice], on: date) -> None:
    """A message went out with the night of a date.

    Raises:
        StateError: the database cannot be written to.
    """
    with database.writing() as connection:
        _mark(connection, sent, State.TOLD, on)


def give_back(database: Database, unsent: Collection[Notice]) -> None:
    """A message could not be sent: it is owed as before.

    Raises:
        StateError: the database cannot be written to.
    """
    with database.writing() as connection:
        _mark(connection, unsent, State.OWED)


def again(database: Database) -> int:
    """What is doubtful is owed once more; how much that is.

    Raises:
        StateError: the database cannot be written to.
    """
    with database.writing() as connection:
        found = _select(connection, tables.Notice.state == State.DOUBTFUL)
        _mark(connection, found, State.OWED)
    return len(found)


def of_night(database: Database, aoi: str, night: date) -> tuple[Notice, ...]:
    """All notices of a night of an AOI.

    Raises:
        StateError: the database does not answer.
    """
    with database.reading() as connection:
        return _select(connection, and_(tables.Notice.aoi == aoi, tables.Notice.night == night))


def _mark(connection: Connection, notices: Collection[Notice], state: State, on: date | None = None) -> None:
    table = tables.Notice
    for numbers in rows.few(sorted(notice.id for notice in notices)):
        connection.execute(update(table).where(table.id.in_(numbers)).values(state=state, told_on=on))


def _select(connection: Connection, where: Any) -> tuple[Notice, ...]:
    table = tables.Notice
    names = [field.name for field in fields(Notice)]
    order = (table.night, table.aoi, table.what, table.of, table.group, table.address)
    rowset = connection.execute(select(*(getattr(table, name) for name in names)).where(where).order_by(*order))
    return tuple(Notice(**{**row, "state": State(row["state"])}) for row in rowset.mappings())
