"""What is decided: tables of situations, and what holds in all of them."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerog_operator.history import QueueHistory, follow
from zerog_operator.model import (
    Decision,
    Facts,
    LimitedBy,
    Observation,
    Pause,
    QueueReading,
    Refusal,
    Unknown,
    WorkerPod,
    Workers,
    WorkerState,
)
from zerog_operator.pool import PoolSpec, Scaling, StopPolicy
from zerog_operator.rates import late_entries
from zerog_operator.scaling import History, decide

BY_DEPTH = Scaling(target_start_seconds=None, jobs_per_worker=1, scale_down_delay_seconds=0)
BY_TARGET = Scaling(target_start_seconds=10, scale_down_delay_seconds=0, expected_job_seconds=5)


def spec(scaling: Scaling = BY_DEPTH, **changes: Any) -> PoolSpec:
    return PoolSpec(queue="media", scaling=scaling, **{"max_replicas": 10, **changes})


def pods(of: PoolSpec, **states: int) -> Workers:
    """Return so many pods in each state, of the current template; `outdated` are ready ones."""
    made = []
    for name, count in states.items():
        outdated = name == "outdated"
        state = WorkerState.READY if outdated else WorkerState(name.replace("_", "-"))
        for number in range(count):
            made.append(
                WorkerPod(
                    f"{name}-{number}",
                    f"uid-{name}-{number}",
                    "1",
                    created=0.0,
                    state=state,
                    template="old" if outdated else of.template_hash,
                    ready_since=1.0 if state is WorkerState.READY else None,
                )
            )
    return Workers(tuple(made))


def look(of: PoolSpec, workers: Workers, now: float = 100.0, **queue: int) -> Observation:
    return Observation(QueueReading(time=now, server="s", **queue), workers)


def decide_once(of: PoolSpec, observation: Observation, now: float = 100.0) -> Decision:
    return decide(of, observation, History(), now)[0]


@pytest.mark.parametrize(
    ("changes", "there", "queue", "wanted", "create", "limit"),
    [
        ({}, {}, {}, 0, 0, None),
        ({}, {}, {"ready": 3}, 3, 3, None),
        ({}, {"ready": 3}, {"reserved": 3}, 3, 0, None),
        ({}, {"starting": 2}, {"ready": 3}, 3, 1, None),
        ({}, {"waiting_for_node": 2}, {"ready": 3}, 3, 1, None),
        ({}, {"waiting_for_node": 3}, {"ready": 3}, 3, 0, None),
        ({}, {}, {"ready": 30}, 10, 10, LimitedBy.MAX_REPLICAS),
        ({"min_replicas": 2}, {}, {}, 2, 2, LimitedBy.MIN_REPLICAS),
        ({}, {"retiring": 1}, {"ready": 2}, 2, 2, None),
        ({"stop_policy": StopPolicy.DRAIN}, {}, {"ready": 5}, 0, 0, LimitedBy.STOP_POLICY),
        (
            {"stop_policy": StopPolicy.HOLD},
            {"ready": 2},
            {"ready": 9},
            2,
            0,
            LimitedBy.STOP_POLICY,
        ),
    ],
)
def test_the_number_by_depth(
    changes: dict[str, Any],
    there: dict[str, int],
    queue: dict[str, int],
    wanted: int,
    create: int,
    limit: LimitedBy | None,
) -> None:
    of = spec(**changes)

    decision = decide_once(of, look(of, pods(of, **there), **queue))

    assert (decision.replicas, decision.create, decision.limited_by) == (wanted, create, limit)


@pytest.mark.parametrize("what", ["queue", "workers", "both"])
def test_what_is_unknown_changes_nothing(what: str) -> None:
    of = spec()
    known = look(of, pods(of, ready=3, starting=2), ready=1)
    unknown = Unknown("QueueUnreachable", "no answer")
    observation = replace(
        known,
        queue=unknown if what != "workers" else known.queue,
        workers=unknown if what != "queue" else known.workers,
    )
    _, history = decide(of, known, History(), 100.0)

    decision, _ = decide(of, observation, history, 101.0)

    assert decision.changes_nothing
    assert decision.limited_by is LimitedBy.UNKNOWN
    assert "no answer" in decision.reason


def test_ready_workers_get_tokens_and_only_others_are_deleted() -> None:
    of = spec()
    observation = look(of, pods(of, ready=3, starting=2), ready=0, reserved=1)

    decision = decide_once(of, observation)
    # The first look after a start keeps what runs; the next one may let it go.
    _, history = decide(of, observation, History(), 100.0)
    later = replace(observation, queue=QueueReading(time=102.0, reserved=1, server="s"))
    decision, _ = decide(of, later, history, 102.0)

    assert {pod.state for pod in decision.delete} <= {WorkerState.STARTING}
    assert decision.tokens_to_put == 2
    assert decision.replicas == 1


def test_tokens_are_taken_back_when_load_returns() -> None:
    of = spec()
    observation = look(of, pods(of, ready=3), ready=3, tokens=2)

    decision = decide_once(of, observation)

    assert decision.tokens_to_take == 2
    assert decision.tokens_to_put == 0


def test_a_refusal_holds_creation_back_until_it_is_time_again() -> None:
    of = spec()
    first, history = decide(of, look(of, pods(of), ready=5), History(), 100.0)
    assert first.create == 5
    refused = replace(
        look(of, pods(of), now=101.0, ready=5), refusal=Refusal("QuotaExceeded", "no")
    )

    second, history = decide(of, refused, history, 101.0)
    later = replace(refused, queue=QueueReading(time=110.0, ready=5, server="s"))
    third, _ = decide(of, later, history, 110.0)

    assert (second.create, second.limited_by) == (0, LimitedBy.BACKOFF)
    assert third.create == 1


def test_an_image_that_is_not_checked_gets_no_pods() -> None:
    of = spec()
    waiting = Refusal("ImageNotChecked", final=True)

    decision = decide_once(of, replace(look(of, pods(of), ready=5), refusal=waiting))

    assert decision.create == 0


def test_a_new_template_starts_some_and_names_the_old_ones_only_when_they_are_replaced() -> None:
    of = spec(min_replicas=4)
    before = look(of, pods(of, outdated=4), reserved=4)

    decision, history = decide(of, before, History(), 100.0)

    assert 1 <= decision.create <= 2  # a quarter more, not all at once
    assert decision.retire == ()
    there = pods(of, outdated=4, ready=1)
    after, _ = decide(of, look(of, there, now=101.0, reserved=4), history, 101.0)
    assert len(after.retire) == 1


def test_pods_on_a_node_that_is_about_to_go_are_replaced() -> None:
    of = spec(min_replicas=1)
    (pod,) = pods(of, ready=1).pods
    leaving = Workers((replace(pod, node_draining=True),))

    decision = decide_once(of, look(of, leaving, reserved=1))

    assert decision.create == 1


def test_the_delay_keeps_workers_until_it_is_over() -> None:
    of = spec(replace(BY_DEPTH, scale_down_delay_seconds=60))
    workers = pods(of, ready=5)
    _, history = decide(of, look(of, workers, ready=5), History(), 100.0)

    soon, history = decide(of, look(of, workers, now=130.0), history, 130.0)
    late, _ = decide(of, look(of, workers, now=161.0), history, 161.0)

    assert (soon.replicas, soon.limited_by) == (5, LimitedBy.SCALE_DOWN_DELAY)
    assert late.replicas == 0


def test_a_target_in_seconds_needs_fewer_workers_for_shorter_jobs() -> None:
    short = spec(replace(BY_TARGET, expected_job_seconds=1), max_replicas=100)
    long = spec(replace(BY_TARGET, expected_job_seconds=60), max_replicas=100)

    few = decide_once(short, look(short, pods(short), ready=40)).replicas
    many = decide_once(long, look(long, pods(long), ready=40)).replicas

    assert 0 < few < many <= 40


states = st.fixed_dictionaries(
    {
        name: st.integers(0, 6)
        for name in ("ready", "starting", "waiting_for_node", "not_coming", "retiring", "outdated")
    }
)
queues = st.fixed_dictionaries(
    {"ready": st.integers(0, 200), "reserved": st.integers(0, 50), "tokens": st.integers(0, 5)}
)
specs = st.builds(
    lambda scaling, low, more, slots, stop: PoolSpec(
        "media", min_replicas=low, max_replicas=low + more, slots=slots, scaling=scaling,
        stop_policy=stop,
    ),
    st.sampled_from([BY_DEPTH, BY_TARGET, replace(BY_TARGET, min_idle=2)]),
    st.integers(0, 4),
    st.integers(0, 20),
    st.integers(1, 4),
    st.sampled_from(StopPolicy),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(specs, st.lists(st.tuples(states, queues, st.integers(0, 3)), min_size=1, max_size=8))
def test_whatever_is_seen_bounds_hold_and_no_ready_pod_is_deleted(
    of: PoolSpec, looks: list[tuple[dict[str, int], dict[str, int], int]]
) -> None:
    history, now = History(), 100.0
    for there, queue, pause in looks:
        now += pause
        observation = look(of, pods(of, **there), now=now, **queue)

        decision, after = decide(of, observation, history, now)

        assert (decision, after) == decide(of, observation, history, now)
        if of.stop_policy is StopPolicy.NONE:
            assert of.min_replicas <= decision.replicas <= of.max_replicas
        assert decision.create >= 0
        never = {WorkerState.READY, WorkerState.RETIRING}
        assert not [pod for pod in decision.delete if pod.state in never]
        assert {pod.state for pod in decision.retire} <= {WorkerState.READY}
        assert not (decision.tokens_to_put and decision.tokens_to_take)
        assert decision.reason
        history = after


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from([BY_DEPTH, BY_TARGET]))
def test_more_waiting_jobs_never_need_fewer_workers(less: int, more: int, how: Scaling) -> None:
    less, more = sorted((less, more))
    of = spec(how, max_replicas=100)

    few, many = [
        decide_once(of, look(of, pods(of, ready=2), ready=waiting)).replicas
        for waiting in (less, more)
    ]

    assert few <= many


def test_a_constant_load_is_answered_by_a_constant_number() -> None:
    of = spec(replace(BY_TARGET, scale_down_delay_seconds=30), max_replicas=50)
    workers = pods(of, ready=8)
    history, numbers = History(), []
    for second in range(300):
        now = 100.0 + second
        # Two jobs a second of five seconds each: ten slots' worth is more than eight have.
        queue = QueueReading(
            time=now, ready=2, reserved=8, total=2 * second, deleted=2 * second, server="s"
        )
        decision, history = decide(of, Observation(queue, workers), history, now)
        numbers.append(decision.replicas)

    assert len(set(numbers[120:])) == 1


def look_paused(of: PoolSpec, workers: Workers, now: float = 100.0, **queue: int) -> Observation:
    return replace(look(of, workers, now, **queue), facts=Facts(Pause(True)))


@pytest.mark.parametrize("scaling", [BY_DEPTH, BY_TARGET])
@pytest.mark.parametrize(
    ("changes", "there", "queue", "wanted", "limit"),
    [
        ({}, {}, {"ready": 30}, 0, LimitedBy.PAUSED),
        ({}, {"ready": 4}, {"ready": 30, "reserved": 4}, 4, LimitedBy.PAUSED),
        ({}, {"ready": 1}, {"reserved": 1}, 1, None),
        ({"min_replicas": 2}, {}, {"ready": 30}, 2, LimitedBy.MIN_REPLICAS),
        ({"stop_policy": StopPolicy.DRAIN}, {"ready": 2}, {"ready": 9}, 0, LimitedBy.STOP_POLICY),
    ],
)
def test_while_its_queue_is_paused_a_pool_does_not_grow(
    scaling: Scaling,
    changes: dict[str, Any],
    there: dict[str, int],
    queue: dict[str, int],
    wanted: int,
    limit: LimitedBy | None,
) -> None:
    of = spec(scaling, **changes)

    decision = decide_once(of, look_paused(of, pods(of, **there), **queue))

    assert (decision.replicas, decision.limited_by) == (wanted, limit)
    assert decision.create == max(0, wanted - sum(there.values()))
    if "stop_policy" not in changes:
        assert "the queue is paused" in decision.reason


def test_a_pause_lets_idle_workers_go_after_the_delay_and_its_end_brings_them_back() -> None:
    of = spec(Scaling(target_start_seconds=None, jobs_per_worker=1, scale_down_delay_seconds=60))
    workers, queue = pods(of, ready=5, starting=2), {"ready": 5, "reserved": 2}
    _, history = decide(of, look(of, workers, **queue), History(), 100.0)

    soon, history = decide(of, look_paused(of, workers, 101.0, **queue), history, 101.0)
    later, history = decide(of, look_paused(of, workers, 170.0, **queue), history, 170.0)
    resumed = replace(look(of, workers, 171.0, **queue), facts=Facts(Pause(False)))
    after, _ = decide(of, resumed, history, 171.0)

    assert soon.changes_nothing
    assert (soon.replicas, soon.limited_by) == (7, LimitedBy.SCALE_DOWN_DELAY)
    assert (later.replicas, later.tokens_to_put, len(later.delete)) == (2, 3, 2)
    assert after.replicas == 7


def test_a_pause_that_cannot_be_read_again_still_counts() -> None:
    of = spec()
    _, history = decide(of, look_paused(of, pods(of), ready=5), History(), 100.0)

    still, history = decide(of, look(of, pods(of), 101.0, ready=5), history, 101.0)

    assert still.create == 0
    assert decide_once(of, look(of, pods(of), ready=5)).create == 5


def late(*depths: tuple[float, int, int], now: float, target: float = 10) -> int:
    """Return the late entries of a queue that had (time, ever put, ready) entries."""
    history = QueueHistory()
    for time, total, ready in depths:
        history = follow(history, QueueReading(time, ready=ready, total=total, server="s"), 0)
    return late_entries(history, now, target)


@pytest.mark.parametrize(
    ("depths", "expected"),
    [
        ([(0, 5, 5), (9, 5, 5)], 0),
        ([(0, 5, 5), (11, 5, 5)], 5),
        # Two went and two came: of the five, two may be new.
        ([(0, 5, 5), (11, 7, 5)], 3),
        # It was empty in between, so that none is old.
        ([(0, 5, 5), (5, 5, 0), (11, 5, 5)], 0),
        ([(0, 5, 5), (11, 50, 50)], 5),
        ([(0, 5, 5), (11, 50, 4)], 0),
        # Nobody looked for too long: it begins again.
        ([(0, 5, 5), (100, 5, 5)], 0),
    ],
)
def test_only_entries_that_certainly_wait_for_long_are_late(
    depths: list[tuple[float, int, int]], expected: int
) -> None:
    assert late(*depths, now=depths[-1][0]) == expected
