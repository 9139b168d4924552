from pathlib import Path

import pytest

from pipeline import deployment
from pipeline.bucket import Bucket
from pipeline.errors import ConfigError
from pipeline.ledger import database
from pipeline.nightly import run


def written(home: Path, text: str) -> Path:
    (home / "configs").mkdir()
    (home / "configs" / "deployment.toml").write_text(text)
    return home


def test_load_without_a_file_is_the_home(tmp_path: Path) -> None:
    place = run.home(tmp_path)
    assert (place.state, place.out) == (tmp_path / "state", tmp_path / "out")
    assert place.ledger == database.default_url(tmp_path / "state")


def test_load_every_key_moves_something(tmp_path: Path) -> None:
    place = run.home(written(tmp_path, 'state = "/data/s"\nout = "file:///data/o"\ndatabase = "sqlite:///db/x.db"'))
    assert (place.state, place.out) == (Path("/data/s"), Path("/data/o"))
    assert database.file_of(place.ledger) == tmp_path / "db" / "x.db"


def test_load_urls_of_an_object_store_leave_a_folder_for_the_lock_and_for_building(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = 'state = "s3://nights/a/state/"\nout = "s3://nights"\ndatabase = "postgresql://h/n"\n[object_store]\n'
    home = written(tmp_path, text + 'endpoint = "https://store.example"\nregion = "eu-x"')
    place = run.home(home)
    assert place.state_bucket == Bucket("nights", "a/state", "https://store.example", "eu-x")
    assert place.out_bucket == Bucket("nights", "", "https://store.example", "eu-x")
    assert (place.state, place.out) == (tmp_path / "state", tmp_path / "state" / "outgoing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000/")
    monkeypatch.setenv("AWS_REGION", "eu-y")
    assert run.home(home).out_bucket == Bucket("nights", "", "http://127.0.0.1:9000", "eu-y")


def test_load_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = written(tmp_path, 'database = "postgresql://one/x"')
    assert deployment.load(home).database == "postgresql://one/x"
    monkeypatch.setenv("VANWATCH_DATABASE", "postgresql://two/x")
    assert deployment.load(home).database == "postgresql://two/x"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('states = "x"', "deployment.toml: states: unknown key; did you mean 'state'"),
        ('state = "ftp://host/x"', "deployment.toml: state: ftp:// is not known; give a folder, file:// or s3://"),
        ('out = "s3://B/x"', "deployment.toml: out: s3://B/x: is not like s3://bucket/prefix"),
        ('state = "s3://bucket/x"', "deployment.toml: state: s3://bucket/x cannot hold the ledger; set database to"),
        (
            'out = "s3://bucket"\nobject_store.endpoint = "store:9000"',
            "deployment.toml: out: store:9000: an object store's endpoint is like https://store.example:9000",
        ),
        ("state = 3", "deployment.toml: state"),
    ],
)
def test_load_wrong_values_name_file_and_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        deployment.load(written(tmp_path, text))
    assert words in str(told.value)
