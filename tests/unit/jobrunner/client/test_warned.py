"""What the API warns of reaches whoever runs the client, and changes no answer."""

import logging
from typing import Any

import pytest
from tests.scripted_api import Answer, FakeApi

from zerog.client import AsyncClient, Client, warned
from zerog.client.warned import Warned

WARNING = "no worker serves the type Greet of the queue default"
ACCEPTED = {"uuid": "u-1", "warning": WARNING}


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [item.getMessage() for item in caplog.records if item.name == warned.log.name]


def test_a_warned_submission_returns_its_uuid_and_logs(
    api: Any, call: Any, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    api.script(answer(201, ACCEPTED))

    with caplog.at_level(logging.WARNING):
        assert call("submit", "Greet") == "u-1"

    assert logged(caplog) == [WARNING]


def test_a_warned_batch_returns_its_uuids_and_logs(
    api: Any, call: Any, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    api.script(answer(201, {"uuids": ["a", "b"], "warning": WARNING}))

    with caplog.at_level(logging.WARNING):
        assert call("submit_many", [{"type": "Greet"}] * 2) == ["a", "b"]

    assert logged(caplog) == [WARNING]


def test_one_warning_is_logged_once_in_a_while(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = Warned()
    with caplog.at_level(logging.WARNING):
        for text in (WARNING, WARNING, "another", WARNING):
            looked.look_at({"warning": text})
        assert logged(caplog) == [WARNING, "another"]

        monkeypatch.setattr(warned, "AGAIN_SECONDS", 0.0)
        looked.look_at({"warning": WARNING})

    assert logged(caplog) == [WARNING, "another", WARNING]


def test_who_asks_for_warnings_gets_each_and_nothing_is_logged(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    api.script(Answer(201, ACCEPTED))
    told: list[str] = []

    with caplog.at_level(logging.WARNING), Client(api.url, on_warning=told.append) as client:
        client.submit("Greet")
        client.submit("Greet")

    assert told == [WARNING, WARNING]
    assert logged(caplog) == []


@pytest.mark.parametrize("answer", [None, [], {}, {"warning": None}, {"warning": 5}])
def test_an_answer_without_a_warning_tells_nothing(answer: Any) -> None:
    told: list[str] = []

    Warned(told.append).look_at(answer)

    assert told == []


async def test_the_asynchronous_client_passes_warnings_on_too(api: FakeApi) -> None:
    api.script(Answer(201, ACCEPTED))
    told: list[str] = []

    async with AsyncClient(api.url, on_warning=told.append) as client:
        await client.submit("Greet")

    assert told == [WARNING]
