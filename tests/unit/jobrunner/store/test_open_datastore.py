"""Which datastore a URL names."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.store.opening import open_datastore

from zerog.model.errors import ConfigError
from zerog.privatefile import write_private


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "postgres://host/db",
        "store.db",
        "memory:",
        "SQLITE",
    ],
)
async def test_a_url_that_names_no_datastore_is_refused_with_the_forms(url: str) -> None:
    with pytest.raises(ConfigError, match=r"sqlite:///relative/path, .* or couchbase://user"):
        await open_datastore(url)


async def test_a_couchbase_without_a_password_says_which_setting_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ZEROG_COUCHBASE_PASSWORD", raising=False)

    with pytest.raises(ConfigError, match="ZEROG_COUCHBASE_PASSWORD_FILE"):
        await open_datastore("couchbase://zerog@127.0.0.1/zerog")


async def test_a_client_certificate_without_tls_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = tmp_path / "key.pem"
    write_private(key, "")
    monkeypatch.setenv("ZEROG_COUCHBASE_CERT_PATH", __file__)
    monkeypatch.setenv("ZEROG_COUCHBASE_KEY_PATH", str(key))

    with pytest.raises(ConfigError, match="couchbases://"):
        await open_datastore("couchbase://127.0.0.1/zerog")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("TELEMETRY", "sometimes"), ("CERT_PATH", __file__)],
)
async def test_settings_that_make_no_sense_are_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv("ZEROG_COUCHBASE_PASSWORD", "x")
    monkeypatch.setenv(f"ZEROG_COUCHBASE_{variable}", value)

    with pytest.raises(ConfigError):
        await open_datastore("couchbases://zerog@127.0.0.1/zerog")


def test_the_sdk_of_couchbase_is_imported_only_by_who_uses_it(tmp_path: Path) -> None:
    """It takes 0.2 s and 30 MB."""
    script = (
        "import asyncio, sys, zerog, zerog.cli.main, zerog.client, zerog.worker.main\n"
        "from zerog.store import open_datastore\n"
        "asyncio.run(open_datastore('sqlite:///store.db'))\n"
        "assert not {'couchbase', 'acouchbase', 'opentelemetry'} & sys.modules.keys()\n"
    )

    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)


async def test_telemetry_that_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.setenv("ZEROG_COUCHBASE_PASSWORD", "x")
    monkeypatch.setenv("ZEROG_COUCHBASE_TELEMETRY", "opentelemetry")

    with pytest.raises(ConfigError, match=r"zerog\[otel\]"):
        await open_datastore("couchbase://zerog@127.0.0.1/zerog")
