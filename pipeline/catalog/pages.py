"""All items that a STAC API lists for an area and a period, page by page to the last one (D13).

In: a catalogue, areas, a period. Out: raw item dicts, complete, or a `CatalogError`: half an answer is never taken for
a whole one. Knows nothing of Sentinel-2.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urljoin

from pystac import Link
from pystac_client.exceptions import APIError
from pystac_client.item_search import ItemSearch
from pystac_client.stac_api_io import StacApiIO
from requests.exceptions import ChunkedEncodingError, ContentDecodingError
from shapely import box
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry
from urllib3 import Retry

from pipeline.catalog import naming
from pipeline.config import Catalog
from pipeline.errors import CatalogError

log = logging.getLogger(__name__)
RETRY_STATUS = (429, 502, 503, 504)
LONGEST_PAUSE_S = 120
"""No pause between tries is longer, whatever the server asks for: then the next catalogue's turn has come."""
STALE_PAGES = 3
"""So many pages in a row without a new item are a loop; one may be overtaken by items that were just added."""
MAX_ITEMS = 100_000
"""More are no answer: 12 granules, imaged every 2.5 days for 1,500 days and listed twice, are about 15,000."""
BROKEN_OFF = (ChunkedEncodingError, ContentDecodingError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class _Session:
    """One catalogue, open for requests."""

    name: str
    catalog: Catalog
    io: StacApiIO

    @property
    def root(self) -> str:
        """The API's root without a closing slash."""
        return self.catalog.url.rstrip("/")

    def error(self, what: str, remedy: str) -> CatalogError:
        """What went wrong, in one line."""
        return CatalogError(" ".join(f"catalogue {self.name} ({self.root}): {what}; {remedy}".split()))


def fetch(catalog: Catalog, geometry: BaseGeometry, *, name: str, start: date, end: date) -> list[dict[str, Any]]:
    """Ask a STAC API for all items over an area in a period, whatever their cloud cover (D23).

    Args:
        catalog: its `url` is the API's root.
        geometry: WGS84, within -180 to 180; one query is made on each side of the antimeridian (D9).
        name: of the catalogue, for messages.
        start: first day; asked for with `naming.PAD` before it.
        end: last day; asked for with `naming.PAD` after it.

    Returns:
        Each item once, as it was listed last, in the order of the first listings.

    Raises:
        CatalogError: the catalogue did not answer, answered nonsense, or not completely.
    """
    retry = Retry(
        total=catalog.attempts - 1,
        allowed_methods=None,  # searches are POST requests, which urllib3 would not repeat by itself
        status_forcelist=RETRY_STATUS,
        backoff_factor=catalog.backoff_s,
        backoff_max=LONGEST_PAUSE_S,
        raise_on_status=False,
        respect_retry_after_header=True,
        retry_after_max=LONGEST_PAUSE_S,
    )
    io = StacApiIO(max_retries=retry, timeout=catalog.timeout_s)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    with closing(io.session):
        session = _Session(name, catalog, io)
        for piece in pieces(geometry):
            for page in _pages(session, _query(session, piece, start, end)):
                found.update({_key(item): item for item in page})
    return list(found.values())


def pieces(geometry: BaseGeometry) -> tuple[BaseGeometry, ...]:
    """What is asked for: the convex hull, or one on each side of the antimeridian where the area lies on both.

    The hull hides the exact outline from the catalogue and keeps the request small; what it has too much is
    left out later, by granule.
    """
    west, _, east, _ = geometry.bounds
    if east - west <= 180:
        return (geometry.convex_hull,)
    halves = (geometry.intersection(box(-180, -90, 0, 90)), geometry.intersection(box(0, -90, 180, 90)))
    return tuple(half.convex_hull for half in halves if half.area > 0)


def _query(session: _Session, piece: BaseGeometry, start: date, end: date) -> dict[str, Any]:
    search = ItemSearch(
        f"{session.root}/search",
        stac_io=session.io,
        limit=session.catalog.page_size,
        collections=list(session.catalog.collections) or None,
        intersects=mapping(piece),
        datetime=f"{start - naming.PAD}T00:00:00Z/{end + naming.PAD}T23:59:59Z",
    )
    return search.get_parameters()


def _key(item: dict[str, Any]) -> tuple[str, str]:
    """An item without an id is kept as it is, for `parse` to complain about."""
    return str(item.get("collection")), str(item.get("id") or json.dumps(item, sort_keys=True))


def _pages(session: _Session, query: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """The items of each page, until no next link is given."""
    seen: set[tuple[str, str]] = set()
    asked: set[str] = set()
    target: str | Link = f"{session.root}/search"
    listed = stale = 0
    while True:
        document = _page(session, target, query)
        page = _features(session, document)
        news = {_key(item) for item in page} - seen
        seen |= news
        listed += len(page)
        stale = 0 if news else stale + 1
        yield page
        link = _next_link(session, document)
        if link is None:
            return _check_complete(session, document, listed)
        words = json.dumps(link.to_dict(transform_href=False), sort_keys=True)
        if words in asked or stale >= STALE_PAGES:
            raise session.error(
                f"its pages have no end: after {listed} items they repeat",
                "tell its operator, or use another catalogue",
            )
        if listed > MAX_ITEMS:
            raise session.error(
                f"its pages have no end: {listed} items for one area", "check its collections, or use another catalogue"
            )
        asked.add(words)
        target = link


def _next_link(session: _Session, document: dict[str, Any]) -> Link | None:
    links = document.get("links") or []
    try:
        raw = next((link for link in links if link["rel"] == "next"), None)
        return Link.from_dict({**raw, "href": urljoin(f"{session.root}/", raw["href"])}) if raw else None
    except (TypeError, KeyError, AttributeError, ValueError) as err:
        raise session.error("its answer has a broken link to the next page", "tell its operator") from err


def _features(session: _Session, document: dict[str, Any]) -> list[dict[str, Any]]:
    page = document.get("features")
    if not isinstance(page, list) or not all(isinstance(item, dict) for item in page):
        raise session.error("its answer is no list of items", "check that its url is the root of a STAC API")
    return page


def _check_complete(session: _Session, document: dict[str, Any], listed: int) -> None:
    context = document.get("context")
    matched = document.get("numberMatched", context.get("matched") if isinstance(context, dict) else None)
    if isinstance(matched, int) and listed < matched:
        raise session.error(f"it says {matched} items but its pages hold {listed}", "try again later")


def _page(session: _Session, target: str | Link, query: dict[str, Any]) -> dict[str, Any]:
    """One page; an answer that breaks off is asked for again, which urllib3's retry does not do."""
    problem, cause = "", Exception()
    for attempt in range(session.catalog.attempts):
        if attempt:
            time.sleep(min(session.catalog.backoff_s * 2 ** (attempt - 1), LONGEST_PAUSE_S))
        try:
            if isinstance(target, Link):
                document = session.io.read_json(target, parameters=query)
            else:
                document = session.io.read_json(target, method="POST", parameters=query)
        except (ValueError, RecursionError) as err:
            problem, cause = f"its answer is no JSON ({err})", err
        except APIError as err:
            if not isinstance(err.__context__, BROKEN_OFF):
                raise _refused(session, err) from err
            problem, cause = f"its answer broke off ({err})", err
        else:
            if not isinstance(document, dict):
                raise session.error("its answer is no JSON object", "check that its url is the root of a STAC API")
            return document
        log.info("catalogue %s: %s; attempt %d", session.name, problem, attempt + 1)
    raise session.error(problem, f"tried {session.catalog.attempts} times: try again later") from cause


def _refused(session: _Session, err: APIError) -> CatalogError:
    status = getattr(err, "status_code", None)
    words = " ".join(str(err).split())[:200]
    if status is None:
        return session.error(f"no answer ({words})", "check the network and its url in configs/catalogs.toml")
    if status in RETRY_STATUS:
        return session.error(f"answered {status} ({words})", "it is overloaded: try again later")
    remedy = "check its url, which must be the root of a STAC API, and its collections in configs/catalogs.toml"
    return session.error(f"answered {status} ({words})", remedy)
