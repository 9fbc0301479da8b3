"""Proxies and certificates of the environment: loopback needs none, elsewhere faults are named."""

from typing import Any

import pytest

from zerog.client import ApiError, AsyncClient, Client, UnreachableError, network
from zerog.client.network import is_loopback
from zerog.model.errors import ConfigError

REMOTE = "http://zerog.invalid:8080"
BROKEN = [
    {"http_proxy": "http://127.0.0.1:1"},
    {"HTTP_PROXY": "nonsense://x"},
    {"ALL_PROXY": "socks5://127.0.0.1:1"},
    {"http_proxy": "x:y:z"},
    {"no_proxy": "[::"},
    {"SSL_CERT_FILE": "/no/such/file.pem"},
]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("environment", BROKEN, ids=lambda item: "".join(item))
def test_loopback_needs_no_proxy_and_no_certificate(
    monkeypatch: pytest.MonkeyPatch, api: Any, call: Any, answer: Any, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    api.script(answer(body={"types": []}))

    assert call("types") == []


@pytest.mark.parametrize("environment", BROKEN[1:], ids=lambda item: "".join(item))
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_elsewhere_a_broken_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, kind: Any, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError, match="|".join(environment)):
        kind(REMOTE)


def test_a_proxy_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    with (
        Client(REMOTE, retry_seconds=0.1) as client,
        pytest.raises(UnreachableError, match=r"names proxies \(http_proxy\)"),
    ):
        client.types()


@pytest.mark.parametrize("url", ["http://[::", "http://h:x", "http://h:99999", "http://a\nb"])
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(ConfigError, match="is not the address of an API"):
        Client(url)


@pytest.mark.parametrize(
    ("host", "is_so"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("api.localhost", True),
        ("0.0.0.0", True),
        ("localhost.example", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_by_its_very_name(host: str, is_so: bool) -> None:
    assert is_loopback(host) is is_so


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("method", "arguments"), [("types", ()), ("submit", ("T", {"a": 1})), ("stream", ("u",))]
)
def test_a_redirect_is_not_followed_and_carries_no_token_anywhere(
    api: Any, call: Any, answer: Any, status: int, method: str, arguments: tuple[Any, ...]
) -> None:
    other = type(api)()
    try:
        api.script(answer(status, headers={"Location": f"{other.url}/v1/types"}))

        with pytest.raises(ApiError, match="it redirects to"):
            call(method, *arguments, token="a-token-that-is-long-enough")
    finally:
        other.close()

    assert other.seen == []
    assert len(api.seen) == 1


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_token_over_http_is_logged_once_for_a_host(
    kind: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(network, "_warned", set())

    for url in (REMOTE, REMOTE, "http://127.0.0.1:1", "https://zerog.invalid"):
        kind(url, token="a-token-that-is-long-enough")
    kind("http://other.invalid")

    (record,) = caplog.records
    assert "sent to zerog.invalid over http" in record.getMessage()
    assert "a-token" not in record.getMessage()
