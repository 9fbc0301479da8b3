"""An API whose clients wait until they are told of a change, however long they ask to wait.

So a test sees that they are told, whatever the machine's speed. With LOOKS=never the API does not
look by itself either: then it was a message. Arguments as those of `zerog`.
"""

import os
import sys
from collections.abc import AsyncIterator
from typing import Any

from zerog.cli.main import main
from zerog_api.calls import jobs
from zerog_api.core import messages
from zerog_api.core.watch import Watch

NEVER_SECONDS = 1e6
looks = Watch.looks


def looks_without_end(self: Watch, *arguments: Any, **options: Any) -> AsyncIterator[None]:
    """Give turns that do not end with the time that the client has asked for."""
    return looks(self, *arguments, **{**options, "until": float("inf")})


if __name__ == "__main__":
    Watch.looks = looks_without_end  # type: ignore[method-assign]
    if os.environ["LOOKS"] == "never":
        messages.LOOK_SECONDS = jobs.STREAM_IDLE_SECONDS = NEVER_SECONDS
    sys.exit(main())
