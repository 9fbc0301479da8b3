"""No number ends a process that jobs share, and none hides anybody's jobs. `make fuzz` throws
much more."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos.whole import Fuzzed
from tests.integration.path.conftest import System, running_system

SEED, ROUNDS = 1, 2


def lose_all_entries(system: System) -> None:
    """Start beanstalkd again, without its log."""
    system.beanstalkd.kill()
    shutil.rmtree(system.folder / "binlog")
    system.beanstalkd.start()


@pytest.fixture
def fuzzed(tmp_path: Path) -> Iterator[Fuzzed]:
    with running_system(System(tmp_path)) as system:
        yield Fuzzed(system, SEED)


def test_no_number_ends_a_shared_process_or_hides_a_healthy_job(fuzzed: Fuzzed) -> None:
    processes = list(fuzzed.system.processes)
    for number in range(ROUNDS):
        fuzzed.round(number)

    lost = fuzzed.lose_an_entry()
    lose_all_entries(fuzzed.system)
    fuzzed.check(lost)
    assert fuzzed.system.processes == processes

    fuzzed.system.stop(fuzzed.api)
    fuzzed.api = fuzzed.system.start_api()
    fuzzed.check(fuzzed.lose_an_entry())
