"""Verdicts: what people said about alerts; never changed, never forgotten, the newest counts.

In: an alert's id and what was said. Out: all that was said. Knows nothing of what a verdict does to an alert.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, func, insert, select

from pipeline.errors import ConfigError
from pipeline.ledger import rows, tables
from pipeline.ledger.database import Database

VERDICTS = ("confirmed", "dismissed", "unsure")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that somebody said about an alert."""

    alert_id: str
    verdict: str
    """One of `VERDICTS`."""
    reason: str
    by: str
    on: date


@dataclass(frozen=True, slots=True)
class Standing:
    """What counts of all that was said about one alert, and the alert as it was then."""

    said: Verdict
    record: dict[str, Any]
    """As `pipeline.alerts.record` wrote it."""


def record_verdict(database: Database, said: Verdict) -> int:
    """Add a verdict; see `record_verdicts`."""
    return record_verdicts(database, [said])


def record_verdicts(database: Database, said: Sequence[Verdict], *, again: bool = False) -> int:
    """Add verdicts, all or none; saying again what was said before adds nothing.

    Args:
        database: the ledger.
        said: the verdicts, in the order in which they were said.
        again: unless something else was said since on the same day: somebody goes back to his first word.

    Returns:
        How many were added.

    Raises:
        ConfigError: there is no such alert, or no such verdict; nothing was changed.
        StateError: the database cannot be written to.
    """
    for one in said:
        if one.verdict not in VERDICTS:
            raise ConfigError(f"{one.alert_id}: verdict {one.verdict!r}: not one of {', '.join(VERDICTS)}")
    with database.writing() as connection:
        return sum(_record(connection, one, again) for one in said)


def areas(database: Database, alert_ids: Iterable[str]) -> tuple[str, ...]:
    """The AOIs of some alerts; unknown ones are passed over.

    Raises:
        StateError: the database does not answer.
    """
    found: set[str] = set()
    with database.reading() as connection:
        for names in rows.few(sorted(set(alert_ids))):
            found |= {*connection.scalars(select(tables.Alert.aoi).where(tables.Alert.alert_id.in_(names)))}
    return tuple(sorted(found))


def _record(connection: Connection, said: Verdict, again: bool) -> bool:
    known = select(tables.Alert.aoi, tables.Alert.record).where(tables.Alert.alert_id == said.alert_id)
    alert = connection.execute(known.order_by(tables.Alert.since.desc()).limit(1)).mappings().first()
    if alert is None:
        ids = connection.scalars(select(tables.Alert.alert_id).where(tables.Alert.until.is_(None))).all()
        near = difflib.get_close_matches(said.alert_id, ids, n=1)
        hint = f"did you mean {near[0]}?" if near else "its id stands in alerts.geojson as alert_id"
        raise ConfigError(f"{said.alert_id}: no such alert; {hint}")
    values = asdict(said)
    table = tables.Verdict
    same = [getattr(table, name) == value for name, value in values.items()]
    before = connection.scalar(select(func.max(table.id)).where(*same))
    if before is not None:
        since = select(table.id).where(table.alert_id == said.alert_id, table.on == said.on, table.id > before)
        if not again or connection.scalar(since.limit(1)) is None:
            return False
    connection.execute(insert(tables.Verdict), [values | dict(alert)])
    return True


def standing(database: Database, aoi: str, *, until: date) -> tuple[Standing, ...]:
    """What counts about each alert of an AOI: what was said last, by the day on which it was said.

    Args:
        database: the ledger.
        aoi: the AOI.
        until: what was said later is left out.

    Raises:
        StateError: the database does not answer.
    """
    table = tables.Verdict
    columns = (table.alert_id, table.verdict, table.reason, table.by, table.on, table.record)
    query = select(*columns).where(table.aoi == aoi, table.on <= until).order_by(table.on, table.id)
    with database.reading() as connection:
        last = {row.alert_id: Standing(Verdict(*row[:5]), row.record) for row in connection.execute(query)}
    return tuple(last[alert_id] for alert_id in sorted(last))


def verdicts_for(database: Database, alert_ids: Iterable[str]) -> dict[str, tuple[Verdict, ...]]:
    """What was said about each of some alerts, oldest first; alerts about which nothing was said are left out.

    Raises:
        StateError: the database does not answer.
    """
    found: dict[str, list[Verdict]] = {}
    table = tables.Verdict
    columns = (table.alert_id, table.verdict, table.reason, table.by, table.on)
    with database.reading() as connection:
        for names in rows.few(sorted(set(alert_ids))):
            for row in connection.execute(select(*columns).where(table.alert_id.in_(names)).order_by(table.id)):
                found.setdefault(row.alert_id, []).append(Verdict(*row))
    return {alert_id: tuple(said) for alert_id, said in sorted(found.items())}
