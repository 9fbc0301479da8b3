"""The real API over SQLite and a real beanstalkd, on a loop in a thread."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.beanstalkd import Beanstalkd

from zerog.model.documents import TypeDocument, write
from zerog.store import open_datastore
from zerog_api.settings import ApiSettings

START_SECONDS = 60


def job_type(name: str, queue: str) -> dict[str, Any]:
    """Return the document of a job type that takes any parameters."""
    schema = {"type": "object"}
    return write(TypeDocument(name, queue, schema, retain_ok_seconds=60, retain_failed_seconds=60))


def until(look: Callable[[], bool], what: str) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + START_SECONDS
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@contextlib.contextmanager
def serving(folder: Path, settings: ApiSettings, types: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Give the URL of a running API that knows these types."""
    from zerog_api.main import serve

    server = Beanstalkd()
    server.start()
    store_url = f"sqlite:///{folder / 'zerog.db'}"
    here = {"port": 0, "store": store_url, "queue": server.address}
    settings = settings.model_copy(update=here)
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
