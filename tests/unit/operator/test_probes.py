"""Healthy means that every pool's loop turns, whatever else is wrong."""

import time
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from zerog_operator.handlers import STUCK_SECONDS, Pools
from zerog_operator.metrics import Metrics
from zerog_operator.probes import serve_probes
from zerog_tools.cluster.ports import free_port


@pytest.mark.parametrize(
    ("ages", "status", "text"),
    [
        ({}, 200, "ok"),
        ({("a", "media"): 1.0}, 200, "ok"),
        ({("a", "media"): 1.0, ("a", "mail"): STUCK_SECONDS + 1}, 503, "stuck: a/mail"),
    ],
)
async def test_a_loop_that_does_not_turn_is_named(
    ages: dict[tuple[str, str], float], status: int, text: str
) -> None:
    now = time.monotonic()
    parts: Any = None
    pools, loops = Pools(parts), {k: SimpleNamespace(turned=now - age) for k, age in ages.items()}
    pools.loops.update(loops)  # type: ignore[arg-type]
    port = free_port()
    runner = await serve_probes(Metrics().registry, pools.stuck, "127.0.0.1", port)
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            async with session.get("/healthz") as answer:
                assert (answer.status, (await answer.text()).strip()) == (status, text)
            async with session.get("/readyz") as answer:
                assert answer.status == 200
            async with session.get("/metrics") as answer:
                assert "zerog_operator_active" in await answer.text()
    finally:
        await runner.cleanup()
