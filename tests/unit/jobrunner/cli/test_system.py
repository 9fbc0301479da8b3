"""Lists about ZeroG itself: what is said where they are empty."""

from pathlib import Path

import pytest
from tests.scripted_api import Answer, FakeApi

from zerog.cli import codes
from zerog.cli.main import main
from zerog.privatefile import write_private

LISTS = [("types", "job type"), ("queues", "queue"), ("workers", "worker")]


@pytest.fixture
def empty(api: FakeApi) -> FakeApi:
    """An API that lists nothing."""
    for name, _ in LISTS:
        api.route(f"/v1/{name}", Answer(body={name: []}))
    return api


@pytest.mark.parametrize(("command", "what"), LISTS)
def test_a_token_that_may_list_nothing_does_not_mean_that_there_is_nothing(
    empty: FakeApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    what: str,
) -> None:
    write_private(tmp_path / "token", "secret")
    monkeypatch.setenv("ZEROG_TOKEN_FILE", str(tmp_path / "token"))

    assert main([command, "--url", empty.url]) == codes.OK

    assert capsys.readouterr().err == f"No {what} found that this token may list.\n"


@pytest.mark.parametrize("command", [name for name, _ in LISTS])
def test_without_a_token_an_empty_list_is_empty(
    empty: FakeApi, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command, "--url", empty.url]) == codes.OK

    assert "token" not in capsys.readouterr().err
