from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.ledger.manifest import Alarm, News, Outlook
from pipeline.nightly import news
from pipeline.notify.groups import Address, Group, GroupSettings
from pipeline.publish import surroundings
from pipeline.schema import Alert, Status
from tests.publish import planted

NIGHT = date(2026, 5, 1)
BLIND = Alarm("blind", "", 25, 21, "a: blind")
SILENT = Alarm("silent", "44QKE", 13, 12, "a: silent")


def alert(status: Status, alert_id: str = "VW-A") -> Alert:
    return planted.make_alert(planted.CLEARING, alert_id=alert_id, status=status)


def told(tonight: list[Alert], before: list[Alert]) -> list[tuple[str, str]]:
    found = news.of_alerts(tonight, before, surroundings.rate(tonight, before, planted.LAND))
    return [(each.what, each.of) for each in found]


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (None, Status.POSSIBLE, "new"),
        (None, Status.CONFIRMED, "confirmed"),
        (None, Status.CLOSED, ""),
        (Status.POSSIBLE, Status.POSSIBLE, ""),
        (Status.POSSIBLE, Status.CONFIRMED, "confirmed"),
        (Status.CONFIRMED, Status.CONFIRMED, ""),
        (Status.CONFIRMED, Status.CLOSED, ""),
        (Status.POSSIBLE, Status.EXPIRED, ""),
        (Status.EXPIRED, Status.POSSIBLE, ""),
        (Status.EXPIRED, Status.CONFIRMED, "confirmed"),
        (Status.POSSIBLE, Status.DISMISSED, ""),
    ],
)
def test_of_alerts_what_is_news(before: Status | None, after: Status, what: str) -> None:
    expected = [(what, "VW-A")] if what else []
    assert told([alert(after)], [alert(before)] if before else []) == expected


def test_of_alerts_facts_hold_what_a_message_needs_as_plain_values() -> None:
    tonight = [alert(Status.CONFIRMED)]
    (found,) = news.of_alerts(tonight, [], surroundings.rate(tonight, [], planted.LAND))
    facts = found.facts
    assert (facts["kind"], facts["status"], facts["area_ha"]) == ("clearing", "confirmed", 1.23)
    assert (facts["first_seen"], facts["confirmed_on"]) == ("2025-11-01", "2025-11-06")
    assert facts["inside"] == ["Tiger reserve"]
    assert facts["priority"] > 0


@pytest.mark.parametrize(
    ("now", "standing", "expected"),
    [
        ([], [], []),
        ([BLIND], [], [("blind", "2026-05-01")]),
        ([BLIND], ["blind"], []),
        ([], ["blind"], [("seen", "2026-05-01")]),
        ([SILENT], ["blind"], [("seen", "2026-05-01"), ("silent", "2026-05-01 44QKE")]),
        ([], ["silent 44QKE"], [("heard", "2026-05-01 44QKE")]),
        (
            [BLIND, SILENT],
            ["silent 44QLE"],
            [("blind", "2026-05-01"), ("silent", "2026-05-01 44QKE"), ("heard", "2026-05-01 44QLE")],
        ),
    ],
)
def test_of_alarms_only_beginning_and_end_are_news(
    now: list[Alarm], standing: list[str], expected: list[tuple[str, str]]
) -> None:
    found = news.of_alarms(Outlook(alarms=tuple(now)), standing, NIGHT)
    assert [(each.what, each.of) for each in found] == expected


def group(**settings: Any) -> Group:
    told = GroupSettings(**{"aois": ("hills",), "addresses": {"mail": "x", "hook": "y"}} | settings)
    return Group("desk", told, (Address("desk", "mail", "x"), Address("desk", "hook", "y")))


def test_owed_to_every_address_of_the_groups_that_watch_the_aoi_and_chose_it(watched_aoi: Any) -> None:
    found = (News("new", "VW-A", {"kind": "camp"}), News("heard", "2026-05-01", {}))

    def owed(**settings: Any) -> list[tuple[str, str]]:
        return [(each.address, each.news.what) for each in news.owed([group(**settings)], watched_aoi, found)]

    both = [("mail", "new"), ("hook", "new"), ("mail", "heard"), ("hook", "heard")]
    assert owed() == owed(aois=("*",)) == both
    assert owed(tell=("silent",)) == both[2:]
    assert owed(tell=("confirmed", "blind")) == []
    assert owed(aois=("plains",)) == []
    (first, *_) = news.owed([group()], watched_aoi, found)
    assert first.news.facts == {"kind": "camp", "name": "The hills"}


@pytest.fixture
def watched_aoi() -> Any:
    from pipeline.aoi import Aoi
    from pipeline.config import Profile, Search

    profile = Profile(title="t", use="research", search=Search(catalogs=("x",)))
    return Aoi("hills", "The hills", True, planted.PLACE, "forest", profile, Path("hills.geojson"), Path())
