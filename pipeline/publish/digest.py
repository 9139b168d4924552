"""The digest: all that one address is told at once.

In: notices. Out: a `Message` for mail, chat and programs; the same notices give the same bytes. Sends nothing.

Decision 12 of the design holds for what leaves the house: ids, dates, counts and sizes are told; names and coordinates
only where the group asks for them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipeline.ledger.notices import Notice
from pipeline.notify.groups import GroupSettings
from pipeline.notify.post import Message
from pipeline.publish import columns, texts
from pipeline.publish.report import CAUTIONS
from pipeline.schema import KINDS

_WORDS = ("new", "confirmed")
_ALARMS = {
    "blind": "became blind",
    "seen": "is seen again",
    "silent": "became silent",
    "heard": "is no longer silent",
}
"""What happened to areas, in the order of a title."""
_URGENT = ("blind", "silent")
_NAMES = ("name",)
_PLACES = ("lon", "lat")
_SURROUNDINGS = ("inside", "near")


@dataclass(frozen=True, slots=True)
class Style:
    """How a group is told."""

    group: str
    settings: GroupSettings
    base_url: str
    """Where reports are served; empty: not at all."""


def write(notices: Sequence[Notice], as_of: date, style: Style) -> Message:
    """One message for all that an address is owed.

    Args:
        notices: what it is owed, at least one.
        as_of: the night with which it is told.
        style: how the group wants it.
    """
    alerts = _alerts(notices, style)
    areas = [_area(notice, style) for notice in notices if notice.what in _ALARMS]
    facts: dict[str, Any] = {
        "group": style.group,
        "as_of": as_of.isoformat(),
        "counts": _counts(alerts),
        "alerts": alerts[: style.settings.most],
        "more": max(0, len(alerts) - style.settings.most),
        "areas": areas,
        "reports": _reports(notices, style),
        "late": sum(notice.night < as_of for notice in notices),
    }
    shown = {
        "digest": facts,
        "linked": bool(style.base_url),
        "happened": _happened(facts["counts"]),
        "areas": list(dict.fromkeys((_called(area), area["what"] in _URGENT, _words(area)) for area in areas)),
        "alerts": [(alert, _first_line(alert), _lines(alert)) for alert in facts["alerts"]],
    }
    return Message(
        title=_title(facts),
        text=texts.render("digest.txt", **shown),
        html=texts.render("digest.html", **shown),
        facts=facts,
        urgent=bool(facts["counts"]["confirmed"]) or any(area["what"] in _URGENT for area in areas),
    )


def _alerts(notices: Iterable[Notice], style: Style) -> list[dict[str, Any]]:
    """Each alert once, as it is now, with the strongest word for what happened to it; the most urgent first."""
    ours = [notice for notice in notices if notice.what in _WORDS]
    newest: dict[tuple[str, str], Notice] = {}
    for notice in sorted(ours, key=lambda notice: (notice.night, _WORDS.index(notice.what))):
        newest[notice.aoi, notice.of] = notice
    told = [_alert(notice, style) for notice in newest.values()]
    return sorted(told, key=lambda alert: (-(alert["priority"] or 0.0), alert["aoi"], alert["alert_id"]))


def _alert(notice: Notice, style: Style) -> dict[str, Any]:
    hidden = set() if style.settings.names else {*_NAMES, *_SURROUNDINGS}
    hidden |= set() if style.settings.coordinates else {*_PLACES}
    facts = {key: value for key, value in notice.facts.items() if key not in hidden}
    report = f"{_report(notice.night, notice.aoi, style)}#{notice.of}"
    return {"alert_id": notice.of, "aoi": notice.aoi, "what": notice.what, **facts, "report": report}


def _area(notice: Notice, style: Style) -> dict[str, Any]:
    hidden = () if style.settings.names else _NAMES
    facts = {key: value for key, value in notice.facts.items() if key not in hidden}
    tile = {"mgrs": notice.of.partition(" ")[2]} if style.settings.coordinates and " " in notice.of else {}
    return {"aoi": notice.aoi, "what": notice.what, "night": notice.night.isoformat(), **facts, **tile}


def _counts(alerts: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """What happened, by kind; kinds of which there are none are left out."""
    counted = Counter((alert["what"], alert["kind"]) for alert in alerts)
    return {what: {kind: counted[what, kind] for kind in KINDS if counted[what, kind]} for what in _WORDS}


def _reports(notices: Iterable[Notice], style: Style) -> list[dict[str, str]]:
    """The report of every night and AOI that is told of, the newest first."""
    pairs = sorted({(notice.night, notice.aoi) for notice in notices}, key=lambda pair: (-pair[0].toordinal(), pair[1]))
    return [{"aoi": aoi, "night": night.isoformat(), "report": _report(night, aoi, style)} for night, aoi in pairs]


def _report(night: date, aoi: str, style: Style) -> str:
    """A link, or where the report lies below the folder of results."""
    place = f"{night.isoformat()}/{aoi}/report.html"
    return f"{style.base_url}/{place}" if style.base_url else place


def _title(facts: dict[str, Any]) -> str:
    """Like `Vanwatch forest-desk 2026-05-01: 2 new, 1 confirmed; 1 area became blind`."""
    alerts = [f"{sum(facts['counts'][what].values())} {what}" for what in _WORDS if facts["counts"][what]]
    parts = [f"{', '.join(alerts)}"] if alerts else []
    for what, words in _ALARMS.items():
        areas = len({area["aoi"] for area in facts["areas"] if area["what"] == what})
        if areas:
            parts.append(f"{areas} area{'s' if areas > 1 else ''} {_plural(words, areas)}")
    return f"Vanwatch {facts['group']} {facts['as_of']}: {'; '.join(parts)}"


def _plural(words: str, number: int) -> str:
    return words.replace("is ", "are ", 1) if number > 1 and words.startswith("is ") else words


def _happened(counts: dict[str, dict[str, int]]) -> list[tuple[str, str]]:
    return [(what, ", ".join(f"{n} {kind}" for kind, n in kinds.items())) for what, kinds in counts.items() if kinds]


def _called(told: dict[str, Any]) -> str:
    return f"{told['aoi']} ({told['name']})" if "name" in told else str(told["aoi"])


def _words(area: dict[str, Any]) -> str:
    """What happened to an area."""
    if area["what"] == "blind":
        why = ", ".join(f"{number} {reason}" for reason, number in sorted(area["why"].items()))
        rest = f"half of it has had no clear look for {area['days']} days, {area['allowed']} are allowed"
        rest += f" ({why})" if why else ""
    elif area["what"] == "silent":
        tile = area.get("mgrs", "one of its granules")
        rest = f"no catalogue has listed a scene of {tile} for {area['days']} days, {area['allowed']} are allowed"
    elif area["what"] == "seen" and area["since"]:
        rest = f"half of it has had a clear look on or since {area['since']}"
    else:
        rest = ""
    return f"{_ALARMS[area['what']]}{': ' if rest else ''}{rest}"


def _first_line(alert: dict[str, Any]) -> str:
    new = "new and " if alert["what"] == "new" else ""
    rank = "" if alert["priority"] is None else f", priority {columns.whole(alert['priority'])}"
    return f"{alert['kind']}, {new}{alert['status']}{rank}"


def _lines(alert: dict[str, Any]) -> list[str]:
    """What is told of an alert, line by line."""
    size = f"{alert['length_m']:.0f} m long" if alert["length_m"] else f"{alert['area_ha']:.2f} ha"
    days = f"first seen {alert['first_seen']}, last seen {alert['last_seen']}"
    days += f", confirmed on {alert['confirmed_on']}" if alert["confirmed_on"] else ""
    days += ", confirmed by an analyst" if alert["verdict"] == "confirmed" else ""
    lines = [f"{_called(alert)}, {size}, confidence {columns.percent(alert['confidence'])} %"]
    lines.append(f"{days}; on {alert['hits']} of {alert['looks']} clear looks")
    for word in alert["caution"]:
        lines.append(f"caution: {word}" + (f" ({CAUTIONS[word]})" if word in CAUTIONS else ""))
    lines += [f"inside {place}" for place in alert.get("inside", ())]
    lines += [f"near {place}" for place in alert.get("near", ())]
    return lines + ([f"at {alert['lat']:.5f}, {alert['lon']:.5f}"] if "lat" in alert else [])
