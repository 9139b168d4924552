"""Telling: every address gets what it is owed, in one message a night.

In: the ledger and the groups. Out: messages, and a `Sent` for each address that was owed something. An address that
cannot be reached is owed the same the next night, and keeps nobody else from being told.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

from pipeline import aoi as areas
from pipeline import config
from pipeline.bucket import Bucket
from pipeline.depot import Depot, Folder
from pipeline.errors import ConfigError, StateError, VanwatchError
from pipeline.ledger import notices
from pipeline.ledger.database import Database
from pipeline.ledger.notices import Notice
from pipeline.notify import checks, post
from pipeline.notify.groups import FILE, NOBODY, Address, Group, Groups
from pipeline.notify.post import Message
from pipeline.publish import digest, sending

log = logging.getLogger(__name__)
RUN = "run.json"
_LOCK = "telling"


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one message."""

    to: str
    """Group and name of the address."""
    notices: int
    """Things that it tells."""
    error: str = ""
    """Why it was not sent; empty if it was."""


class Told(Protocol):
    """What must be known of a night to tell of it: `run.AoiReport` has it."""

    @property
    def aoi(self) -> str: ...  # noqa: D102

    @property
    def as_of(self) -> date: ...  # noqa: D102

    @property
    def folder(self) -> Path | None: ...  # noqa: D102

    @property
    def url(self) -> str: ...  # noqa: D102


def groups_of(aois: Path, configs: Path) -> Groups:
    """Who is told, checked whole; asks nobody.

    Args:
        aois: folder of the AOIs.
        configs: folder of the configuration.

    Raises:
        ConfigError: the file is wrong, names an unknown AOI, or holds an address that cannot be used.
    """
    if not (configs / FILE).exists():
        return NOBODY
    known = areas.load_all(aois, configs) if config.shown(aois.glob("*.geojson")) else ()
    return checks.load(configs, [item.id for item in known])


def after(ledger: Database, groups: Groups, nights: Sequence[Told], *, out: Bucket | None = None) -> tuple[Sent, ...]:
    """Tell what nights that were just run, and earlier ones, have left to be told.

    What the nights found stands whatever becomes of this: errors are in what is returned.

    Args:
        ledger: the ledger.
        groups: who is told.
        nights: those that were just run.
        out: where their results lie, if in an object store.
    """
    try:
        sent = tell(ledger, groups, max(night.as_of for night in nights))
    except VanwatchError as err:
        log.error("%s", err)
        return (Sent("everybody", 0, str(err)),)
    unwritten = []
    for night in nights:
        try:
            if night.folder:
                note(ledger, Folder(night.folder), night.aoi, night.as_of, sent)
            elif night.url and out:
                name = night.as_of.isoformat()
                note(ledger, out.below(f"{name}/{night.aoi}"), night.aoi, night.as_of, sent)
                sending.show_run(out, as_of=name, aoi=night.aoi)
        except VanwatchError as err:
            unwritten.append(Sent(f"run.json of {night.aoi}", 0, str(err)))
    return (*sent, *unwritten)


def tell(ledger: Database, groups: Groups, as_of: date | None, *, only: str = "") -> tuple[Sent, ...]:
    """Send what is owed.

    Args:
        ledger: the ledger; one run at a time tells, another waits for it.
        groups: who is told.
        as_of: the night; None: for each address the last one of which it is owed something.
        only: a group, or a group and the name of an address as `Sent.to` has it; empty: all.

    Returns:
        What was sent and what was not, in the order of the file; what an earlier run left in doubt before it.

    Raises:
        StateError: the database does not answer; what was being sent then is in doubt.
    """
    with ledger.locked([_LOCK], wait=True):
        sent = _tell(ledger, groups, as_of, chosen(groups, only))
    for each in sent:
        _log(each)
    return sent


def _tell(
    ledger: Database, groups: Groups, as_of: date | None, to: Iterable[tuple[Group, Address]]
) -> tuple[Sent, ...]:
    known = {(group.name, address.name) for group in groups.groups for address in group.addresses}
    sent = list(_in_doubt(notices.tidy(ledger, known)))
    for group, address in to:
        owed = notices.owed(ledger, group.name, address.name)
        if not owed:
            continue
        night = as_of or max(notice.night for notice in owed)
        message = drafted(groups, group, owed, night)
        notices.begin(ledger, owed)
        why = sent_to(address, message, groups)
        if why:
            notices.give_back(ledger, owed)
        else:
            notices.told(ledger, owed, night)
        sent.append(Sent(address.shown, len(owed), why))
    return tuple(sent)


def drafted(groups: Groups, group: Group, owed: Sequence[Notice], as_of: date) -> Message:
    """The message for what an address of a group is owed."""
    return digest.write(owed, as_of, digest.Style(group.name, group.settings, groups.base_url))


def sent_to(address: Address, message: Message, groups: Groups) -> str:
    """Send a message; why it could not be sent, or empty."""
    try:
        return post.send(address.url, message, timeout_s=groups.timeout_s)
    except Exception as err:  # whatever a service does: the others are told; its text may hold the address
        return f"Apprise failed ({type(err).__name__})"


def chosen(groups: Groups, only: str) -> tuple[tuple[Group, Address], ...]:
    """The addresses of a group, one address, or all.

    Raises:
        ConfigError: there is no such group or address.
    """
    every = [(group, address) for group in groups.groups for address in group.addresses]
    found = tuple(pair for pair in every if not only or only in (pair[0].name, pair[1].shown))
    if only and not found:
        there = ", ".join(address.shown for _, address in every) or "none; add them to configs/notify.toml"
        raise ConfigError(f"--to {only}: no such group or address; there are: {there}")
    return found


def note(ledger: Database, place: Depot, aoi: str, as_of: date, sent: Iterable[Sent]) -> None:
    """Write into a night's `run.json` who was told of it, and who could not be.

    Args:
        ledger: the ledger.
        place: of the night.
        aoi: the AOI.
        as_of: the night.
        sent: what became of the messages.

    Raises:
        StateError: the database does not answer, or the file cannot be read.
        WriteError: the file cannot be written.
    """
    mine = notices.of_night(ledger, aoi, as_of)
    if not mine:
        return
    try:
        with place.reading(RUN) as handle:
            facts = json.load(handle)
    except (OSError, ValueError) as err:
        raise StateError(f"{place}/{RUN}: not readable ({err}); run the night again") from err
    why = {each.to: each.error for each in sent if each.error}
    facts["notices"] = [_told(notice) for notice in mine]
    facts["not_told"] = sorted({f"{to}: {why[to]}" for notice in mine if (to := _to(notice)) in why})
    text = json.dumps(facts, sort_keys=True, indent=2, ensure_ascii=False)
    with place.writing(RUN) as handle:
        handle.write(f"{text}\n".encode())


def _in_doubt(cut_off: Sequence[Notice]) -> Iterable[Sent]:
    counts: dict[str, int] = {}
    for notice in cut_off:
        counts[_to(notice)] = counts.get(_to(notice), 0) + 1
    for to, number in sorted(counts.items()):
        yield Sent(to, number, "a run was cut off while it sent this; if it did not arrive: vanwatch notify --again")


def _to(notice: Notice) -> str:
    return f"{notice.group}/{notice.address}"


def _told(notice: Notice) -> dict[str, str | None]:
    on = notice.told_on.isoformat() if notice.told_on else None
    return {"to": _to(notice), "what": notice.what, "of": notice.of, "state": notice.state, "told_on": on}


def _log(each: Sent) -> None:
    if each.error:
        log.error("%s: not told: %s", each.to, each.error)
    else:
        log.info("%s: told %d", each.to, each.notices)
