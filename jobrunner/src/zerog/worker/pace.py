"""How many entries a slot takes at once. Pure.

Short jobs are claimed several at a time, run one after another, and finished together:
claims share a transaction, and so do ends. A slot takes more than one only when its last
jobs were short and the queue still held more, so that no job waits behind another while
some other worker is idle for longer than it takes to notice.
"""

from dataclasses import dataclass

#: The jobs of a batch are to take no longer together.
BATCH_SECONDS = 0.02
#: After this long a batch is split: what has ended is written, what has not begun is given back.
SPLIT_SECONDS = 0.05
#: Bounds what a dying worker takes with it, and a transaction's size.
MAX_BATCH = 16


@dataclass(slots=True)
class Pace:
    """How many entries to take next."""

    size: int = 1

    def after(self, jobs: int, seconds: float) -> None:
        """Learn from a batch of jobs and how long it ran."""
        fitting = int(BATCH_SECONDS * jobs / max(seconds, 1e-6))
        self.size = max(1, min(2 * self.size, fitting, MAX_BATCH))

    def starved(self) -> None:
        """Learn that the queue had less than was asked for."""
        self.size = 1
