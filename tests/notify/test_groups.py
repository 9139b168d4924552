import re
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.notify import checks, groups
from pipeline.notify.groups import GroupSettings

AOIS = ("champhai-border", "kodagu-ghats")
SHIPPED = Path(__file__).parents[2] / "configs" / "notify.toml"
GOOD = """
base_url = "https://maps.example.org/vanwatch/"
timeout_s = 5
[groups.desk]
aois = ["kodagu-ghats"]
addresses = { mail = "mailto://me:${WORD}@example.org", hook = "${HOOK}" }
tell = ["confirmed"]
most = 3
names = true
coordinates = true
[groups.all]
aois = ["*"]
addresses = { hook = "json://127.0.0.1/x" }
"""
VALUES = {"WORD": "s3cr3t", "HOOK": "json://h/s3cr3t"}


def written(folder: Path, text: str) -> Path:
    (folder / "notify.toml").write_text(text)
    return folder


def test_load_without_a_file_tells_nobody(tmp_path: Path) -> None:
    assert groups.load(tmp_path, AOIS).groups == ()


def test_shipped_file_tells_nobody_and_its_examples_work(tmp_path: Path) -> None:
    assert groups.load(SHIPPED.parent, AOIS).groups == ()
    lines = [line.removeprefix("# ") for line in SHIPPED.read_text().splitlines()]
    text = "\n".join(line for line in lines if re.match(r"\w+ = |[a-z-]+ = |\[", line))
    aois = ("gadchiroli-forest", "kodagu-ghats")
    found = groups.load(written(tmp_path, text), aois, {"VANWATCH_MAIL": "mailto://x", "VANWATCH_MATRIX": "word"})
    (desk,) = found.groups
    assert [address.name for address in desk.addresses] == ["duty-officer", "room"]
    told = {**desk.settings.model_dump(), **{"aois": (), "addresses": {}}}
    usual = GroupSettings(aois=("x",), addresses={"x": "x"}).model_dump()
    assert told == {**usual, **{"aois": (), "addresses": {}}}
    assert found.timeout_s == groups.NOBODY.timeout_s


def test_load_every_key_is_read_and_variables_are_filled_in(tmp_path: Path) -> None:
    found = groups.load(written(tmp_path, GOOD), AOIS, VALUES)
    assert (found.base_url, found.timeout_s) == ("https://maps.example.org/vanwatch", 5.0)
    desk, everybody = found.groups
    assert [(a.shown, a.url) for a in desk.addresses] == [
        ("desk/mail", "mailto://me:s3cr3t@example.org"),
        ("desk/hook", "json://h/s3cr3t"),
    ]
    told = desk.settings
    assert (told.tell, told.most, told.names, told.coordinates) == (("confirmed",), 3, True, True)
    usual = everybody.settings
    assert (usual.tell, usual.most) == (("new", "confirmed", "blind", "silent"), 10)
    assert not usual.names
    assert not usual.coordinates
    assert (desk.watches("kodagu-ghats"), desk.watches("champhai-border")) == (True, False)
    assert everybody.watches("champhai-border")
    assert "s3cr3t" not in repr(found)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["kodagu-ghats"]', '["kodagu"]', "groups.desk.aois: 'kodagu' is not in aoi/; there are: champhai-border, "),
        ("${WORD}", "${W0RD}", "groups.desk.addresses.mail: W0RD is not set in the environment; set it"),
        ("${WORD}", "${WORD", "groups.desk.addresses.mail: a variable is written like ${VANWATCH_MAIL}"),
        ("most", "mosst", "groups.desk.mosst: unknown key; did you mean 'most'"),
        ('tell = ["confirmed"]', 'tell = ["grown"]', "groups.desk.tell.0: input should be 'new'"),
        ("[groups.all]", "[groups.All]", "groups.All.[key]: use lower-case letters"),
        ("https://maps", "ftp://maps", "base_url: must begin with http:// or https://"),
        ('{ hook = "json://127.0.0.1/x" }', '"json://s3cr3t"', "groups.all.addresses: must be an object with keys of"),
    ],
)
def test_load_mistakes_name_file_and_key_and_show_no_address(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        groups.load(written(tmp_path, GOOD.replace(old, new)), AOIS, VALUES)
    assert f"{tmp_path}/notify.toml: {words}" in str(told.value).splitlines()[0]
    assert "s3cr3t" not in str(told.value)


def test_checked_load_names_every_address_that_cannot_be_used(tmp_path: Path) -> None:
    text = '[groups.a]\naois = ["*"]\naddresses = { one = "slak://s3cr3t", two = "json://h/x", three = "s3cr3t" }'
    with pytest.raises(ConfigError) as told:
        checks.load(written(tmp_path, text), AOIS)
    one, three = str(told.value).splitlines()
    assert "groups.a.addresses.one: Apprise cannot use it as slak://" in one
    assert "groups.a.addresses.three: is no URL" in three
    assert "s3cr3t" not in str(told.value)
