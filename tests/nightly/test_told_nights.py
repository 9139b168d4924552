"""Whole nights on the planted world, told to a real mail server and a real webhook."""

import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline import cli
from pipeline.nightly import run
from pipeline.nightly.telling import Sent
from tests import objectstore
from tests.nightly.planted import World
from tests.notify.servers import Hook, Mail

AOI = "planted-world"
MakeHome = Callable[..., run.Home]


def tell(place: run.Home, **addresses: str) -> None:
    lines = "\n".join(f'{name} = "{url}"' for name, url in addresses.items())
    text = f'base_url = "https://maps.example.org"\n[groups.desk]\naois = ["{AOI}"]\n[groups.desk.addresses]\n{lines}\n'
    (place.configs / "notify.toml").write_text(text)


def news_of(place: run.Home, night: date) -> dict[str, set[str]]:
    """What a night has published as new and as confirmed, by id, from its file and that of the night before."""
    before = {
        name: status
        for old in sorted(place.out.glob("2*"))
        if old.name < night.isoformat()
        for name, status in read(old)
    }
    now = dict(read(place.out / night.isoformat()))
    confirmed = {name for name, status in now.items() if status == "confirmed" and before.get(name) != "confirmed"}
    return {"new": now.keys() - before.keys() - confirmed, "confirmed": confirmed}


def read(night: Path) -> list[tuple[str, str]]:
    features = json.loads((night / AOI / "alerts.geojson").read_text())["features"]
    return [(each["properties"]["alert_id"], each["properties"]["status"]) for each in features]


def told(post: dict[str, Any]) -> dict[str, set[str]]:
    alerts = post["digest"]["alerts"]
    return {what: {alert["alert_id"] for alert in alerts if alert["what"] == what} for what in ("new", "confirmed")}


@pytest.mark.slow
def test_nights_tell_what_they_publish_once_and_a_replay_tells_nobody(
    world: World, make_home: MakeHome, local: run.Options, mail: Mail, hook: Hook, tmp_path: Path
) -> None:
    place = make_home()
    tell(place, mail=mail.url(), hook=hook.url())
    for number, night in enumerate(world.nights[:2]):
        report = run.nightly(place, night, local)
        assert report.exit_code == 0
        assert [sent.to for sent in report.told] == ["desk/mail", "desk/hook"]
        assert told(hook.received[number]) == news_of(place, night)
    assert told(hook.received[0])["new"]
    assert told(hook.received[1])["confirmed"]
    assert [letter["Subject"] for letter in mail.received] == [post["title"] for post in hook.received]
    facts = place.out / world.nights[1].isoformat() / AOI / "run.json"
    first = json.loads(facts.read_text())
    assert {notice["state"] for notice in first["notices"]} == {"told"}
    assert run.nightly(place, world.nights[1], local).told == ()
    again = json.loads(facts.read_text())
    del first["timings"], again["timings"]
    assert again == first
    words = ["--from", str(world.nights[0]), "--to", str(world.nights[0]), "--catalog", str(world.items)]
    where = ["--home", str(place.folder), "--out", str(tmp_path / "replay"), "--workers", "0"]
    assert CliRunner().invoke(cli.app, ["replay", *words, *where]).exit_code == 0
    assert (len(mail.received), len(hook.received)) == (2, 2)


def test_nightly_command_that_cannot_tell_delivers_ends_with_1_and_shows_no_secret(
    world: World, make_home: MakeHome, hook: Hook, heard: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_home()
    monkeypatch.setenv("VANWATCH_HOOK", hook.url("s3cr3t", "me:hunter2@"))
    tell(place, gone="json://me:hunter2@127.0.0.1:1/s3cr3t", hook="${VANWATCH_HOOK}")
    # no scene is older: the only news is that the catalogue is silent
    words = ["nightly", "--home", str(place.folder), "--as-of", "2019-01-01", "--workers", "0"]
    shown = CliRunner().invoke(cli.app, [*words, "--catalog", str(world.items)])
    assert shown.exit_code == 1
    assert "desk/gone: not told: " in shown.output
    assert "desk/hook: told 1" in shown.output
    assert hook.received[0]["title"] == "Vanwatch desk 2019-01-01: 1 area became silent"
    written = (place.out / "2019-01-01" / AOI / "run.json").read_text()
    assert json.loads(written)["not_told"][0].startswith("desk/gone: ")
    for text in (shown.output, heard.getvalue(), written):
        assert "s3cr3t" not in text
        assert "hunter2" not in text
    quiet = CliRunner().invoke(cli.app, [*words, "--catalog", str(world.items), "--no-notify"])
    assert quiet.exit_code == run.ALARM


def test_night_in_an_object_store_says_there_who_was_told_and_who_was_not(
    world: World, make_home: MakeHome, local: run.Options, store: objectstore.Server, hook: Hook
) -> None:
    folder = make_home().folder
    (folder / "configs" / "deployment.toml").write_text(f'out = "{store.place()}/out"\n')
    place = run.home(folder)
    assert place.out_bucket is not None
    tell(place, gone="json://127.0.0.1:1/x", hook=hook.url())
    for _ in range(2):  # the second time, only one is left to tell
        run.nightly(place, date(2019, 1, 1), local)
        with place.out_bucket.reading(f"2019-01-01/{AOI}/run.json") as handle:
            facts = json.load(handle)
        told = [(notice["to"], notice["state"]) for notice in facts["notices"]]
        assert told == [("desk/gone", "owed"), ("desk/hook", "told")]
        assert facts["not_told"][0].startswith("desk/gone: ")
        with place.out_bucket.reading(f"latest/{AOI}/run.json") as handle:
            assert json.load(handle) == facts


def test_nightly_wrong_notification_is_refused_before_anything_is_made(
    world: World, make_home: MakeHome, local: run.Options
) -> None:
    place = make_home()
    tell(place, hook="slak://x")
    with pytest.raises(run.ConfigError, match=r"notify\.toml: groups\.desk\.addresses\.hook: Apprise cannot use it"):
        run.nightly(place, world.nights[0], local)
    assert not place.state.exists()


def test_night_of_a_silent_catalogue_tells_it_once(
    world: World, make_home: MakeHome, local: run.Options, hook: Hook
) -> None:
    place = make_home()
    tell(place, hook=hook.url())
    assert run.nightly(place, date(2019, 1, 1), local).told == (Sent("desk/hook", 1),)
    assert run.nightly(place, date(2019, 1, 2), local).told == ()
    assert [post["type"] for post in hook.received] == ["warning"]
