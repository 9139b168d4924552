"""Verdicts typed into published GeoPackages: read back at the start of every night.

In: the results of earlier nights and the ledger. Out: rows of the ledger, and what could not be read. A file that
cannot be read costs no night: it is told, and read again with the next one.
"""

import logging
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pipeline.errors import ConfigError, StateError
from pipeline.ledger import verdicts as ledger
from pipeline.ledger.database import Database
from pipeline.publish import verdicts as published

log = logging.getLogger(__name__)

NO_NAME = "an analyst in QGIS"
TAKEN_BACK = "taken back"


def gather(out: Path, aoi_id: str, database: Database, *, as_of: date) -> tuple[str, ...]:
    """Put what analysts typed since a file was published into the ledger; what stands there already adds nothing.

    Args:
        out: folder of the results.
        aoi_id: the AOI.
        database: the ledger.
        as_of: the night; files of later nights are left alone.

    Returns:
        Problems: files that could not be read, verdicts on alerts that the ledger does not know, or of days ahead.

    Raises:
        StateError: the ledger does not answer.
    """
    problems = []
    typed: list[ledger.Verdict] = []
    for path in published.published_files(out, aoi_id):
        if _night(path) > as_of:
            continue
        try:
            typed += [_said(item, path) for item in published.read_verdicts(path)]
        except StateError as err:
            problems.append(str(err))
    for said in sorted(typed, key=lambda said: (said.on, said.alert_id)):
        if said.on > datetime.now(UTC).date() + timedelta(days=1):  # it would count from that day on, and not before
            problems.append(
                f"verdict typed in QGIS: {said.alert_id}: {said.on}: lies ahead; check that machine's clock"
            )
            continue
        try:
            if ledger.record_verdict(database, said):
                log.info("%s: %s by %s", said.alert_id, said.verdict, said.by)
        except ConfigError as err:
            problems.append(f"verdict typed in QGIS: {err}")
    return tuple(problems)


def _night(path: Path) -> date:
    """The night of a published file; the first of all days for copies and files set aside."""
    try:
        return date.fromisoformat(path.parent.parent.name)
    except ValueError:
        return date.min


def _said(item: published.Verdict, path: Path) -> ledger.Verdict:
    """A verdict that was emptied counts as unsure. Where the file does not tell when, its own date does."""
    on = item.on or datetime.fromtimestamp(path.stat().st_mtime, UTC)
    reason = item.note or ("" if item.verdict else TAKEN_BACK)
    return ledger.Verdict(item.alert_id, item.verdict or "unsure", reason, item.by or NO_NAME, on.date())
