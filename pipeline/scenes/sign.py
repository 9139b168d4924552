"""Signing: turns a stored href into one that may be read now.

In: unsigned hrefs, as the catalogue lists them. Out: hrefs that carry a short-lived token. Refuses to know pixels.
Tokens are fetched just before a read and never stored with a scene, since they end after about 45 minutes.
"""

import json
import os
import re
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import urllib3

from pipeline.errors import ConfigError, ReadError

PLANETARY_COMPUTER = "planetary-computer"
TOKEN_URL_VARIABLE = "VANWATCH_PC_TOKEN_URL"
_TOKEN_URL = "https://planetarycomputer.microsoft.com/api/sas/v1/token"
_BLOB_HOST = ".blob.core.windows.net"
_MARGIN = timedelta(minutes=5)  # a token that ends during a read is no token
_BACKOFF_S = 0.5
_FRESH_TRIES = 3  # the service was seen to hand out tokens that had ended already

_tokens: dict[tuple[str, str, str], tuple[str, datetime]] = {}
_lock = threading.Lock()


def sign(href: str, signer: str, *, now: datetime, renew: bool = False) -> str:
    """Make an href readable.

    Args:
        href: unsigned URL or path.
        signer: empty (nothing to do) or `planetary-computer`.
        now: the current time (UTC); decides whether a kept token still holds.
        renew: fetch a new token even if the kept one seems to hold.

    Returns:
        The href, with a token where its host wants one. Paths, other hosts and already signed hrefs come back as
        they are. A deployment whose `VANWATCH_PC_TOKEN_URL` names its own token service has every host signed.

    Raises:
        ReadError: the token service does not answer, or hands out tokens that have ended.
        ConfigError: the signer is unknown.

    Source: Planetary Computer, "Using tokens for data access": GET token/{storage account}/{container}.
    """
    if not signer:
        return href
    if signer != PLANETARY_COMPUTER:
        raise ConfigError(f"signer: {signer!r} is unknown; use '' or '{PLANETARY_COMPUTER}'")
    url = urlsplit(href)
    own_service = TOKEN_URL_VARIABLE in os.environ
    host = url.hostname or ""
    if url.scheme not in ("http", "https") or "sig" in parse_qs(url.query):
        return href
    if not own_service and not host.endswith(_BLOB_HOST):
        return href
    container = url.path.strip("/").split("/")[0]
    token = _token(host.split(".")[0], container, now, renew)
    return f"{href}{'&' if url.query else '?'}{token}"


def unsigned(text: str) -> str:
    """The text without the query parts of its URLs: for messages and logs, which must not carry tokens."""
    return re.sub(r"\?[^\s'\"]*", "", text)


def _token(account: str, container: str, now: datetime, renew: bool) -> str:
    """The kept token, or a new one."""
    service = os.environ.get(TOKEN_URL_VARIABLE, _TOKEN_URL).rstrip("/")
    key = (service, account, container)
    with _lock:
        kept = _tokens.get(key)
        if kept and not renew and kept[1] > now + _MARGIN:
            return kept[0]
        expiry = now
        for _ in range(_FRESH_TRIES):
            token, expiry = _fetched(f"{service}/{account}/{container}")
            if expiry > now + _MARGIN:
                break
        if expiry <= now:
            raise ReadError(
                f"{service}/{account}/{container}: the token service hands out tokens that ended at "
                f"{expiry:%Y-%m-%d %H:%M} UTC; check this machine's clock, or try later"
            )
        _tokens[key] = (token, expiry)
        return token


def _fetched(url: str) -> tuple[str, datetime]:
    """Token and its end, from the service."""
    retry = urllib3.Retry(total=4, backoff_factor=_BACKOFF_S, status_forcelist=(429, 500, 502, 503, 504))
    try:
        with urllib3.PoolManager(retries=retry, timeout=urllib3.Timeout(30)) as pool:
            answer = pool.request("GET", url)
        if answer.status != 200:
            raise ReadError(f"{url}: the token service answered {answer.status}; try later, or use another catalogue")
        document = json.loads(answer.data)
        token = str(document["token"])
        ends = document.get("msft:expiry") or parse_qs(token)["se"][0]
        return token, datetime.fromisoformat(ends).astimezone(UTC)
    except urllib3.exceptions.HTTPError as err:
        raise ReadError(f"{url}: no answer from the token service: {err}; try later, or use another catalogue") from err
    except (ValueError, KeyError, TypeError) as err:
        raise ReadError(f"{url}: the answer holds no token with its end; try later, or use another catalogue") from err
