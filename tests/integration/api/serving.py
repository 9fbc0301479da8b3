"""The real API over SQLite and a real beanstalkd, on a loop in a thread."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.ports import free_port

from zerog.queue.beanstalk.server import LocalBeanstalkd
from zerog.sdk.options import Options
from zerog.settings import ApiSettings
from zerog.store import open_datastore

START_SECONDS = 60


def job_type(name: str, queue: str) -> dict[str, Any]:
    """Return the document of a job type that takes any parameters."""
    return {
        "name": name,
        "description": "",
        "queue": queue,
        "priority": Options("x").priority,
        "maxErrors": 3,
        "maxCrashes": 3,
        "backoffSeconds": 5,
        "backoffMaxSeconds": 600,
        "timeoutSeconds": None,
        "retainOkSeconds": 60,
        "retainFailedSeconds": 60,
        "schema": {"type": "object"},
    }


@contextlib.contextmanager
def serving(folder: Path, settings: ApiSettings, types: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Give the URL of a running API that knows these types."""
    from zerog_api.main import serve

    server = LocalBeanstalkd(port=free_port())
    server.start()
    store_url = f"sqlite:///{folder / 'zerog.db'}"
    settings = replace(settings, port=0, store=store_url, queue=server.address)
    started, ports = threading.Event(), list[int]()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    loop.add_signal_handler = lambda *_: None  # type: ignore[method-assign]

    def ready(port: int) -> None:
        ports.append(port)
        started.set()

    async def run() -> None:
        store = await open_datastore(store_url)
        for item in types:
            await store.upsert("types", item["name"], item)
        await store.close()
        await serve(settings, stop=stop, on_ready=ready)

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert started.wait(START_SECONDS)
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(START_SECONDS)
        loop.close()
        server.kill()
