"""Verdicts: what people said about alerts; never changed, never forgotten, the newest counts.

In: an alert's id and what was said. Out: all that was said. Knows nothing of what a verdict does to an alert.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import insert, select

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


def record_verdict(database: Database, said: Verdict) -> None:
    """Add a verdict; saying again what was said last adds nothing.

    Raises:
        ConfigError: there is no such alert, or no such verdict.
        StateError: the database cannot be written to.
    """
    if said.verdict not in VERDICTS:
        raise ConfigError(f"verdict {said.verdict!r}: not one of {', '.join(VERDICTS)}")
    with database.writing() as connection:
        known = connection.scalar(select(tables.Alert.id).where(tables.Alert.alert_id == said.alert_id).limit(1))
        if known is None:
            ids = connection.scalars(select(tables.Alert.alert_id).where(tables.Alert.until.is_(None))).all()
            near = difflib.get_close_matches(said.alert_id, ids, n=1)
            hint = f"did you mean {near[0]}?" if near else "its id stands in alerts.geojson as alert_id"
            raise ConfigError(f"{said.alert_id}: no such alert; {hint}")
        newest = (
            select(tables.Verdict).where(tables.Verdict.alert_id == said.alert_id).order_by(tables.Verdict.id.desc())
        )
        last = connection.execute(newest.limit(1)).mappings().first()
        values = {
            "alert_id": said.alert_id,
            "verdict": said.verdict,
            "reason": said.reason,
            "by": said.by,
            "on": said.on,
        }
        if last is None or {key: last[key] for key in values} != values:
            connection.execute(insert(tables.Verdict), [values])


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
