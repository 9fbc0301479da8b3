"""How long datastore and queue take to answer this process, and how often they do not."""

import time
from collections.abc import Awaitable, Callable, Collection
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

from prometheus_client import CollectorRegistry, Counter, Histogram

from zerog.model.errors import DatastoreUnavailableError, QueueUnavailableError

T = TypeVar("T")

_BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30)
_AWAY = (DatastoreUnavailableError, QueueUnavailableError)


class Calls:
    """The calls of this process to what it stands on."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "zerog_backend_seconds",
            "Time of this process's calls to the datastore and to beanstalkd.",
            ["backend", "call"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._errors = Counter(
            "zerog_backend_errors_total",
            "Such calls that were not answered in time, or not at all.",
            ["backend", "call"],
            registry=registry,
        )

    def measured(self, backend: str, target: T, *, but: Collection[str] = ()) -> T:
        """Return what does the same as the target, measured. Only coroutines are calls.

        `but` names calls that wait by design, so that their time says nothing.
        """
        return cast(T, _Measured(target, lambda call: self._watch(backend, call), but))

    def measured_call(
        self, backend: str, call: str, method: Callable[..., Awaitable[T]]
    ) -> Callable[..., Awaitable[T]]:
        """Return what does the same as one call, measured."""
        return self._watch(backend, call).around(method)

    def _watch(self, backend: str, call: str) -> "_Watch":
        return _Watch(self._seconds.labels(backend, call), self._errors.labels(backend, call))


class _Watch:
    def __init__(self, seconds: Histogram, errors: Counter) -> None:
        self._seconds, self._errors = seconds, errors

    def around(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def measured(*arguments: Any, **options: Any) -> Any:
            begun = time.perf_counter()
            try:
                return await method(*arguments, **options)
            except _AWAY:
                self._errors.inc()
                raise
            finally:
                self._seconds.observe(time.perf_counter() - begun)

        return measured


class _Measured:
    def __init__(
        self, target: object, watch: Callable[[str], _Watch], but: Collection[str]
    ) -> None:
        self._target, self._watch, self._but = target, watch, but

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if name in self._but or not iscoroutinefunction(found):
            return found
        measured = self._watch(name).around(found)
        setattr(self, name, measured)  # looked up once
        return measured
