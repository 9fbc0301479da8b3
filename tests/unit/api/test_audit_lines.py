"""The audit log as text: what a client sends cannot pass for a line of its own."""

import logging

import pytest

from zerog_api.auth.audit import Change, write


def test_a_queue_that_a_client_made_up_cannot_forge_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "zerog.audit")
    queues = ["mail", "x\n12:00:00 INFO admin DELETE /v1/jobs/{uuid}: 204"]
    write(Change("shop", "127.0.0.1", "update", "POST /v1/jobs:cancel", queues, [], 403))
    (record,) = caplog.records
    assert "\n" not in record.getMessage()
    assert "queues mail x" in record.getMessage()
