"""Verdicts: what an analyst's word does to an alert.

In: the alerts of the night before and what was said until tonight. Out: the alerts that tonight starts from. Knows no
database.

- `dismissed`: the alert is dismissed, and its ground stays quiet (see `life`).
- `confirmed`: the alert is confirmed, on the day of the last scene that showed it unless looks had confirmed it before.
- `unsure`: only noted; what was dismissed before is open again.

An alert that has been closed stays closed, except that the ground of one that clear looks contradicted can still be
dismissed. Where the alert's id is not known, because its AOI was made anew or by another model, the word counts for the
alert of its kind that lies there; where there is none, a dismissed or confirmed alert comes back as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from pipeline.alerts import life, overlap
from pipeline.schema import Alert, Status


@dataclass(frozen=True, slots=True)
class Said:
    """What counts of all that was said about one alert."""

    alert: Alert
    """As it was then."""
    verdict: str
    """`confirmed`, `dismissed` or `unsure`."""
    by: str
    on: date
    reason: str


def apply(alerts: Sequence[Alert], said: Sequence[Said]) -> tuple[Alert, ...]:
    """Let verdicts act on alerts; doing it again changes nothing.

    Args:
        alerts: all alerts of the night before.
        said: at most one of each alert, in any order.

    Returns:
        The alerts, and those that come back, ordered by id.
    """
    known = {alert.alert_id: alert for alert in alerts}
    own = {one.alert.alert_id for one in said}
    for one in sorted(said, key=lambda one: (one.on, one.alert.alert_id)):
        target = known.get(one.alert.alert_id) or _there(one, [a for a in known.values() if a.alert_id not in own])
        if target is None and one.verdict != "unsure":
            target = one.alert
        if target is not None:
            known[target.alert_id] = _told(target, one)
    return tuple(known[alert_id] for alert_id in sorted(known))


def _there(one: Said, candidates: list[Alert]) -> Alert | None:
    """The alert of the same kind that shares most of the ground."""
    ordered = sorted((a for a in candidates if a.status != Status.CLOSED), key=lambda alert: alert.alert_id)
    pairs = overlap.measure([one.alert], [alert.detection for alert in ordered])
    shared = [(meeting.shared_m2, -index) for (_, index), meeting in pairs.items() if meeting.shared_m2 > 0]
    return ordered[-max(shared)[1]] if shared else None


def _told(alert: Alert, one: Said) -> Alert:
    noted = replace(alert, verdict=one.verdict, verdict_by=one.by, verdict_on=one.on, note=one.reason)
    if alert.status == Status.CLOSED and not (one.verdict == "dismissed" and life.CONTRADICTED in alert.caution):
        return noted
    if one.verdict == "dismissed":
        return replace(noted, status=Status.DISMISSED)
    if one.verdict == "confirmed":
        confirmed_on = alert.confirmed_on or alert.detection.last_seen
        return replace(noted, status=Status.CONFIRMED, confirmed_on=confirmed_on)
    if alert.status == Status.DISMISSED:
        return replace(noted, status=Status.CONFIRMED if alert.confirmed_on else Status.POSSIBLE)
    return noted
