"""What `make chaos` submits, and what must become of each kind of job."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zerog.client import ApiError, Client
from zerog.client.calls import UnreachableError

#: Large enough for a document beside the record, in and out.
BIG_CHARACTERS = 200_000
UNFINISHED_STATES = ("queued", "running", "waiting")


@dataclass(frozen=True)
class Expected:
    """An acknowledged job, and how it must end."""

    uuid: str
    kind: str
    state: str
    data: Any = None
    code: int | None = None
    #: How often these causes stand in its record, whatever is broken.
    causes: tuple[tuple[str, int], ...] = ()
    #: Not to begin before, by the monotonic clock.
    not_before: float = 0.0
    replays: int = 0


class Load:
    """Submits jobs of all kinds, and remembers those that were acknowledged."""

    def __init__(self, url: str, dice: random.Random, retry_seconds: float = 60.0) -> None:
        self.client = Client(url, retry_seconds=retry_seconds)
        self._dice = dice
        self.acknowledged: list[Expected] = []
        #: Submits without an answer: whether there is such a job is unknown.
        self.unknown = 0
        self.refused: Counter[str] = Counter()
        self._value = 0
        self._to_cancel: list[str] = []
        self._to_replay: list[str] = []

    def submit_some(self, count: int) -> None:
        """Submit jobs of random kinds; cancel and replay some that were submitted before."""
        for _ in range(count):
            try:
                self.acknowledged.append(self._dice.choice(self._kinds())())
            except (ApiError, UnreachableError) as error:
                self.unknown += 1
                self.refused[str(error)[:100]] += 1
        self._cancel()
        self._replay()

    def _kinds(self) -> list[Callable[[], Expected]]:
        return [
            self._quick, self._quick, self._slow, self._delayed, self._urgent, self._continuing,
            self._retrying, self._failing, self._crashing, self._hopeless, self._big, self._saving,
            self._printing, self._forking, self._cancelled, self._replayed, self._repeated,
        ]  # fmt: skip

    def _submit(self, job: str, parameters: dict[str, Any] | None = None, **options: Any) -> str:
        self._value += 1
        return self.client.submit(job, {"value": self._value, **(parameters or {})}, **options)

    def _good(self, kind: str, job: str, **options: Any) -> Expected:
        parameters = options.pop("parameters", {})
        causes = options.pop("causes", ())
        uuid = self._submit(job, parameters, **options)
        return Expected(uuid, kind, "succeeded", self._value, 200, causes)

    def _quick(self) -> Expected:
        return self._good("quick", "Plain")

    def _slow(self) -> Expected:
        return self._good("slow", "Plain", parameters={"seconds": self._dice.random()})

    def _delayed(self) -> Expected:
        delay = self._dice.uniform(0.5, 4.0)
        began = time.monotonic()
        uuid = self._submit("Plain", delay=delay)
        return Expected(uuid, "delayed", "succeeded", self._value, 200, not_before=began + delay)

    def _urgent(self) -> Expected:
        return self._good("priority", "Plain", priority=self._dice.randrange(10))

    def _continuing(self) -> Expected:
        uuid = self._submit("Continuing")
        return Expected(uuid, "continue", "succeeded", 3, 207, (("continued", 2),))

    def _retrying(self) -> Expected:
        return self._good("retry", "Retrying", causes=(("error", 1),))

    def _failing(self) -> Expected:
        uuid = self._submit("Failing")
        return Expected(uuid, "error", "failed", None, 500, (("error", 2),))

    def _crashing(self) -> Expected:
        return self._good("crash", "Crashing")

    def _hopeless(self) -> Expected:
        uuid = self._submit("Hopeless")
        return Expected(uuid, "crashes", "failed", None, 500, (("crash", 2),))

    def _big(self) -> Expected:
        text = f"{self._value} " * (BIG_CHARACTERS // 6)
        return Expected(self._submit("Big", {"text": text}), "big", "succeeded", text[::-1], 200)

    def _saving(self) -> Expected:
        return Expected(self._submit("Saving"), "state", "succeeded", 5, 200)

    def _printing(self) -> Expected:
        return self._good("printing", "Printing")

    def _forking(self) -> Expected:
        return self._good("forking", "Forking", parameters={"seconds": 0.2})

    def _cancelled(self) -> Expected:
        uuid = self._submit("Plain", {"seconds": 3600})
        self._to_cancel.append(uuid)
        return Expected(uuid, "cancelled", "cancelled", None, 410)

    def _replayed(self) -> Expected:
        uuid = self._submit("Plain")
        self._to_replay.append(uuid)
        return Expected(uuid, "replayed", "succeeded", self._value, 200, replays=1)

    def _repeated(self) -> Expected:
        key = f"key-{self._dice.getrandbits(64)}"
        made = self._good("key", "Plain", idempotency_key=key)
        again = self.client.submit("Plain", {"value": self._value}, idempotency_key=key)
        assert again == made.uuid, f"key {key} stands for {made.uuid} and {again}"
        return made

    def _cancel(self) -> None:
        for uuid in self._to_cancel[:]:
            if self._dice.random() < 0.3:
                try:
                    self.client.cancel(uuid)
                except (ApiError, UnreachableError) as error:
                    self.refused[str(error)[:100]] += 1
                else:
                    self._to_cancel.remove(uuid)

    def _replay(self) -> None:
        """Replay what is finished. A repeat is asked first: the last answer may be lost."""
        for uuid in self._to_replay[:]:
            try:
                if self.client.get(uuid).get("replays", 0):
                    self._to_replay.remove(uuid)
                elif self.client.progress(uuid)["state"] not in UNFINISHED_STATES:
                    self.client.retry(uuid)
                    self._to_replay.remove(uuid)
            except (ApiError, UnreachableError) as error:
                self.refused[str(error)[:100]] += 1

    def finish(self) -> None:
        """Cancel and replay what is still to be; everything is healed by now."""
        while self._to_cancel or self._to_replay:
            self._cancel()
            self._replay()
            time.sleep(0.1)
