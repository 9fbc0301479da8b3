"""Which queues are looked at, whatever tubes a stranger has made."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from zerog.ledger import tubes
from zerog.ledger.tubes import MAX_QUEUES, choose_queues, find_queues

FOREIGN = [f"zerog.aa{number}" for number in range(MAX_QUEUES + 5)]


def test_a_tube_with_a_name_that_no_queue_may_have_is_none_of_ours() -> None:
    odd = ["zerog.EVIL;$(x)", "zerog.", "zerog", "default", "zerog-retire.pool", "zerog.-a"]

    assert choose_queues(["mail"], [*odd, "zerog.letters"]).names == ["letters", "mail"]


def test_no_tube_takes_the_place_of_a_types_queue() -> None:
    found = choose_queues(["zz"], FOREIGN)

    assert len(found.names) == MAX_QUEUES
    assert "zz" in found.names
    assert found.left_out == 6


async def test_too_many_tubes_are_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tubes, "_named", False)

    async def list_tubes() -> list[str]:
        return FOREIGN

    producer: Any = SimpleNamespace(tubes=list_tubes)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            await find_queues(producer, [])

    assert caplog.text.count("more queues than the") == 1
