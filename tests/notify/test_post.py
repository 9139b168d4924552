import io
import subprocess
import sys

import pytest

from pipeline.notify import post
from pipeline.notify.post import Message
from tests import postgres
from tests.notify.servers import Hook, Mail

MESSAGE = Message("2 new", "plain <b>, näive", "<p>rich &lt;b&gt;, näive</p>", {"new": [1, {"a": None}]}, urgent=True)


def test_send_mail_has_title_rich_text_and_a_plain_part(mail: Mail) -> None:
    assert post.send(mail.url(), MESSAGE, timeout_s=30) == ""
    (found,) = mail.received
    assert (found["Subject"], mail.to) == ("2 new", ["desk@example.org"])
    rich, plain = found.get_body(("html",)), found.get_body(("plain",))
    assert rich is not None
    assert plain is not None
    assert "<p>rich &lt;b&gt;, näive</p>" in rich.get_content()
    assert plain.get_content().strip() == "rich <b>, näive"


def test_send_mail_that_asks_for_text_is_plain(mail: Mail) -> None:
    assert post.send(mail.url() + "&format=text", MESSAGE, timeout_s=30) == ""
    assert mail.received[0].get_content_type() == "text/plain"
    assert mail.received[0].get_content().strip() == "plain <b>, näive"


def test_send_mail_logs_in_as_the_docs_say(mail: Mail) -> None:
    url = f"mailto://vanwatch%40example.org:hunt%40r2@127.0.0.1:{mail.port}/?from=vanwatch@example.org&to=duty@example.org"
    assert post.send(url, MESSAGE, timeout_s=30) == ""
    assert mail.users == [("vanwatch@example.org", "hunt@r2")]
    assert mail.to == ["duty@example.org"]


def test_send_webhook_gets_text_and_the_digest_for_programs(hook: Hook) -> None:
    assert post.send(hook.url("a/b"), MESSAGE, timeout_s=30) == ""
    (found,) = hook.received
    assert (found["title"], found["message"], found["type"]) == ("2 new", "plain <b>, näive", "warning")
    assert found["digest"] == {"new": [1, {"a": None}]}
    assert hook.paths == ["/a/b"]


def test_send_what_is_not_urgent_is_for_information(hook: Hook) -> None:
    assert post.send(hook.url(), Message("t", "b", "b", {}, urgent=False), timeout_s=30) == ""
    assert hook.received[0]["type"] == "info"


def test_send_refused_says_why_and_no_secret(
    mail: Mail, hook: Hook, heard: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    hook.status, mail.refuse = 500, True
    gone = postgres.free_port()
    told = [
        post.send(hook.url("services/s3cr3t-token?key=qu3ry", "me:hunter2@"), MESSAGE, timeout_s=30),
        post.send(mail.url("h1dden@example.org"), MESSAGE, timeout_s=30),
        post.send(f"json://me:hunter2@127.0.0.1:{gone}/s3cr3t-token", MESSAGE, timeout_s=30),
    ]
    assert "500" in told[0]
    assert all(told)
    everything = [*told, heard.getvalue(), *capfd.readouterr()]
    for secret in ("hunter2", "s3cr3t", "qu3ry", "h1dden"):
        assert not any(secret in text for text in everything)


def test_send_silence_is_given_up(hook: Hook) -> None:
    hook.wait_s = 2.0
    assert post.send(hook.url(), MESSAGE, timeout_s=0.3) != ""


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3cr3t", "is no URL"),
        ("slak://s3cr3t", "Apprise cannot use it as slak://"),
        ("slack://s3cr3t", "Apprise cannot use it as slack://"),
        ("mailto://s3cr3t", "Apprise cannot use it as mailto://"),
        ("json://a/s3cr3t, json://b/", "several addresses"),
    ],
)
def test_check_wrong_address_says_what_and_not_the_address(
    url: str, words: str, heard: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    told = post.check(url)
    assert words in told
    assert not any("s3cr3t" in text for text in (told, heard.getvalue(), *capfd.readouterr()))


@pytest.mark.parametrize(
    "url",
    [
        "mailtos://me:word@example.org?to=desk@example.org",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alerts",
        "matrixs://me:word@matrix.example.org/!room:example.org",
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
        "jsons://me:word@hooks.example.org/vanwatch",
    ],
)
def test_check_knows_the_services_of_the_docs(url: str) -> None:
    assert post.check(url) == ""


def test_scrubbed_text_of_chat_services_hides_what_stands_in_the_hosts_place() -> None:
    url = "slack://T0KENA/T0KENB/%41BC/#room"
    assert post.scrubbed("to T0KENA and ABC of T0KENB", url) == "to *** and *** of ***"
    assert post.scrubbed("no route to mail.org", "mailtos://me:word@mail.org") == "no route to mail.org"


def test_apprise_is_imported_only_where_something_is_sent() -> None:
    code = "import sys; import pipeline.cli, pipeline.nightly.run, pipeline.watch; sys.exit('apprise' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
