"""ZeroG runs background jobs: write a `Job`, POST it, follow it by its UUID.

import zerog

class Greet(zerog.Job):
    name: str

    def run(self, ctx: zerog.Context) -> dict[str, str]:
        return {"greeting": f"Hello, {self.name}"}
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zerog.client import AsyncClient as AsyncClient
    from zerog.client import Client as Client
    from zerog.sdk.context import Context as Context
    from zerog.sdk.job import Job as Job
    from zerog.sdk.signals import Cancelled as Cancelled
    from zerog.sdk.signals import Continue as Continue
    from zerog.sdk.signals import Finish as Finish
    from zerog.sdk.signals import Result as Result
    from zerog.sdk.signals import Retry as Retry
    from zerog.sdk.signals import TimedOut as TimedOut

__version__ = "0.1.0"

#: Loaded when first used: a caller of the client does not pay for the SDK, nor the other way.
_HOMES = {
    "Job": "zerog.sdk.job",
    "Context": "zerog.sdk.context",
    "Retry": "zerog.sdk.signals",
    "Finish": "zerog.sdk.signals",
    "Continue": "zerog.sdk.signals",
    "Result": "zerog.sdk.signals",
    "Cancelled": "zerog.sdk.signals",
    "TimedOut": "zerog.sdk.signals",
    "Client": "zerog.client",
    "AsyncClient": "zerog.client",
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'zerog' has no attribute {name!r}")
