"""`python -m tests.chaos.fuzz`: throw hostile bytes at all that reads bytes of others.

In a round decoders get many inputs in process; then the API of a new system gets requests, damaged
ones and such as are made from its specification; then another system gets hostile frames, signals,
documents and entries.
"""

import contextlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import httpx
from tests.chaos.calls import DEADLINE_SECONDS, throw_call
from tests.chaos.checks import log_faults
from tests.chaos.decoders import DECODERS, Decoder
from tests.chaos.hostile import Hostile
from tests.chaos.specification import check_calls
from tests.chaos.trial import Trial, trial
from tests.chaos.whole import Fuzzed
from tests.integration.path.conftest import System

#: In one round: inputs of each decoder, damaged requests, and requests of each call.
INPUTS, REQUESTS, EXAMPLES = 3000, 1000, 5
#: Of an input that somebody complains of.
SHOWN_BYTES = 2000


def decode(made: Trial, decoder: Decoder, hostile: Hostile, count: int) -> None:
    """Give a decoder so many inputs, and complain of those that it neither reads nor refuses."""
    for _ in range(count):
        data = decoder.throw(hostile)
        try:
            decoder.read(data)
        except Exception:
            fault = traceback.format_exc()
            made.complain(f"{decoder.name}: {data[:SHOWN_BYTES]!r}\n{fault}")
    made.thrown[decoder.name] += count


@contextlib.contextmanager
def started(folder: Path) -> Iterator[System]:
    """Run beanstalkd and the API, and end all that was started."""
    folder.mkdir()
    system = System(folder)
    try:
        system.beanstalkd.start()
        # A busy machine is not what this is about: nothing shall be 503 for that.
        system.start_api(ZEROG_DEADLINE_SECONDS=str(DEADLINE_SECONDS))
        yield system
    finally:
        system.close()


def call(made: Trial, folder: Path, seed: int) -> None:
    """Send an API damaged requests, and requests that are made from its specification."""
    with started(folder) as system:
        system.start_worker("--slots", "1")
        url, hostile = f"http://127.0.0.1:{system.port}", Hostile(seed)
        with httpx.Client(base_url=url, timeout=DEADLINE_SECONDS) as client:
            for _ in range(REQUESTS):
                throw_call(hostile, client)
        labels = check_calls(url, seed, EXAMPLES)
    made.complain(*log_faults(folder))
    made.thrown["requests"] += REQUESTS + len(labels) * EXAMPLES


def attack(made: Trial, folder: Path, seed: int) -> None:
    """Throw hostile frames, signals, documents and entries at a whole system."""
    with started(folder) as system:
        Fuzzed(system, seed).round(seed)
    made.thrown["attacks on a system"] += 1


def main() -> int:
    """Run some rounds, and return 1 if there is anything to complain of."""
    with trial("fuzz", __doc__, alone=True) as made:
        for seed in made.seeds():
            with made.round(seed) as folder:
                for decoder in DECODERS:
                    decode(made, decoder, Hostile(seed), INPUTS)
                call(made, folder / "calls", seed)
                attack(made, folder / "system", seed)
            made.say(made.figure())
        return made.end()


if __name__ == "__main__":
    sys.exit(main())
