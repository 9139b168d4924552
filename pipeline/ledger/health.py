"""How the last nights of an AOI went, as the ledger has it.

In: the books of an AOI. Out: plain facts. Judges nothing.
"""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select

from pipeline.ledger import tables
from pipeline.ledger.nights import Books


@dataclass(frozen=True, slots=True)
class LastNight:
    """The last whole night."""

    as_of: date
    catalog: str
    failed: tuple[str, ...]
    """Parts that failed, each with its reason."""
    alerts: dict[str, int]
    """Status to number of alerts."""
    catalog_problems: tuple[str, ...] = ()
    """What went wrong with the catalogues, though one answered."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A night that gave nothing at all."""

    as_of: date
    error: str


def last_night(books: Books) -> LastNight | None:
    """The last whole night; None before the first."""
    night, alert = tables.Night, tables.Alert
    columns = (night.as_of, night.catalog, night.failed, night.catalog_problems)
    newest = select(*columns).where(night.aoi == books.aoi)
    standing = select(alert.status, func.count().label("number")).where(alert.aoi == books.aoi, alert.until.is_(None))
    with books.database.reading() as connection:
        row = connection.execute(newest.order_by(night.as_of.desc()).limit(1)).first()
        if row is None:
            return None
        counts = {each.status: each.number for each in connection.execute(standing.group_by(alert.status))}
    alerts = dict(sorted(counts.items()))
    return LastNight(row.as_of, row.catalog, tuple(row.failed), alerts, tuple(row.catalog_problems))


def failures_since(books: Books, day: date) -> tuple[Failure, ...]:
    """Nights after a day that gave nothing at all, oldest first."""
    table = tables.Failure
    later = select(table.as_of, table.error).where(table.aoi == books.aoi, table.as_of > day).order_by(table.as_of)
    with books.database.reading() as connection:
        return tuple(Failure(row.as_of, row.error) for row in connection.execute(later))
