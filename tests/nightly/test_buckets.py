"""Nights whose state and results lie in a real object store: the same as in folders, whatever the moment of a kill."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import cli
from pipeline.bucket import Bucket
from pipeline.errors import ConfigError, InputError
from pipeline.ledger import database
from pipeline.ledger.nights import Books
from pipeline.nightly import run
from tests import objectstore
from tests.nightly.planted import World, left
from tests.nightly.test_crash import killer
from tests.nightly.test_typed import type_in

AOI = "planted-world"
SAME = ("alerts.geojson", "changes.geojson", "alerts.gpkg", "change.tif", "before.tif", "after.tif", "seen.tif")


@dataclass(frozen=True)
class Remote:
    """Homes that share nothing but URLs."""

    place: Bucket
    make: Callable[[], run.Home]
    """Makes a new home, empty but for AOI and configuration."""


def content(place: Bucket, name: str) -> bytes:
    with place.reading(name) as handle:
        return handle.read()


def refused(command: list[str]) -> str:
    """The one line with which a command refuses wrong input."""
    told = CliRunner().invoke(cli.app, command).exception
    assert isinstance(told, InputError)
    assert "\n" not in str(told)
    return str(told)


def out_of(home: run.Home) -> Bucket:
    assert home.out_bucket is not None
    return home.out_bucket


@pytest.fixture
def remote(store: objectstore.Server, make_world_home: Callable[[Path], run.Home], tmp_path: Path) -> Remote:
    place, ledger, number = store.place(), tmp_path / "ledger" / "nights.db", iter(range(100))
    ledger.parent.mkdir()

    def make() -> run.Home:
        home = make_world_home(tmp_path / f"home{next(number)}")
        (home.configs / "deployment.toml").write_text(
            f'state = "{place}/state"\nout = "{place}/out"\ndatabase = "sqlite:///{ledger}"\n'
        )
        return run.home(home.folder)

    return Remote(place, make)


def test_two_nights_from_two_empty_homes_give_what_folders_give_to_the_byte(
    world: World, watched: run.Home, remote: Remote, local: run.Options
) -> None:
    for night in world.nights[:2]:
        home = remote.make()
        report = run.nightly(home, night, local)
        assert report.exit_code == 0
        (told,) = report.nights
        assert (told.folder, told.url) == (None, f"{remote.place}/out/{night}/{AOI}")
        assert not home.out.exists()
        assert not (home.state / AOI).exists()
    out = out_of(home)
    assert out.folders() == (*(night.isoformat() for night in world.nights[:2]), "collections", "latest")
    for night in world.nights[:2]:
        mine, theirs = out.below(f"{night}/{AOI}"), watched.out / night.isoformat() / AOI
        assert mine.names() == tuple(
            sorted(path.relative_to(theirs).as_posix() for path in theirs.rglob("*") if path.is_file())
        )
        assert [name for name in SAME if content(mine, name) != (theirs / name).read_bytes()] == []
    latest = out.below(f"latest/{AOI}")
    assert latest.names() == mine.names()
    assert json.loads(content(latest, "run.json"))["as_of"] == world.nights[1].isoformat()
    assert content(latest, "alerts.geojson") == content(mine, "alerts.geojson")
    assert content(out, "index.html").count(b"report.html") >= 2
    assert (
        len(
            [
                link
                for link in json.loads(content(out, f"collections/{AOI}/collection.json"))["links"]
                if link["rel"] == "item"
            ]
        )
        == 2
    )
    named = set(left(home).tiles.values())
    arrays = home.store(AOI).arrays
    assert named < set(arrays.names())  # and those of the night before
    assert home.store(AOI).crops.names() == ()


def test_verify_status_and_accuracy_read_from_the_object_store(
    world: World, remote: Remote, local: run.Options, tmp_path: Path
) -> None:
    home = remote.make()
    run.nightly(home, world.nights[0], local)
    packs = [name.split("/") for name in out_of(home).names() if name.endswith("/manifest.json") and name[0] == "2"]
    where = ["--home", str(home.folder)]
    shown = CliRunner().invoke(cli.app, ["verify", packs[0][3], *where])
    assert shown.exit_code == 0, shown.output
    assert f"in {remote.place}/out/{world.nights[0]}/{AOI}/evidence/{packs[0][3]}" in shown.output
    assert "no evidence pack in s3://" in refused(["verify", "VW-AAAAAAAA", *where])
    shown = CliRunner().invoke(cli.app, ["status", *where, "--as-of", world.nights[0].isoformat()])
    assert shown.exit_code == 0
    assert world.nights[0].isoformat() in shown.output
    few = ["--each", "3", "--elsewhere", "5", "--out", str(tmp_path / "sample.geojson"), *where]
    shown = CliRunner().invoke(cli.app, ["accuracy", "draw", AOI, *few])
    assert shown.exit_code == 0, shown.output
    assert json.loads((tmp_path / "sample.design.json").read_text())["night"] == world.nights[0].isoformat()
    assert "no published night of 'nowhere'" in refused(["accuracy", "draw", "nowhere", *few])
    assert "no published night of 2021-01-01" in refused(["accuracy", "draw", AOI, "--night", "2021-01-01", *few])
    out_of(home).delete([f"{world.nights[0]}/{AOI}/run.json"])
    shown = CliRunner().invoke(cli.app, ["verify", packs[0][3], *where])
    assert shown.exit_code == 0, shown.output
    assert "no run.json beside the pack" in shown.output


def test_status_tells_a_lost_ledger_and_needs_no_keys_before_the_first_night(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = remote.make()
    where = ["status", "--home", str(home.folder)]
    with home.store(AOI).depot.writing("committed"):
        pass
    told = refused(where)
    assert f"nights.db: knows no night of what lies in {remote.place}/state/{AOI}; restore the ledger" in told
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    shown = CliRunner().invoke(cli.app, where)
    assert (shown.exit_code, "none yet" in shown.output) == (0, True)


def test_verdict_in_a_geopackage_that_an_analyst_has_put_back_counts_on_the_next_night(
    world: World, remote: Remote, store: objectstore.Server, local: run.Options, tmp_path: Path
) -> None:
    home = remote.make()
    run.nightly(home, world.nights[0], local)
    out, file = out_of(home), tmp_path / "typed.gpkg"
    file.write_bytes(content(out, f"latest/{AOI}/alerts.gpkg"))
    with closing(sqlite3.connect(file)) as source:
        ((name,),) = source.execute("SELECT alert_id FROM alerts ORDER BY alert_id LIMIT 1").fetchall()
    type_in(
        file, name, verdict="dismissed", note="a quarry", verdict_by="asha", verdict_on=f"{world.nights[0]}T09:00:00Z"
    )
    out.put(f"edited/{AOI}/from asha.gpkg", file)
    store.put_as_is(f"{out.prefix}/edited/{AOI}/")  # a console's folders are objects too
    store.put_as_is(f"{out.prefix}/edited/{AOI}/from ravi/")
    assert run.nightly(home, world.nights[1], local).exit_code == 0
    (record,) = [alert for alert in left(home).alerts if alert["alert_id"] == name]
    assert (record["status"], record["note"]) == ("dismissed", "a quarry")


def test_night_beside_a_name_that_no_file_can_have_fails_in_one_line_and_keeps_what_is_there(
    world: World, remote: Remote, store: objectstore.Server, local: run.Options
) -> None:
    home = remote.make()
    store.put_as_is(f"{out_of(home).prefix}/edited/{AOI}/../x.gpkg")
    (night,) = run.nightly(home, world.nights[0], local).nights
    assert night.error.startswith(f"{out_of(home)}/edited/{AOI}: cannot be listed (no file can be named like its ")
    assert "a bug" not in night.error


def test_night_that_is_run_again_takes_its_manifest_away_until_it_is_whole(
    world: World, remote: Remote, local: run.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = remote.make()
    run.nightly(home, world.nights[0], local)
    out, night = out_of(home), f"{world.nights[0]}/{AOI}"
    out.put(f"{night}/left-over.txt", b"")
    first, seen, put = content(out, f"{night}/alerts.geojson"), [], Bucket.put

    def watching(self: Bucket, name: str, *args: object, **more: object) -> None:
        seen.append((name, out.exists(f"{night}/run.json")))
        put(self, name, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Bucket, "put", watching)
    assert run.nightly(home, world.nights[0], local).exit_code == 0
    night_files = [item for item in seen if item[0] in SAME]
    assert len(night_files) == len(SAME)
    assert not any(whole for _, whole in night_files)
    assert content(out, f"{night}/alerts.geojson") == first
    assert not out.exists(f"{night}/left-over.txt")
    assert out.exists(f"{night}/run.json")


@pytest.mark.slow
def test_driver_that_is_killed_leaves_the_last_whole_night_and_the_next_run_ends_the_same(
    world: World, watched: run.Home, remote: Remote
) -> None:
    home = remote.make()
    moments = ("committing 1", "sent 9", "sent 30", "committed 1", "sent 25", "committing 1", "sent 55")
    with killer(home, world) as kill:
        for moment in moments:
            before = last(home)
            if kill.until(moment) != ["killed"]:
                break
            assert before is None or last(home) in (before, *world.nights)
            check_whole(home, watched)
        assert kill.until("never 0")[0] == "done"
    check_whole(home, watched)
    assert last(home) == world.nights[2]
    out = out_of(home)
    assert json.loads(content(out, f"latest/{AOI}/run.json"))["as_of"] == world.nights[2].isoformat()
    arrays = home.store(AOI).arrays
    named = {left(home).tiles[key] for key in left(home).tiles}
    assert named < set(arrays.names())


def last(home: run.Home) -> object:
    with database.opened(home.ledger) as ledger:
        return Books(ledger, AOI).last()


def check_whole(home: run.Home, watched: run.Home) -> None:
    """Every night that has a `run.json` is the one that folders have, and the ledger's last night can be read."""
    out = out_of(home)
    for night in (name for name in out.folders() if name[0].isdigit()):
        if out.exists(f"{night}/{AOI}/run.json"):
            for name in SAME:
                expected = (watched.out / night / AOI / name).read_bytes()
                assert content(out, f"{night}/{AOI}/{name}") == expected, (night, name)
    there = set(home.store(AOI).arrays.names())
    assert set(left(home).tiles.values()) <= there


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wrong", "the credentials are refused"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "does not answer"),
        ("AWS_ENDPOINT_URL", "127.0.0.1:9000", "an object store's endpoint is like"),
    ],
)
def test_wrong_credentials_or_endpoint_are_one_line_and_change_nothing(
    world: World, remote: Remote, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    home = remote.make()
    monkeypatch.setenv(name, value)
    command = ["nightly", "--home", str(home.folder), "--as-of", world.nights[0].isoformat(), "--workers", "0"]
    assert words in refused([*command, "--catalog", str(world.items)])
    assert not home.state.exists()


def test_wrong_bucket_is_wrong_input(world: World, remote: Remote, local: run.Options) -> None:
    home = remote.make()
    text = (home.configs / "deployment.toml").read_text().replace("s3://nights/", "s3://nobodys/", 1)
    (home.configs / "deployment.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"^state: s3://nobodys/\S+ at \S+: no such bucket; check"):
        run.nightly(run.home(home.folder), world.nights[0], local)


def test_replay_to_an_object_store_is_refused_in_one_line(world: World, remote: Remote) -> None:
    home = remote.make()
    span = ["--from", "2022-03-01", "--to", "2022-03-01", "--out", "s3://nights/replay"]
    assert "lies in an object store; name a folder" in refused(["replay", *span, "--home", str(home.folder)])


def test_replay_beside_an_object_store_goes_to_a_folder_of_its_own(
    world: World, remote: Remote, watched: run.Home, tmp_path: Path
) -> None:
    home, day = remote.make(), world.nights[0].isoformat()
    span = ["--from", day, "--to", day, "--catalog", str(world.items), "--workers", "0", "--out", str(tmp_path / "r")]
    shown = CliRunner().invoke(cli.app, ["replay", *span, "--home", str(home.folder)])
    assert shown.exit_code == 0, shown.output
    mine, theirs = (place / day / AOI / "alerts.geojson" for place in (tmp_path / "r", watched.out))
    assert mine.read_bytes() == theirs.read_bytes()
    assert remote.place.names() == ()
