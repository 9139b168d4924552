from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.errors import ConfigError, ReadError
from pipeline.scenes import sign

NOW = datetime(2026, 5, 27, 12, 0, tzinfo=UTC)
PC = "planetary-computer"


@pytest.fixture
def service(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv(sign.TOKEN_URL_VARIABLE, f"{server.url}/token")
    server.expiries = [NOW + timedelta(minutes=45)]
    return server


def test_sign_without_signer_returns_the_href() -> None:
    assert sign.sign("/some/file.tif", "", now=NOW) == "/some/file.tif"


def test_sign_unknown_signer_is_refused() -> None:
    with pytest.raises(ConfigError, match="'sesame' is unknown"):
        sign.sign("https://a.example/b.tif", "sesame", now=NOW)


@pytest.mark.parametrize("href", ["/local/a.tif", "https://elsewhere.example/c/a.tif", "s3://bucket/a.tif"])
def test_sign_other_places_come_back_unsigned(href: str) -> None:
    assert sign.sign(href, PC, now=NOW) == href


def test_sign_asks_for_account_and_container_once(service: Any) -> None:
    signed = [sign.sign(f"https://acc.blob.core.windows.net/cont/{name}.tif", PC, now=NOW) for name in "ab"]
    assert signed[0].startswith("https://acc.blob.core.windows.net/cont/a.tif?se=")
    assert [path for _, path, _ in service.log] == ["/token/acc/cont"]
    sign.sign("https://acc.blob.core.windows.net/other/a.tif", PC, now=NOW)
    assert service.log[-1][1] == "/token/acc/other"


def test_sign_signed_href_stays(service: Any) -> None:
    href = "https://acc.blob.core.windows.net/cont/a.tif?sig=x"
    assert sign.sign(href, PC, now=NOW) == href
    assert not service.log


def test_d10_token_is_renewed_five_minutes_before_its_end(service: Any) -> None:
    def token(minutes: int) -> str:
        return sign.sign("https://acc.blob.core.windows.net/c/a.tif", PC, now=NOW + timedelta(minutes=minutes))[-2:]

    service.expiries = [NOW + timedelta(minutes=45), NOW + timedelta(minutes=90)]
    assert [token(0), token(39), token(41), token(60)] == ["t1", "t1", "t2", "t2"]


def test_d10_renew_fetches_a_new_token(service: Any) -> None:
    href = "https://acc.blob.core.windows.net/c/a.tif"
    assert sign.sign(href, PC, now=NOW).endswith("sig=t1")
    assert sign.sign(href, PC, now=NOW, renew=True).endswith("sig=t2")


def test_d10_token_that_ended_already_is_asked_for_again(service: Any) -> None:
    service.expiries = [NOW - timedelta(minutes=1), NOW + timedelta(minutes=45)]
    assert sign.sign("https://acc.blob.core.windows.net/c/a.tif", PC, now=NOW).endswith("sig=t2")


def test_d10_only_ended_tokens_is_a_read_error(service: Any) -> None:
    service.expiries = [NOW - timedelta(minutes=1)]
    with pytest.raises(ReadError, match="check this machine's clock"):
        sign.sign("https://acc.blob.core.windows.net/c/a.tif", PC, now=NOW)


@pytest.mark.parametrize(
    "break_it",
    [
        lambda patch, url: patch.setenv(sign.TOKEN_URL_VARIABLE, f"{url}/missing"),
        lambda patch, url: patch.setenv(sign.TOKEN_URL_VARIABLE, "http://127.0.0.1:9/token"),
    ],
    ids=["404", "nobody there"],
)
def test_sign_service_fails_read_error_without_token(
    service: Any, monkeypatch: pytest.MonkeyPatch, break_it: Callable[[Any, str], None]
) -> None:
    monkeypatch.setattr(sign, "_BACKOFF_S", 0.0)
    service.faults = ["404"] * 10
    break_it(monkeypatch, service.url)
    with pytest.raises(ReadError, match="token service"):
        sign.sign("https://acc.blob.core.windows.net/c/a.tif", PC, now=NOW)


def test_unsigned_text_has_no_query() -> None:
    assert sign.unsigned("'/vsicurl/https://a.b/c.tif?se=1&sig=x' failed") == "'/vsicurl/https://a.b/c.tif' failed"
