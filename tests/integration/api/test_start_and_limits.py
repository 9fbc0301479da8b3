"""The API as a process: it does not start open by mistake, and clients that ask too much wait."""

import json
import os
import subprocess
from pathlib import Path

import httpx
import pytest
from tests.integration.api.serving import job_type, serving
from tests.processes import run_zerog

from zerog.client.bearer import Bearer
from zerog.model.errors import ConfigError
from zerog.privatefile import write_private
from zerog.settings import ClientSettings, load
from zerog_api.settings import ApiSettings

TOKEN = "a-token-that-is-long-enough"


def start(tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Start the API as somebody would who has forgotten something; return how it ended."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ZEROG_")}
    env = {**clean, "ZEROG_STORE": f"sqlite:///{tmp_path / 'zerog.db'}", **env}
    return run_zerog(["api", "--host", "0.0.0.0", "--port", "0"], env=env, timeout=60)


def test_open_to_a_network_it_does_not_start(tmp_path: Path) -> None:
    ended = start(tmp_path)

    assert ended.returncode == 2
    assert "ZEROG_AUTH" in ended.stderr
    assert "ZEROG_ALLOW_OPEN=1" in ended.stderr
    assert not (tmp_path / "zerog.db").exists()


def test_with_broken_tokens_it_does_not_start_and_shows_none(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    write_private(path, json.dumps({"tokens": [{"name": "", "token": TOKEN}]}))

    ended = start(tmp_path, ZEROG_AUTH="tokens", ZEROG_TOKENS=str(path))

    assert ended.returncode == 2
    assert "has no name" in ended.stderr
    assert TOKEN not in ended.stderr + ended.stdout


def test_a_client_that_asks_too_much_is_told_to_wait_and_may_come_back(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    entry = {"name": "shop", "token": TOKEN, "verbs": ["list"], "queues": ["*"]}
    write_private(path, json.dumps({"tokens": [entry]}))
    settings = ApiSettings(auth="tokens", tokens=str(path), rate_per_second=0.01, rate_burst=3)
    with serving(tmp_path, settings, [job_type("Mail", "mail")]) as url:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answers = [httpx.get(f"{url}/v1/jobs", headers=headers) for _ in range(4)]
        probe = httpx.get(f"{url}/readyz")

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3].json()["code"] == "too-many-requests"
    assert int(answers[3].headers["Retry-After"]) >= 1
    assert probe.status_code == 200


def test_a_token_in_a_file_is_the_clients_and_stands_in_no_text(tmp_path: Path) -> None:
    path = tmp_path / "token"
    write_private(path, f"{TOKEN}\n")

    settings = load(ClientSettings, {"ZEROG_TOKEN_FILE": str(path)})

    assert (settings.token, settings.token_file) == (TOKEN, str(path))
    assert TOKEN not in repr(settings)
    with pytest.raises(ConfigError, match="cannot be read"):
        Bearer(token_file=str(tmp_path / "none")).token()
