"""What the API warns of when it accepts jobs, e.g. that no worker serves their type.

A warning concerns the operator of the system, not the call that got it: the job is accepted. So by
default it is logged, not raised. A service may submit thousands of jobs while no worker runs, so
the same warning is logged only once in a while.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from zerog.shown import shown

log = logging.getLogger("zerog.client")

#: A warning is logged again after this long, if it still comes.
AGAIN_SECONDS = 60.0
OnWarning = Callable[[str], object]


class Warned:
    """Passes on the warnings in answers."""

    def __init__(self, on_warning: OnWarning | None = None) -> None:
        """`on_warning` gets each of them; without it they are logged."""
        self._pass_on = on_warning or self._log
        #: Warning → when it was logged.
        self._logged: dict[str, float] = {}

    def look_at(self, answer: Any) -> None:
        """Pass on the warning of an answer, if it has one."""
        if isinstance(answer, dict) and isinstance(text := answer.get("warning"), str):
            self._pass_on(text)

    def _log(self, text: str) -> None:
        now = time.monotonic()
        self._logged = {it: at for it, at in self._logged.items() if now - at < AGAIN_SECONDS}
        if text not in self._logged:
            self._logged[text] = now
            log.warning("%s", shown(text))
