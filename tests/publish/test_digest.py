import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from pipeline.ledger.notices import Notice, State
from pipeline.notify.groups import GroupSettings
from pipeline.notify.post import Message
from pipeline.publish import digest

NIGHT = date(2026, 5, 1)
CAMP: dict[str, Any] = {
    "kind": "camp",
    "status": "confirmed",
    "confidence": 0.981,
    "area_ha": 0.12,
    "length_m": None,
    "first_seen": "2026-04-20",
    "last_seen": "2026-04-30",
    "confirmed_on": "2026-04-30",
    "hits": 2,
    "looks": 3,
    "caution": ["season"],
    "verdict": "",
    "priority": 71.2,
    "lon": 80.12345,
    "lat": 20.54321,
    "inside": ["Tiger <reserve>"],
    "near": ["village road, 40 m north"],
    "name": "The hidden valley",
}
TRACK = CAMP | {"kind": "track", "status": "possible", "confirmed_on": None, "length_m": 812.3, "priority": 80.0}
BLIND = {"days": 25, "allowed": 21, "why": {"no scene": 1, "cloud": 3}, "name": "The hidden valley"}


def notice(what: str, of: str, facts: dict[str, Any], *, aoi: str = "valley", night: date = NIGHT) -> Notice:
    return Notice(0, "desk", "mail", aoi, night, what, of, facts, State.OWED, None)


NOTICES = (
    notice("blind", "2026-05-01", BLIND, aoi="plain"),
    notice("confirmed", "VW-CAMP", CAMP),
    notice("new", "VW-TRACK", TRACK),
    notice("heard", "2026-05-01 44QKE", {"since": None, "name": "The hidden valley"}, aoi="plain"),
    notice("silent", "2026-05-01 44QLE", {"days": 13, "allowed": 12, "why": {}, "name": "x"}),
    notice("silent", "2026-05-01 44QME", {"days": 13, "allowed": 12, "why": {}, "name": "x"}),
)


def written(notices: tuple[Notice, ...] = NOTICES, *, base_url: str = "", **settings: Any) -> Message:
    told = GroupSettings(**{"aois": ("*",), "addresses": {"mail": "x"}} | settings)
    return digest.write(notices, NIGHT, digest.Style("desk", told, base_url))


def everything(message: Message) -> str:
    return "\n".join([message.title, message.text, message.html, json.dumps(message.facts)])


def test_write_title_counts_and_the_most_urgent_first() -> None:
    found = written()
    assert found.title == (
        "Vanwatch desk 2026-05-01: 1 new, 1 confirmed; 1 area became blind; 1 area became silent; "
        "1 area is no longer silent"
    )
    assert found.facts["counts"] == {"new": {"track": 1}, "confirmed": {"camp": 1}}
    assert [alert["alert_id"] for alert in found.facts["alerts"]] == ["VW-TRACK", "VW-CAMP"]
    for text in (found.text, found.html):
        assert text.index("VW-TRACK") < text.index("VW-CAMP")
        assert "812 m long" in text
        assert "0.12 ha" in text
        assert "first seen 2026-04-20, last seen 2026-04-30, confirmed on 2026-04-30; on 2 of 3 clear looks" in text
        assert "caution: season (The normal was built from other seasons" in text
        assert "half of it has had no clear look for 25 days, 21 are allowed (3 cloud, 1 no scene)" in text
        assert text.count("one of its granules for 13 days, 12 are allowed") == 1
        assert "An alert is a lead for a person to check, never a finding" in text
    assert found.urgent


def test_write_same_notices_in_any_order_same_bytes() -> None:
    assert everything(written()) == everything(written())
    assert written(NOTICES[1:3]).html == written(NOTICES[2:0:-1]).html


def test_decision_12_neither_names_nor_places_unless_asked_for() -> None:
    secrets = ("hidden", "Tiger", "village", "80.12", "20.54", "44Q")
    assert not any(secret in everything(written()) for secret in secrets)
    named = written(names=True)
    assert "plain (The hidden valley)" in named.text
    assert "inside Tiger <reserve>" in named.text
    assert "inside Tiger &lt;reserve&gt;" in named.html
    assert not any(secret in everything(named) for secret in secrets[3:])
    placed = written(coordinates=True)
    assert "at 20.54321, 80.12345" in placed.text
    assert "a scene of 44QLE for 13 days" in placed.text
    assert not any(secret in everything(placed) for secret in secrets[:3])


def test_d31_only_so_many_alerts_are_listed_and_the_others_counted() -> None:
    many = tuple(notice("new", f"VW-{n:03}", TRACK) for n in range(30))
    found = written(many, most=4)
    assert [alert["alert_id"] for alert in found.facts["alerts"]] == ["VW-000", "VW-001", "VW-002", "VW-003"]
    assert found.facts["more"] == 26
    assert found.facts["counts"]["new"] == {"track": 30}
    for text in (found.text, found.html):
        assert "and 26 more in the reports" in text
        assert "VW-004" not in text
    assert not found.urgent


def test_write_links_to_reports_where_they_are_served_and_names_files_elsewhere() -> None:
    served = written(base_url="https://maps.example.org/v")
    link = "https://maps.example.org/v/2026-05-01/valley/report.html"
    assert f'<a href="{link}#VW-CAMP"' in served.html
    assert f"{link}#VW-CAMP" in served.text
    files = written()
    assert "2026-05-01/valley/report.html" in files.text
    assert "href" not in files.html


def test_write_alert_that_could_not_be_told_before_appears_once_as_it_is_now() -> None:
    new = notice("new", "VW-CAMP", CAMP | {"status": "possible", "confirmed_on": None}, night=NIGHT - timedelta(days=1))
    found = written((new, notice("confirmed", "VW-CAMP", CAMP)))
    assert found.title == "Vanwatch desk 2026-05-01: 1 confirmed"
    assert [alert["status"] for alert in found.facts["alerts"]] == ["confirmed"]
    assert "1 of this could not be told on its own night" in found.text


def test_write_confirmed_by_an_analyst_says_so() -> None:
    said = replace(NOTICES[1], facts=CAMP | {"verdict": "confirmed", "confirmed_on": None})
    assert "confirmed by an analyst" in written((said,)).text
