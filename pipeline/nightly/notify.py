"""Telling by hand: what would be sent, what is owed sent now, and whether an address works.

In: a home. Out: drafts, or a `Sent` for each address. Looks at no clock: a message is of the last night it tells of.
"""

from dataclasses import dataclass
from typing import Any

from pipeline.ledger import database, notices
from pipeline.nightly import state, telling
from pipeline.nightly.run import Home
from pipeline.nightly.telling import Sent
from pipeline.notify.groups import ALL, Groups
from pipeline.notify.post import Message


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that would be sent."""

    to: str
    """Group and name of the address."""
    title: str
    text: str
    facts: dict[str, Any]
    """What a JSON webhook would get as `digest`."""


def drafts(place: Home, groups: Groups, *, only: str = "") -> tuple[Draft, ...]:
    """What would be sent now; changes nothing.

    Args:
        place: the home.
        groups: who is told.
        only: a group, or a group and the name of an address; empty: all.

    Raises:
        ConfigError: there is no such group or address.
        StateError: the database does not answer.
    """
    addresses = telling.chosen(groups, only)
    if not _begun(place):
        return ()
    found = []
    with database.opened(place.ledger) as ledger:
        for group, address in addresses:
            owed = notices.owed(ledger, group.name, address.name)
            if owed:
                message = telling.drafted(groups, group, owed, max(notice.night for notice in owed))
                found.append(Draft(address.shown, message.title, message.text, message.facts))
    return tuple(found)


def send(place: Home, groups: Groups, *, only: str = "", again: bool = False) -> tuple[Sent, ...]:
    """Send now what is owed.

    Args:
        place: the home; no run may be at work there.
        groups: who is told.
        only: a group, or a group and the name of an address; empty: all.
        again: also what is in doubt since a run was cut off while it sent it.

    Raises:
        ConfigError: there is no such group or address, or a run is at work.
        StateError: the database does not answer.
    """
    telling.chosen(groups, only)
    if not _begun(place):
        return ()
    with state.locked(place.state), database.opened(place.ledger) as ledger:
        if again:
            notices.again(ledger)
        return telling.tell(ledger, groups, None, only=only)


def try_out(groups: Groups, *, only: str = "") -> tuple[Sent, ...]:
    """Send each address a message that says that it works; nothing counts as told by it.

    Raises:
        ConfigError: there is no such group or address.
    """
    sent = []
    for group, address in telling.chosen(groups, only):
        areas = "all areas" if ALL in group.settings.aois else ", ".join(group.settings.aois)
        text = f"This is a test. {address.shown} will be told of {areas}: {', '.join(group.settings.tell)}."
        message = Message(f"Vanwatch {group.name}: a test", text, f"<p>{text}</p>", {"test": True}, urgent=False)
        sent.append(Sent(address.shown, 0, telling.sent_to(address, message, groups)))
    return tuple(sent)


def _begun(place: Home) -> bool:
    """Is there a ledger yet? Asking must not make one."""
    file = database.file_of(place.ledger)
    return file is None or file.exists()
