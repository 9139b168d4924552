"""The post: one message to one address, by Apprise.

In: a message and an Apprise URL. Out: whether it went out, or why not. Knows no groups and remembers nothing.

Apprise is imported only here and only when it is needed: it takes a second. What it logs may hold parts of an address
and is not passed on; of its reasons only what holds none.
"""

import logging
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

_MAIL = ("mailto", "mailtos")
_JSON = ("json", "jsons")
_HOST_IS_NO_SECRET = (*_MAIL, *_JSON, "form", "forms", "xml", "xmls")
"""Of other schemes, the host's place may hold a token."""
_SHORTEST = 3
"""Shorter parts of an address are no secrets, and would be found in any text."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent."""

    title: str
    text: str
    """For chat rooms, phones and webhooks."""
    html: str
    """For mail."""
    facts: dict[str, Any]
    """The same for programs: JSON webhooks are given it as `digest`."""
    urgent: bool
    """Apprise's type `warning`, else `info`."""


def check(url: str) -> str:
    """What is wrong with an address, without asking anybody; empty if nothing is. Shows no part of it."""
    if "://" not in url:
        return "is no URL like mailtos://user:password@example.org or json://host/path"
    if re.search(r"[\s,;]+\w+://", url):
        return "holds several addresses; give each a name of its own"
    service = _service(url, timeout_s=30.0, facts={})
    if service is None:
        return f"Apprise cannot use it as {_scheme(url)[:20]}://; docs/notification.md shows what addresses look like"
    return ""


def send(url: str, message: Message, *, timeout_s: float) -> str:
    """Send a message.

    Args:
        url: an Apprise URL.
        message: what to send.
        timeout_s: limit for all of it.

    Returns:
        Empty if the other side has accepted it, else why not, without any secret of the address.
    """
    service = _service(url, timeout_s=timeout_s, facts=message.facts)
    if service is None:
        return "Apprise cannot use the address"
    import apprise

    html = _scheme(url) in _MAIL and not re.search(r"[?&]format=text\b", url)
    with_ = apprise.NotifyFormat.HTML if html else apprise.NotifyFormat.TEXT
    kind = apprise.NotifyType.WARNING if message.urgent else apprise.NotifyType.INFO
    answer = apprise.Apprise(service, asset=service.asset).notify(
        message.html if html else message.text, title=message.title, notify_type=kind, body_format=with_
    )
    if answer:
        return ""
    if answer.timeout_count:
        return f"no answer within {timeout_s:g} s"
    reasons = dict.fromkeys(scrubbed(" ".join(entry.message.split()), url) for entry in answer.logs())
    return "; ".join(reasons) or "not accepted"


def scrubbed(text: str, url: str) -> str:
    """A text without any part of an address that may be a secret."""
    for part in sorted(_secrets(url), key=lambda part: (-len(part), part)):
        text = text.replace(part, "***")
    return text


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _secrets(url: str) -> set[str]:
    """User, password, path and values; the host too where a service may keep a token in its place."""
    place, *rest = re.split(r"[/?&=#]", url.partition("://")[2])
    user, _, host = place.rpartition("@")
    found = {url, *user.split(":"), *rest}
    if _scheme(url) not in _HOST_IS_NO_SECRET:
        found |= {host, *host.split(":")}
    return {form for part in found for form in (part, unquote(part)) if len(form) >= _SHORTEST}


def _service(url: str, *, timeout_s: float, facts: dict[str, Any]) -> Any:
    """Apprise's own object for an address; None where it can make none of it."""
    logger = logging.getLogger("apprise")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    import apprise
    from apprise import plugins

    asset = apprise.AppriseAsset(
        app_id="Vanwatch",
        app_desc="Vanwatch",
        app_url="",
        image_url_mask="",  # nothing is loaded from elsewhere
        image_url_logo="",
        storage_mode="memory",
        pgp_autogen=False,
        pem_autogen=False,
        service_timeout=timeout_s,
    )
    known = plugins.url_to_dict(url)
    if known is None:
        return None
    known |= {"optional": False}  # what was not delivered was not told
    known = {"overflow": "split", "cto": timeout_s, "rto": timeout_s} | known
    if _scheme(url) in _JSON and facts:
        known["payload"] = {**known.get("payload", {}), "digest": facts}
    try:
        return apprise.Apprise.instantiate(known, asset=asset, suppress_exceptions=False)
    except Exception:  # each service has its own; what it says may hold the address
        return None
