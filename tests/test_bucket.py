"""The two depots side by side, the bucket in a real object store."""

import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest

from pipeline import bucket
from pipeline.bucket import Bucket
from pipeline.depot import Depot, Folder
from pipeline.errors import ConfigError, StateError, WriteError
from tests import objectstore

Make = Callable[[], Depot]


@pytest.fixture(params=["folder", "bucket"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes an empty depot."""
    if request.param == "folder":
        return lambda: Folder(tmp_path)
    return request.getfixturevalue("store").place  # type: ignore[no-any-return]


def put(depot: Depot, name: str, content: bytes = b"x") -> None:
    with depot.writing(name) as handle:
        handle.write(content)


def test_depot_gives_back_what_was_written_and_names_it(make: Make) -> None:
    depot, content = make(), bytes(range(256)) * 50_000
    put(depot.below("a"), "b/c.bin", content)
    put(depot, "a.txt")
    with depot.reading("a/b/c.bin") as handle:
        assert handle.read() == content
    assert depot.names() == ("a.txt", "a/b/c.bin")
    assert depot.below("a").names() == ("b/c.bin",)
    assert depot.exists("a.txt")
    assert not depot.exists("a")
    assert make().below("none").names() == ()


def test_depot_replaces_and_deletes_whole_files(make: Make) -> None:
    depot = make()
    put(depot, "a", b"old")
    put(depot, "a", b"new")
    with depot.reading("a") as handle:
        assert handle.read() == b"new"
    depot.delete(["a", "never"])
    depot.delete([])
    assert depot.names() == ()
    with pytest.raises(FileNotFoundError, match="a"):
        depot.reading("a")


def test_depot_of_a_write_that_fails_keeps_what_was_there(make: Make) -> None:
    depot = make()
    put(depot, "a", b"old")

    def fill() -> None:
        with depot.writing("a") as handle:
            handle.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fill()
    with depot.reading("a") as handle:
        assert handle.read() == b"old"
    assert depot.names() == ("a",)


def test_depot_travels_and_a_bucket_carries_no_credentials(make: Make) -> None:
    depot = make()
    packed = pickle.dumps(depot)
    assert pickle.loads(packed) == depot
    assert objectstore.SECRET.encode() not in packed


def test_bucket_lists_files_and_folders_apart(store: objectstore.Server, tmp_path: Path) -> None:
    place = store.place()
    (tmp_path / "file").write_bytes(b"x")
    for number in range(110):  # more than are deleted by one request
        place.put(f"{number % 3}/{number:05d}", b"")
    place.put("2/more/deep", tmp_path / "file")
    place.copy("2/more/deep", "top")
    assert len(place.names()) == 112
    assert place.folders() == ("0", "1", "2")
    assert place.below("2").folders() == ("more",)
    assert abs(place.listed()["top"].changed - datetime.now(UTC)) < timedelta(hours=1)
    assert place.listed()["top"].size == 1
    place.delete(place.names())
    assert place.names() == ()


@pytest.mark.parametrize("odd", ["../x", "..", "a/../../x", "./x", "/x", "a//x"])
def test_bucket_with_a_name_that_no_file_can_have_says_which_in_one_line(store: objectstore.Server, odd: str) -> None:
    place = store.place()
    place.put("a/good", b"")
    store.put_as_is(f"{place.prefix}/{odd}")
    line = rf"^{place}: cannot be listed \(no file can be named like its object '{place.prefix}/{odd}'\); delete that"
    with pytest.raises(StateError, match=line):
        place.names()
    assert place.below("b").names() == ()
    assert place.exists("a/good")


def test_folder_among_names_that_no_file_can_have_is_refused_in_one_line(store: objectstore.Server) -> None:
    place = store.place()
    store.put_as_is(f"{place.prefix}/../x")
    with pytest.raises(StateError, match=rf"^{place}: cannot be listed \(no file can be named like its object "):
        place.folders()


def test_bucket_leaves_out_the_object_that_stands_for_its_folder(store: objectstore.Server) -> None:
    place = store.place().below("edited")
    place.put("a.gpkg", b"")
    store.put_as_is(f"{place.prefix}/")
    assert place.names() == ("a.gpkg",)


def test_bucket_that_does_not_answer_is_one_line_when_it_is_listed(store: objectstore.Server) -> None:
    with pytest.raises(
        StateError, match=r"^s3://nobodys/\S*: cannot be listed \(no such bucket \(NoSuchBucket\)\); check"
    ):
        replace(store.place(), bucket="nobodys").names()


def test_check_leaves_nothing_behind(store: objectstore.Server) -> None:
    place = store.place()
    place.check("state")
    assert place.names() == ()


def test_check_by_several_processes_at_once_disturbs_none(store: objectstore.Server) -> None:
    place = store.place()
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        assert [asked.result() for asked in [pool.submit(place.check, "state") for _ in range(24)]] == [None] * 24
    assert place.names() == ()


def test_check_wrong_bucket_is_one_line(store: objectstore.Server) -> None:
    place = replace(store.place(), bucket="nobodys")
    with pytest.raises(ConfigError, match=r"^state: s3://nobodys/\S* at http://\S+: no such bucket; check its URL"):
        place.check("state")
    with pytest.raises(WriteError, match=r"^s3://nobodys/\S*/a: cannot be written \(no such bucket\)"):
        place.put("a", b"")


@pytest.mark.parametrize(("name", "value"), [("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ACCESS_KEY_ID", "nobody")])
def test_check_wrong_credentials_are_one_line(
    store: objectstore.Server, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=r"^out: s3://\S+ at http://\S+: the credentials are refused \(\w+\); check"):
        store.place().check("out")


def test_check_without_credentials_asks_nobody(store: objectstore.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(ConfigError, match=r"no credentials: AWS_ACCESS_KEY_ID is not set"):
        store.place().check("out")


def test_check_wrong_endpoint_is_one_line(store: objectstore.Server) -> None:
    with pytest.raises(ConfigError, match=r"^state: s3://\S+ at http://127\.0\.0\.1:1: does not answer; check"):
        replace(store.place(), endpoint="http://127.0.0.1:1").check("state")


@pytest.mark.parametrize("url", ["s3:/bucket", "s3://", "s3://B/x", "s3://a_b/x", "https://bucket"])
def test_parsed_refuses_what_names_no_bucket(url: str) -> None:
    with pytest.raises(ConfigError, match="is not like s3://bucket/prefix"):
        bucket.parsed(url)


def test_parsed_takes_slashes_off_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert bucket.parsed("s3://ab.c/x/y/") == Bucket("ab.c", "x/y", "", "us-east-1")
    assert str(bucket.parsed("s3://ab.c")) == "s3://ab.c"


def test_answers_only_where_the_store_is_and_to_the_right_keys(
    store: objectstore.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = store.place()
    assert place.answers()
    assert not replace(place, endpoint="http://127.0.0.1:1").answers()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert not place.answers()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert not place.answers()
