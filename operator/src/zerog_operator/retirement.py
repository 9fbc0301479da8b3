"""Who goes, and how: retire tokens for any idle worker, retirement by name for certain ones.

A token lies on the pool's retire tube until an idle worker takes it; a busy worker never does.
Tokens are counted, not tracked: the number that shall lie there is what is ready beyond what is
wanted, and the difference is put or taken back. Between taking its token and being gone from
the list of pods a worker is still seen as ready; without a memory of that, each such worker
would cost another one its place.

The invariant: a token more or less does no harm, and no ready pod is ever deleted.
"""

from dataclasses import dataclass, replace

from zerog_operator.model import QueueReading, WorkerPod, WorkerState

#: A worker that took a token is gone from the list by then, or its token was lost.
EXIT_SECONDS = 20.0
#: A worker that was told to retire and is still said to be ready is told again.
TELL_AGAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Retirement:
    """What is remembered of retiring."""

    #: Tokens that lay on the tube after the last decision, if all went well.
    tokens: int = 0
    server: str = ""
    #: When tokens were taken whose takers are still listed as ready.
    exits: tuple[float, ...] = ()
    #: (uid, when): workers that were told by name.
    told: tuple[tuple[str, float], ...] = ()
    #: Uids of ready pods in the last list.
    ready: frozenset[str] = frozenset()


def follow_retirement(
    retirement: Retirement, reading: QueueReading, pods: tuple[WorkerPod, ...], now: float
) -> Retirement:
    """Return what is remembered after a reading and a list of pods."""
    ready = frozenset(pod.uid for pod in pods if pod.state is WorkerState.READY)
    same = reading.server == retirement.server
    taken = max(0, retirement.tokens - reading.tokens) if same else 0
    gone = len(retirement.ready - ready)
    exits = (*retirement.exits, *(now for _ in range(taken)))[gone:]
    listed = {pod.uid for pod in pods}
    return Retirement(
        tokens=reading.tokens,
        server=reading.server,
        exits=tuple(when for when in exits if 0 <= now - when < EXIT_SECONDS)[: len(ready)],
        told=tuple((uid, when) for uid, when in retirement.told if uid in listed),
        ready=ready,
    )


def note_tokens(retirement: Retirement, tokens: int) -> Retirement:
    """Return what is remembered after a decision that leaves so many tokens on the tube."""
    return replace(retirement, tokens=tokens)


def tell(
    retirement: Retirement, pods: tuple[WorkerPod, ...], now: float
) -> tuple[tuple[WorkerPod, ...], Retirement]:
    """Return which of these have to be told now, and what is remembered then."""
    when_told = dict(retirement.told)
    due = tuple(
        pod for pod in pods if not 0 <= now - when_told.get(pod.uid, -1e18) < TELL_AGAIN_SECONDS
    )
    when_told.update((pod.uid, now) for pod in due)
    return due, replace(retirement, told=tuple(when_told.items()))
