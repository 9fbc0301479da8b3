"""How many entries a slot takes at once, and how long it pauses after those it left. Pure.

Short jobs are claimed several at a time, run one after another, and finished together:
claims share a transaction, and so do ends. A slot takes more than one only when its last
jobs were short and the queue still held more, so that no job waits behind another while
some other worker is idle for longer than it takes to notice.
"""

from dataclasses import dataclass

from zerog.model.backoff import Backoff

#: The jobs of a batch are to take no longer together.
BATCH_SECONDS = 0.02
#: After this long a batch is split: what has ended is written, what has not begun is given back.
SPLIT_SECONDS = 0.05
#: Bounds what a dying worker takes with it, and a transaction's size.
MAX_BATCH = 16
#: Pauses of a slot that meets nothing but other workers' jobs: a backlog of them costs it two
#: entries a second.
LEFT_BACKOFF = Backoff(0.02, 0.5)


@dataclass(slots=True)
class Pace:
    """How many entries to take next."""

    size: int = 1
    #: Entries in a row that were left to other workers.
    left: int = 0

    def after(self, jobs: int, seconds: float) -> None:
        """Learn from a batch of jobs and how long it ran."""
        fitting = int(BATCH_SECONDS * jobs / max(seconds, 1e-6))
        self.size = max(1, min(2 * self.size, fitting, MAX_BATCH))
        self.left = 0

    def starved(self) -> None:
        """Learn that the queue had less than was asked for."""
        self.size = 1

    def pause_after_left(self, entries: int) -> float:
        """Return how long to pause after entries that were left to other workers, and no job."""
        self.size = 1
        self.left += entries
        return LEFT_BACKOFF.pause(self.left)
