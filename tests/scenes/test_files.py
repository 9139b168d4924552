"""What is said of a file that cannot be read; passing faults are tried in `test_blocks.py`."""

from pathlib import Path

import pytest

from pipeline import config
from pipeline.errors import ReadError
from pipeline.scenes import files

HREF = "s3://eodata/Sentinel-2/MSI/L2A/B02_10m.jp2"


def _told(href: str) -> str:
    with pytest.raises(ReadError) as caught:
        files.attempt(href, "", lambda _: None, rules=config.Read(attempts=1, retry_delay_s=0), count=lambda **_: None)
    return str(caught.value)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Without keys, on a machine of nobody's cloud; an object store that refuses every connection."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CPL_AWS_AUTODETECT_EC2", "NO")
    monkeypatch.setenv("AWS_S3_ENDPOINT", "127.0.0.1:1")
    monkeypatch.setenv("AWS_VIRTUAL_HOSTING", "FALSE")
    for name in files.KEYS:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.usefixtures("nowhere")
def test_attempt_object_store_without_keys_names_them_and_where_it_is_told() -> None:
    told = _told(HREF)
    assert told.startswith(f"{HREF}: not readable after 1 attempts")
    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY not set in the environment" in told
    assert told.endswith("give the keys of this store (docs/operating.md, Catalogues), or name another catalogue")


def test_attempt_object_store_with_keys_asks_to_check_them(nowhere: pytest.MonkeyPatch) -> None:
    for name in files.KEYS:
        nowhere.setenv(name, "x")
    told = _told(HREF)
    assert "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: give the keys" in told
    assert "not set" not in told


def test_attempt_other_file_is_not_about_keys(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"no raster")
    assert _told(str(path)).endswith("check the file, or try later")


def test_messages_lead_to_a_page_that_names_the_keys() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
    assert "**Catalogues.**" in page
    assert all(name in page for name in files.KEYS)
