"""Real workers up and down, with the operator killed at random.

`ZEROG_TEST_CYCLES` sets how often; a few by default. Every job leaves a line in a file, so that a
job that ran twice to completion is seen. Many cycles need `--timeout=0`.
"""

import os
import random

from .conftest import Works

CYCLES = int(os.environ.get("ZEROG_TEST_CYCLES", "5"))
#: Between two kills of the operator, on average.
CYCLES_PER_KILL = 3


def test_no_job_is_lost_interrupted_or_run_twice_while_pools_go_up_and_down(works: Works) -> None:
    chance = random.Random(7)
    works.start_operator()
    works.apply(maxReplicas=4, slots=2)
    works.wait_for_types()

    for cycle in range(CYCLES):
        works.submit(chance.randint(1, 8), chance.choice([0.05, 0.25, 1.0]))
        if chance.random() < 1 / CYCLES_PER_KILL:
            works.kill_operator()
            works.start_operator()
        if cycle % 2:
            works.wait_until_done()

    works.wait_until_done()
    works.check()
