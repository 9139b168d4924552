import copy
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import shapely

from pipeline.catalog import pages
from pipeline.config import Catalog
from pipeline.errors import CatalogError

Read = Callable[[str], Any]
AREA = shapely.box(-41, -6, -37, -3)
DAY = date(2025, 7, 31)


def fetch(catalog: Catalog, area: Any = AREA) -> list[dict[str, Any]]:
    return pages.fetch(catalog, area, name="test", start=DAY, end=DAY)


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items]


def page(*names: str, link: Any = None, **more: Any) -> dict[str, Any]:
    items = [{"id": name, "collection": "sentinel-2-l2a", "properties": {}} for name in names]
    links = [] if link is None else [{"rel": "next", **link}]
    return {"type": "FeatureCollection", "features": items, "links": links, **more}


def moved(document: Any, host: str, url: str) -> Any:
    """A recorded answer whose links lead to our server, as they led to its own."""
    return json.loads(json.dumps(document).replace(host, url))


class Replay:
    """Answers as a catalogue did: the first page, then the page whose recorded request body is asked for."""

    def __init__(self, reply: Any, stac: Read, stem: str, host: str) -> None:
        self.reply, self.stac, self.stem, self.host = reply, stac, stem, host
        self.url = ""
        self.last: Any = page()

    def __call__(self, request: Any) -> Any:
        recorded = self.stac(f"{self.stem}-page2.request.json")
        if not {"next", "token"} & set(request.body):
            document = self.stac(f"{self.stem}-page1.json")
        elif request.body == recorded:
            document = self.stac(f"{self.stem}-page2.json")
        else:
            document = self.last
        return self.reply(moved(document, self.host, self.url))


@pytest.mark.parametrize(
    ("stem", "host", "count", "requests"),
    [
        ("earth-search-v1/responses/two-collections", "https://earth-search.aws.element84.com/v1", 2, 2),
        ("planetary-computer/responses/naip-paging", "https://planetarycomputer.microsoft.com/api/stac/v1", 20, 3),
    ],
)
def test_fetch_recorded_pages_follows_their_next_links(
    serve: Any, reply: Any, stac: Read, stem: str, host: str, count: int, requests: int
) -> None:
    replay = Replay(reply, stac, stem, host)
    server = serve(replay)
    replay.url = server.url
    items = fetch(server.catalog())
    recorded = [item for n in (1, 2) for item in stac(f"{stem}-page{n}.json")["features"]]
    assert ids(items) == ids(recorded)
    assert (len(items), len(server.asked)) == (count, requests)
    assert server.asked[1].body == stac(f"{stem}-page2.request.json")


def test_fetch_recorded_pages_that_are_not_all_is_an_error(serve: Any, reply: Any, stac: Read) -> None:
    stem = "earth-search-v1/responses/cloud-filter"  # its first two pages of 11 million
    replay = Replay(reply, stac, stem, "https://earth-search.aws.element84.com/v1")
    server = serve(replay)
    replay.url = server.url
    replay.last = stac("earth-search-v1/responses/two-collections-page2.json") | {"numberMatched": 115912758}
    with pytest.raises(CatalogError, match="says 115912758 items but its pages hold 20"):
        fetch(server.catalog())
    replay.last = stac("earth-search-v1/responses/two-collections-page2.json") | {"numberMatched": 20}
    assert len(fetch(server.catalog())) == 20


def test_d8_d23_query_is_padded_by_a_day_and_asks_for_no_cloud_cover(serve: Any, reply: Any) -> None:
    server = serve([reply(page())])
    fetch(server.catalog(collections=("a", "b"), page_size=7))
    (request,) = server.asked
    assert (request.method, request.path) == ("POST", "/v1/search")
    assert request.body.pop("intersects")["type"] == "Polygon"
    assert request.body == {
        "collections": ["a", "b"],
        "limit": 7,
        "datetime": "2025-07-30T00:00:00Z/2025-08-01T23:59:59Z",
    }


def test_d9_area_across_the_antimeridian_is_asked_for_once_per_side(serve: Any, reply: Any) -> None:
    server = serve([reply(page("east", "both")), reply(page("west", "both"))])
    area = shapely.union(shapely.box(179.5, -17, 180, -16), shapely.box(-180, -17, -179.5, -16))
    assert ids(fetch(server.catalog(), area)) == ["east", "both", "west"]
    bounds = [shapely.geometry.shape(request.body["intersects"]).bounds for request in server.asked]
    assert sorted(bounds) == [(-180, -17, -179.5, -16), (179.5, -17, 180, -16)]


def test_fetch_get_links_and_relative_links_are_followed(serve: Any, reply: Any) -> None:
    link = {"href": "./search?page=2", "method": "GET"}
    server = serve([reply(page("a", link=link)), reply(page("b"))])
    assert ids(fetch(server.catalog())) == ["a", "b"]
    assert (server.asked[1].method, server.asked[1].path) == ("GET", "/v1/search?page=2")


def test_fetch_empty_page_with_a_next_link_is_not_the_end(serve: Any, reply: Any) -> None:
    link = {"href": "search?page=2"}
    server = serve([reply(page("a", link={"href": "search?page=1"})), reply(page(link=link)), reply(page("b"))])
    assert ids(fetch(server.catalog())) == ["a", "b"]


def test_d13_too_many_requests_waits_as_long_as_asked(serve: Any, reply: Any) -> None:
    server = serve([reply({}, 429, {"Retry-After": "1"}), reply(page("a"))])
    assert ids(fetch(server.catalog())) == ["a"]
    assert server.asked[1].at_s - server.asked[0].at_s >= 0.95


def test_d13_no_pause_is_longer_than_the_longest_whatever_is_asked(
    serve: Any, reply: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "LONGEST_PAUSE_S", 0.1)
    server = serve([reply({}, 429, {"Retry-After": "20"}), reply(page("a"))])
    assert ids(fetch(server.catalog())) == ["a"]
    assert server.asked[1].at_s - server.asked[0].at_s < 10


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_d13_post_is_repeated_on_overload(serve: Any, reply: Any, status: int) -> None:
    server = serve([reply({}, status), reply({}, status), reply(page("a"))])
    assert ids(fetch(server.catalog())) == ["a"]
    assert [request.method for request in server.asked] == ["POST"] * 3


def test_d13_fault_on_a_later_page_is_repeated_there(serve: Any, reply: Any) -> None:
    link = {"href": "search", "method": "POST", "body": {"token": "2"}}
    server = serve([reply(page("a", link=link)), reply({}, 503), reply(page("b"))])
    assert ids(fetch(server.catalog())) == ["a", "b"]
    assert [request.body.get("token") for request in server.asked] == [None, "2", "2"]


def test_d13_slow_answer_is_given_up_and_asked_again(serve: Any, reply: Any) -> None:
    server = serve([reply(page("a"), delay_s=1.0), reply(page("a"))])
    assert ids(fetch(server.catalog(timeout_s=0.2))) == ["a"]
    assert len(server.asked) == 2


@pytest.mark.parametrize("fault", ["cut", "garbled", "json"])
def test_d13_broken_answer_is_asked_again(serve: Any, reply: Any, fault: str) -> None:
    body = json.dumps(page("a")).encode()
    bad = {"cut": reply(page("a"), cut=9), "garbled": reply(b"\xff\xfe\xff"), "json": reply(body[:-9])}
    server = serve([bad[fault], reply(page("a"))])
    assert ids(fetch(server.catalog())) == ["a"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 503}, "answered 503"),
        ({"status": 404, "body": "no such collection"}, "answered 404"),
        ({"body": b'{"type": "Feat'}, "no JSON"),
        ({"body": b"<html>"}, "no JSON"),
        ({"body": b"[" * 100_000}, "no JSON"),
        ({"body": {"type": "Catalog"}}, "no list of items"),
        ({"body": {"features": [1]}}, "no list of items"),
        ({"body": []}, "no JSON object"),
        ({"body": page("a"), "cut": 9}, "broke off"),
        ({"body": page("a"), "delay_s": 0.5}, "no answer"),
        ({"body": page("a", link={"href": 7})}, "broken link"),
        ({"body": page("a") | {"links": 7}}, "broken link"),
        ({"body": page("a", numberMatched=2)}, "says 2 items but its pages hold 1"),
        ({"body": page("a") | {"context": {"matched": 3}}}, "says 3 items but its pages hold 1"),
    ],
)
def test_d13_lasting_fault_is_one_line_with_name_and_remedy(
    serve: Any, reply: Any, fault: dict[str, Any], words: str
) -> None:
    server = serve(lambda _: reply(**fault))
    with pytest.raises(CatalogError, match=words) as caught:
        fetch(server.catalog(attempts=2, timeout_s=0.2))
    message = str(caught.value)
    assert message.startswith(f"catalogue test ({server.url}): ")
    assert "; " in message
    assert "\n" not in message
    assert len(server.asked) <= 2


def test_fetch_without_a_server_is_an_error_that_says_so() -> None:
    catalog = Catalog(url="http://127.0.0.1:9/v1", attempts=2, backoff_s=0.01)
    with pytest.raises(CatalogError, match="no answer"):
        fetch(catalog)


def test_d13_pages_that_repeat_are_an_error(serve: Any, reply: Any) -> None:
    link = {"href": "search", "method": "POST", "body": {"token": "same"}}
    server = serve(lambda _: reply(page("a", link=link)))
    with pytest.raises(CatalogError, match="no end"):
        fetch(server.catalog())
    assert len(server.asked) == 2


def test_d13_pages_with_ever_new_items_are_given_up(serve: Any, reply: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_ITEMS", 5)
    counter = iter(range(1000))
    server = serve(lambda _: reply(page(str(next(counter)), link={"href": f"search?page={next(counter)}"})))
    with pytest.raises(CatalogError, match="no end: 6 items for one area"):
        fetch(server.catalog())
    assert len(server.asked) == 6


@pytest.mark.parametrize("names", [("a",), ()])
def test_d13_pages_without_news_under_new_links_are_an_error(serve: Any, reply: Any, names: tuple[str, ...]) -> None:
    counter = iter(range(1000))
    server = serve(lambda _: reply(page(*names, link={"href": f"search?page={next(counter)}"})))
    with pytest.raises(CatalogError, match="no end"):
        fetch(server.catalog())
    assert len(server.asked) <= pages.STALE_PAGES + 1


def test_fetch_item_listed_twice_is_kept_once_as_listed_last(serve: Any, reply: Any) -> None:
    first, second = page("a", "b", link={"href": "search?page=2"}), page("b", "c")
    second["features"][0]["properties"] = {"updated": "later"}
    server = serve([reply(copy.deepcopy(first)), reply(second)])
    items = fetch(server.catalog())
    assert ids(items) == ["a", "b", "c"]
    assert items[1]["properties"] == {"updated": "later"}
