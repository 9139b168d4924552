"""Who is told what, when and how often: with a real mail server and a real webhook, without pixels."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import cli, demo
from pipeline.depot import Folder
from pipeline.errors import ConfigError
from pipeline.ledger import database
from pipeline.ledger.database import Database
from pipeline.ledger.manifest import News
from pipeline.ledger.nights import Books
from pipeline.nightly import news, notify, run, telling, watched
from pipeline.nightly.telling import Sent
from pipeline.notify.groups import Groups
from tests.ledger.planted import WINDOW, a_night, day
from tests.ledger.planted import record as alert_record
from tests.notify.servers import Hook, Mail
from tests.publish.test_digest import BLIND, CAMP

REPO = Path(__file__).parents[2]
AOI = "hills"
SHAPE = {"type": "Polygon", "coordinates": [[[80.0, 19.9], [80.1, 19.9], [80.1, 20.0], [80.0, 20.0], [80.0, 19.9]]]}
PROPERTIES = {"id": AOI, "name": "The hidden valley", "profile": "demo"}


@dataclass
class Desk:
    """A home with one AOI, whose nights are committed by hand."""

    place: run.Home
    status: str = "possible"

    def write(self, **addresses: str) -> None:
        """Who is told, by name of address."""
        lines = "\n".join(f'{name} = "{url}"' for name, url in addresses.items())
        text = f'timeout_s = 20\n[groups.desk]\naois = ["{AOI}"]\n[groups.desk.addresses]\n{lines}\n'
        (self.place.configs / "notify.toml").write_text(text)

    @property
    def groups(self) -> Groups:
        return telling.groups_of(self.place.aois, self.place.configs)

    @contextmanager
    def ledger(self) -> Iterator[Database]:
        self.place.state.mkdir(exist_ok=True)
        with database.opened(self.place.ledger) as found:
            yield found

    def commit(self, number: int, *happened: News) -> None:
        """A night after which one alert stands, and what happened in it is owed."""
        with self.ledger() as ledger:
            books = Books(ledger, AOI)
            before = books.load(day(number), scenes_since=day(number) - WINDOW)
            (aoi,) = watched.aois(self.place.aois, self.place.configs, ())
            done = a_night(before, number, owed=news.owed(self.groups.groups, aoi, happened))
            done.after.alerts[0].update(alert_record("VW-CAMP", status=self.status))
            books.commit(before, done)

    def tell(self, number: int) -> tuple[Sent, ...]:
        with self.ledger() as ledger:
            return telling.tell(ledger, self.groups, day(number))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    place = demo.prepare(tmp_path / "home")
    feature = {"type": "Feature", "properties": PROPERTIES, "geometry": SHAPE}
    (place.aois / "hills.geojson").write_text(json.dumps(feature))
    return Desk(place)


NEW = News("new", "VW-CAMP", CAMP | {"status": "possible", "confirmed_on": None})
CONFIRMED = News("confirmed", "VW-CAMP", CAMP)


def test_one_digest_to_mail_and_webhook_and_the_same_night_again_tells_nobody(
    desk: Desk, mail: Mail, hook: Hook
) -> None:
    desk.write(mail=mail.url(), hook=hook.url())
    desk.commit(0, NEW, News("blind", day(0).isoformat(), BLIND))
    assert desk.tell(0) == (Sent("desk/mail", 2), Sent("desk/hook", 2))
    (letter,), (posted,) = mail.received, hook.received
    title = "Vanwatch desk 2026-01-01: 1 new; 1 area became blind"
    assert (letter["Subject"], posted["title"]) == (title, title)
    plain, rich = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert rich is not None
    for text in (plain.get_content(), rich.get_content(), posted["message"]):
        assert "VW-CAMP" in text
        assert "2026-01-01/hills/report.html" in text
        assert "a lead for a person to check, never a finding" in text
        assert "hidden" not in text
        assert "80.1" not in text
    assert [alert["alert_id"] for alert in posted["digest"]["alerts"]] == ["VW-CAMP"]
    desk.commit(0, NEW, News("blind", day(0).isoformat(), BLIND))
    assert desk.tell(0) == ()
    assert (len(mail.received), len(hook.received)) == (1, 1)


def test_d30_night_without_news_sends_nothing(desk: Desk, mail: Mail) -> None:
    desk.write(mail=mail.url())
    desk.commit(0)
    assert desk.tell(0) == ()
    assert mail.received == []


def test_new_and_confirmed_are_told_once_each(desk: Desk, hook: Hook) -> None:
    desk.write(hook=hook.url())
    for number, happened in enumerate(((NEW,), (), (CONFIRMED,), ())):
        desk.commit(number, *happened)
        desk.tell(number)
    assert [post["title"] for post in hook.received] == [
        "Vanwatch desk 2026-01-01: 1 new",
        "Vanwatch desk 2026-01-03: 1 confirmed",
    ]


def test_address_that_fails_is_tried_with_the_next_night_and_the_others_are_told_at_once(
    desk: Desk, mail: Mail, hook: Hook
) -> None:
    desk.write(hook=hook.url(), mail=mail.url())
    hook.status = 503
    desk.commit(0, NEW)
    failed, sent = desk.tell(0)
    assert (failed.to, failed.notices, sent) == ("desk/hook", 1, Sent("desk/mail", 1))
    assert "503" in failed.error
    hook.status = 200
    desk.commit(1, CONFIRMED)
    assert desk.tell(1) == (Sent("desk/hook", 2), Sent("desk/mail", 1))
    (late,) = hook.received
    assert late["title"] == "Vanwatch desk 2026-01-02: 1 confirmed"
    assert "1 of this could not be told on its own night" in late["message"]
    assert len(mail.received) == 2


def test_alert_that_was_dismissed_before_an_address_came_back_is_not_told(desk: Desk, hook: Hook) -> None:
    desk.write(hook=hook.url())
    hook.status = 503
    desk.commit(0, NEW)
    desk.tell(0)
    hook.status, desk.status = 200, "dismissed"
    desk.commit(1)
    assert desk.tell(1) == ()
    assert hook.received == []


def test_run_killed_between_sending_and_committing_tells_nobody_twice_and_says_so(desk: Desk, mail: Mail) -> None:
    desk.write(mail=mail.url())
    desk.commit(0, NEW)
    command = [sys.executable, "tests/nightly/cut_off.py", str(desk.place.folder)]
    killed = subprocess.run(command, cwd=REPO, env=os.environ | {"PYTHONPATH": str(REPO)}, check=False)
    assert killed.returncode == -9
    assert len(mail.received) == 1
    (doubt,) = desk.tell(1)
    assert (doubt.to, doubt.notices) == ("desk/mail", 1)
    assert "cut off while it sent this" in doubt.error
    desk.commit(1, NEW)
    assert desk.tell(1) == ()
    assert len(mail.received) == 1
    assert notify.send(desk.place, desk.groups, again=True) == (Sent("desk/mail", 1),)
    assert len(mail.received) == 2


def test_new_address_is_told_of_what_comes_and_a_removed_one_is_owed_nothing(
    desk: Desk, mail: Mail, hook: Hook
) -> None:
    desk.write(hook=hook.url())
    hook.status = 503
    desk.commit(0, NEW)
    desk.tell(0)
    desk.write(mail=mail.url())
    assert desk.tell(0) == ()
    hook.status = 200
    desk.write(hook=hook.url(), mail=mail.url())
    assert desk.tell(0) == ()
    assert (mail.received, hook.received) == ([], [])


def test_note_says_in_run_json_who_was_told_and_who_was_not_and_no_address(desk: Desk, mail: Mail, hook: Hook) -> None:
    desk.write(hook=hook.url("s3cr3t-token", "me:hunter2@"), mail=mail.url())
    hook.status = 500
    desk.commit(0, NEW)
    folder = desk.place.out / "night"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"aoi": "hills"}')
    sent = desk.tell(0)
    with desk.ledger() as ledger:
        telling.note(ledger, Folder(folder), AOI, day(0), sent)
        written = (folder / "run.json").read_bytes()
        telling.note(ledger, Folder(folder), AOI, day(0), sent)
    assert (folder / "run.json").read_bytes() == written
    facts = json.loads(written)
    assert [(told["to"], told["state"], told["told_on"]) for told in facts["notices"]] == [
        ("desk/hook", "owed", None),
        ("desk/mail", "told", "2026-01-01"),
    ]
    assert facts["not_told"] == [f"desk/hook: {sent[0].error}"]
    assert b"s3cr3t" not in written
    assert b"hunter2" not in written


def test_nothing_that_is_kept_or_logged_holds_a_secret(
    desk: Desk,
    hook: Hook,
    heard: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VANWATCH_HOOK", hook.url("s3cr3t-token", "me:hunter2@"))
    desk.write(hook="${VANWATCH_HOOK}", gone="json://me:hunter2@127.0.0.1:1/s3cr3t-token")
    desk.commit(0, NEW)
    sent = desk.tell(0)
    assert [bool(each.error) for each in sent] == [False, True]
    assert hook.paths == ["/s3cr3t-token"]
    kept = [path.read_bytes() for path in desk.place.folder.rglob("*") if path.is_file() and path.suffix != ".toml"]
    assert len(kept) > 1
    for secret in ("s3cr3t", "hunter2"):
        assert secret not in heard.getvalue() + repr(sent)
        assert not any(secret.encode() in each for each in kept)
    assert "desk/gone: not told" in heard.getvalue()


def test_drafts_show_what_would_be_sent_and_change_nothing(desk: Desk, mail: Mail) -> None:
    desk.write(mail=mail.url())
    assert notify.drafts(desk.place, desk.groups) == ()
    assert not desk.place.state.exists()
    desk.commit(0, NEW)
    (draft,) = notify.drafts(desk.place, desk.groups)
    assert (draft.to, draft.title) == ("desk/mail", "Vanwatch desk 2026-01-01: 1 new")
    assert notify.drafts(desk.place, desk.groups) == (draft,)
    assert mail.received == []
    assert notify.send(desk.place, desk.groups) == (Sent("desk/mail", 1),)
    assert mail.received[0]["Subject"] == draft.title


def test_try_out_reaches_the_address_and_counts_as_nothing(desk: Desk, mail: Mail, hook: Hook) -> None:
    desk.write(mail=mail.url(), hook=hook.url())
    assert notify.try_out(desk.groups, only="desk/hook") == (Sent("desk/hook", 0),)
    assert hook.received[0]["digest"] == {"test": True}
    assert mail.received == []
    assert not desk.place.state.exists()


def command(desk: Desk, *words: str) -> tuple[int, str]:
    shown = CliRunner().invoke(cli.app, ["notify", "--home", str(desk.place.folder), *words])
    return shown.exit_code, shown.stdout


def test_notify_command_shows_tries_and_sends(desk: Desk, hook: Hook) -> None:
    desk.write(hook=hook.url())
    assert command(desk, "--dry-run") == (0, "nothing is owed\n")
    desk.commit(0, NEW)
    code, shown = command(desk, "--dry-run")
    assert (code, hook.received) == (0, [])
    assert shown.startswith("to desk/hook: Vanwatch desk 2026-01-01: 1 new\n")
    assert command(desk, "--test", "--to", "desk") == (0, "desk/hook: told\n")
    hook.status = 500
    code, shown = command(desk)
    assert (code, shown.startswith("desk/hook: not told: ")) == (1, True)
    hook.status = 200
    assert command(desk) == (0, "desk/hook: told 1\n")
    assert json.loads(command(desk, "--json")[1]) == []
    assert [post["title"] for post in hook.received] == [
        "Vanwatch desk: a test",
        "Vanwatch desk 2026-01-01: 1 new",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--to", "desk/post"], "--to desk/post: no such group or address; there are: desk/hook"),
        (["--test", "--dry-run"], "--test: goes with neither"),
    ],
)
def test_notify_command_wrong_options_say_what_to_do(desk: Desk, hook: Hook, words: list[str], told: str) -> None:
    desk.write(hook=hook.url())
    shown = CliRunner().invoke(cli.app, ["notify", "--home", str(desk.place.folder), *words])
    assert isinstance(shown.exception, ConfigError)
    assert told in str(shown.exception)


def test_notify_command_without_groups_says_where_to_write_them(desk: Desk) -> None:
    shown = CliRunner().invoke(cli.app, ["notify", "--home", str(desk.place.folder)])
    assert isinstance(shown.exception, ConfigError)
    assert "configs/notify.toml: names no group; docs/notification.md shows how" in str(shown.exception)
