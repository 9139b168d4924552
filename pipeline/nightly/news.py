"""News: what happened to an AOI in a night that is worth telling once.

In: alerts and alarms, tonight and the night before. Out: `News`, and to whom it is owed. Knows no address but its name.

- `new`: an alert that the night before did not have; `confirmed`: one that was not confirmed before, new or not.
- `blind`, `silent`: an alarm that did not stand before; `seen`, `heard`: its end.

What has grown, expired or closed is in `changes.geojson`, and in no message.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pipeline.aoi import Aoi
from pipeline.ledger.manifest import BLIND, SILENT, News, Outlook, Owed
from pipeline.notify.groups import Group
from pipeline.publish import columns, geojson
from pipeline.publish.surroundings import Rated
from pipeline.schema import Alert, Status

NEW, CONFIRMED, SEEN, HEARD = "new", "confirmed", "seen", "heard"
_END = {BLIND: SEEN, SILENT: HEARD}
_CHOICE = {SEEN: BLIND, HEARD: SILENT}
"""End of an alarm to what a group has to choose to be told."""
_TOLD = (
    "kind",
    "status",
    "confidence",
    "area_ha",
    "length_m",
    "first_seen",
    "last_seen",
    "confirmed_on",
    "hits",
    "looks",
    "caution",
    "verdict",
    "priority",
    "lon",
    "lat",
    "inside",
    "near",
)
"""Columns of an alert that a message may need."""


def of_alerts(alerts: Sequence[Alert], before: Sequence[Alert], rated: Mapping[str, Rated]) -> tuple[News, ...]:
    """News of alerts.

    Args:
        alerts: all of tonight.
        before: all of the night before.
        rated: surroundings and priority of the open ones.
    """
    known = {alert.alert_id: alert for alert in before}
    found = []
    for alert in alerts:
        what = _what(alert, known.get(alert.alert_id))
        if what:
            found.append(News(what, alert.alert_id, _facts(alert, rated[alert.alert_id])))
    return tuple(found)


def of_alarms(tonight: Outlook, standing: Sequence[str], as_of: date) -> tuple[News, ...]:
    """News of alarms.

    Args:
        tonight: how well the AOI is seen.
        standing: keys of the alarms of the night before.
        as_of: the night.
    """
    now = {alarm.key: alarm for alarm in tonight.alarms}
    found = []
    for key in sorted({*now, *standing}):
        what, _, of = key.partition(" ")
        name = f"{as_of} {of}".strip()
        if key not in standing:
            why = tonight.why_blind if what == BLIND else {}
            found.append(News(what, name, {"days": now[key].days, "allowed": now[key].allowed, "why": why}))
        elif key not in now and what in _END:
            found.append(News(_END[what], name, {"since": tonight.clear_on.isoformat() if tonight.clear_on else None}))
    return tuple(found)


def owed(groups: Sequence[Group], aoi: Aoi, news: Sequence[News]) -> tuple[Owed, ...]:
    """To whom each piece of news is owed."""
    return tuple(
        Owed(group.name, address.name, News(each.what, each.of, {**each.facts, "name": aoi.name}))
        for group in groups
        if group.watches(aoi.id)
        for each in news
        if _CHOICE.get(each.what, each.what) in group.settings.tell
        for address in group.addresses
    )


def _what(alert: Alert, before: Alert | None) -> str:
    if alert.status == Status.CONFIRMED:
        return "" if before is not None and before.status == Status.CONFIRMED else CONFIRMED
    return NEW if alert.status == Status.POSSIBLE and before is None else ""


def _facts(alert: Alert, rated: Rated) -> dict[str, Any]:
    values = columns.values(alert, geojson.neat(alert.detection.geometry), rated.extra)
    plain = {key: value.isoformat() if isinstance(value, date) else value for key, value in values.items()}
    return {key: plain[key] for key in _TOLD}
