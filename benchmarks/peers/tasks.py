"""The no-op task of each peer, over one Redis. Run by the peer's own workers and by `peers.app`."""

import os
from typing import Any

URL = os.environ["BENCH_REDIS"]
PEER = os.environ["BENCH_PEER"]


def build() -> tuple[Any, Any]:
    """Return the peer's application object and its task."""
    match PEER:
        case "celery":
            from celery import Celery

            app = Celery("bench", broker=URL, backend=URL)
            app.conf.worker_prefetch_multiplier = 4
            return app, app.task(name="noop")(noop)
        case "rq":
            from redis import Redis
            from rq import Queue

            return Queue(connection=Redis.from_url(URL)), noop
        case "huey":
            from huey import RedisHuey

            huey = RedisHuey("bench", url=URL)
            return huey, huey.task(name="noop")(noop)
        case "dramatiq":
            import dramatiq
            from dramatiq.brokers.redis import RedisBroker
            from dramatiq.results import Results
            from dramatiq.results.backends import RedisBackend

            broker = RedisBroker(url=URL)
            broker.add_middleware(Results(backend=RedisBackend(url=URL)))
            dramatiq.set_broker(broker)
            return broker, dramatiq.actor(store_results=True, actor_name="noop")(noop)
        case "taskiq":
            from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

            backend: Any = RedisAsyncResultBackend(redis_url=URL, keep_results=True)
            queue = ListQueueBroker(url=URL).with_result_backend(backend)
            return queue, queue.task(task_name="noop")(noop)
        case _:
            raise ValueError(PEER)


def noop(n: int = 0) -> dict[str, int]:
    """Do nothing."""
    return {"n": n}


app, task = build()
