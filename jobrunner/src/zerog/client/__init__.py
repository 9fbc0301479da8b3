"""Python clients of the REST API: `Client` blocks, `AsyncClient` awaits."""

from zerog.client.aio import AsyncClient
from zerog.client.calls import ApiError, JobFailedError, UnreachableError, WaitTimeoutError
from zerog.client.sync import Client

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "JobFailedError",
    "UnreachableError",
    "WaitTimeoutError",
]
