"""What is written into the status, and what is left as it was."""

from typing import Any

import pytest

from zerog_operator.conditions import (
    FIGURES_SECONDS,
    IDLE_FIGURES_SECONDS,
    MAX_NAMED,
    build_status,
    event_type,
    news,
    transitions,
    was_paused,
)
from zerog_operator.model import (
    Decision,
    Facts,
    LimitedBy,
    Observation,
    Pause,
    QueueReading,
    Rates,
    Refusal,
    Unknown,
    WorkerPod,
    Workers,
    WorkerState,
)
from zerog_operator.pool import PoolSpec, Scaling, StopPolicy
from zerog_operator.slo import decimal

SPEC = PoolSpec("media")
NOW = 1_800_000_000.0
AWAY = Unknown("QueueUnreachable", "no answer")


def status(
    before: dict[str, Any],
    *,
    decision: Decision | None = None,
    now: float = NOW,
    refusal: Refusal | None = None,
    unserved: tuple[str, ...] | None = None,
    facts: Facts | None = None,
    spec: PoolSpec = SPEC,
    workers: Workers | None = None,
    **queue: Any,
) -> dict[str, Any]:
    reading = QueueReading(time=now, **queue)
    facts = facts or Facts(unserved=unserved)
    observation = Observation(reading, workers or Workers(), refusal, facts=facts)
    decided = decision or Decision(0, "nothing to do")
    return build_status(spec, observation, decided, before, generation=1, now=now)


def condition(found: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(item for item in found["conditions"] if item["type"] == kind)


@pytest.mark.parametrize("what", [Observation(AWAY, AWAY), Observation(AWAY, Workers())])
def test_what_is_unknown_leaves_the_numbers_as_they_were(what: Observation) -> None:
    before = status({}, decision=Decision(5, "5 ready", retiring=2), ready=5)
    decision = Decision(0, "cannot be read", LimitedBy.UNKNOWN)

    after = build_status(SPEC, what, decision, before, generation=1, now=NOW + 1)

    for key in ("desiredReplicas", "replicas", "readyReplicas", "retiring", "queue"):
        assert after[key] == before[key]
    assert after["lastDecision"]["replicas"] == 5
    assert "lastScaleTime" not in after
    assert condition(after, "Ready")["status"] != "True"


@pytest.mark.parametrize(
    ("seconds", "queue", "written"),
    [
        (FIGURES_SECONDS + 1, {}, False),
        (IDLE_FIGURES_SECONDS + 1, {}, True),
        (FIGURES_SECONDS + 1, {"buried": 1}, True),
        (1, {"ready": 3}, True),
    ],
)
def test_an_idle_pool_is_seldom_written(
    seconds: float, queue: dict[str, Any], written: bool
) -> None:
    before = status({})

    after = status(before, now=NOW + seconds, **queue)

    assert (after != before) is written


def test_figures_that_move_all_the_time_are_written_now_and_then() -> None:
    before = status({}, ready=5)

    soon = status(before, now=NOW + 1, ready=4)
    later = status(soon, now=NOW + FIGURES_SECONDS, ready=3)

    assert soon["queue"]["ready"] == 5
    assert later["queue"]["ready"] == 3


def waits_for_a_node(name: str, created: float, message: str) -> WorkerPod:
    state = WorkerState.WAITING_FOR_NODE
    return WorkerPod(
        name, name, "1", created, state, "t", reason="Unschedulable", message=message
    )  # fmt: skip


def test_that_nodes_are_waited_for_is_told_in_the_words_that_the_first_in_the_line_got() -> None:
    old = waits_for_a_node("media-z", 1.0, "0/3 nodes are available: 3 Insufficient cpu.")
    young = waits_for_a_node("media-a", 2.0, "0/0 nodes are available")
    before = status({})

    after = status(before, workers=Workers((young, old)))

    nodes = condition(after, "WaitingForNodes")
    assert (nodes["status"], nodes["reason"]) == ("True", "Unschedulable")
    assert nodes["message"] == (
        "2 workers wait for a node: media-z: 0/3 nodes are available: 3 Insufficient cpu."
    )
    assert condition(after, "Ready")["status"] == "True"
    assert (after["replicas"], after["waitingForNode"], after["starting"]) == (2, 2, 0)
    assert transitions(before, after) == [nodes]
    assert event_type(nodes) == "Normal"


def test_where_no_pod_waits_for_a_node_nothing_is_told_of_it_on_the_first_visit() -> None:
    found = status({})

    assert condition(found, "WaitingForNodes")["status"] == "False"
    assert transitions({}, found) == []


def test_a_refusal_is_told_in_the_servers_own_words_and_is_gone_with_it() -> None:
    refused = status({}, refusal=Refusal("QuotaExceeded", "exceeded quota: none"))

    assert condition(refused, "Ready")["message"] == "exceeded quota: none"
    assert condition(status(refused), "Ready")["status"] == "True"


def test_types_that_no_worker_knows_are_named_with_what_to_do_and_leave_the_pool_ready() -> None:
    found = status({}, unserved=("Send", "Sort"))

    served = condition(found, "TypesServed")
    assert (served["status"], served["reason"]) == ("False", "TypesUnserved")
    assert "Send, Sort: start workers from an image that does, or cancel" in served["message"]
    assert condition(found, "Ready")["status"] == "True"
    assert served in transitions({}, found)


def test_of_very_many_unserved_types_some_are_named_and_the_rest_is_counted() -> None:
    unserved = tuple(f"Type{number}" for number in range(MAX_NAMED + 5))

    message = condition(status({}, unserved=unserved), "TypesServed")["message"]

    assert "Type0, Type1" in message
    assert f"Type{MAX_NAMED - 1} and 5 more: " in message


@pytest.mark.parametrize("unserved", [("Send",), ()])
def test_while_the_unserved_types_are_unknown_their_condition_stays(
    unserved: tuple[str, ...],
) -> None:
    before = status({}, unserved=unserved)

    after = status(before, now=NOW + 1)

    assert condition(after, "TypesServed") == condition(before, "TypesServed")
    assert transitions(before, after) == []


def test_where_the_unserved_types_were_never_known_there_is_no_condition() -> None:
    assert "TypesServed" not in {item["type"] for item in status({})["conditions"]}


def test_types_that_are_served_again_are_told_as_a_transition() -> None:
    before = status({}, unserved=("Send",))

    after = status(before, now=NOW + 1, unserved=())

    (item,) = transitions(before, after)
    assert (item["type"], item["status"]) == ("TypesServed", "True")


PAUSED = Facts(Pause(True, "since 2026-01-01T00:00:00Z by ann: the disk is full"))
NOT_PAUSED = Facts(Pause(False))


def test_a_paused_queue_is_told_with_who_and_why_and_so_is_its_end() -> None:
    before = status({}, facts=NOT_PAUSED)

    during = status(before, facts=PAUSED)
    after = status(during, facts=NOT_PAUSED)

    (began,), (ended,) = transitions(before, during), transitions(during, after)
    assert (began["type"], began["status"], began["reason"]) == ("Paused", "True", "QueuePaused")
    assert "paused since 2026-01-01T00:00:00Z by ann: the disk is full. Until" in began["message"]
    assert (ended["status"], ended["reason"]) == ("False", "NotPaused")
    assert {event_type(began), event_type(ended)} == {"Normal"}
    assert condition(during, "Ready")["status"] == "True"
    assert [was_paused(it) for it in (before, during, after)] == [False, True, False]


def test_while_it_is_unknown_whether_the_queue_is_paused_the_condition_stays() -> None:
    for known in (PAUSED, NOT_PAUSED):
        before = status({}, facts=known)

        after = status(before, now=NOW + 1, facts=Facts())

        assert condition(after, "Paused") == condition(before, "Paused")


def test_a_stop_policy_is_told_before_a_pause() -> None:
    held = PoolSpec("media", stop_policy=StopPolicy.HOLD)

    assert condition(status({}, facts=PAUSED, spec=held), "Paused")["reason"] == "Held"


HOUR = Facts(hour={"started": 100, "w3": 90, "w6": 10})


def test_the_share_of_jobs_that_started_in_time_is_in_the_status() -> None:
    assert status({}, facts=HOUR)["slo"] == {
        "targetSeconds": 10,
        "attainedLastHour": "0.900",
        "p95Seconds": "20",
    }


def test_without_a_target_only_the_waits_are_told() -> None:
    by_depth = Scaling(target_start_seconds=None, jobs_per_worker=1)

    found = status({}, facts=HOUR, spec=PoolSpec("media", scaling=by_depth))

    assert found["slo"] == {"p95Seconds": "20"}


@pytest.mark.parametrize("facts", [Facts(), Facts(hour={}), Facts(hour={"accepted": 4})])
def test_where_nothing_is_known_to_have_started_no_share_is_told(facts: Facts) -> None:
    before = status({}, facts=HOUR)

    assert "slo" not in status(before, now=NOW + 1, facts=facts)


def test_jobs_that_wait_too_long_are_missed_though_nothing_starts() -> None:
    decision = Decision(0, "no pod comes", rates=Rates(late=3))

    assert status({}, decision=decision, facts=Facts(hour={}))["slo"] == {
        "targetSeconds": 10,
        "attainedLastHour": "0.000",
    }


def test_a_share_that_moves_all_the_time_is_written_with_the_figures_of_the_queue() -> None:
    before = status({}, facts=HOUR)
    moved = Facts(hour={"started": 101, "w3": 90, "w6": 11})

    soon = status(before, now=NOW + 1, facts=moved)
    later = status(soon, now=NOW + IDLE_FIGURES_SECONDS + 1, facts=moved)

    assert soon == before
    assert later["slo"]["attainedLastHour"] == "0.891"


def test_what_attempts_took_is_in_the_status_with_the_figures_of_the_queue() -> None:
    def took(seconds: int) -> Facts:
        return Facts(hour={"ended": 1}, types={"T": {"ended": 1, "ran": 1000 * seconds, "r5": 1}})

    before = status({}, facts=took(5))
    soon = status(before, now=NOW + 1, facts=took(6))
    later = status(soon, now=NOW + IDLE_FIGURES_SECONDS + 1, facts=took(6))

    assert before["usage"]["types"][0]["busySeconds"] == 5
    assert soon == before
    assert later["usage"]["busySeconds"] == 6


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.0123, "0.0123"), (1.239, "1.24"), (99.96, "100"), (3600.0, "3600"), (86400.4, "86400")],
)
def test_a_number_as_text_has_no_exponent(seconds: float, told: str) -> None:
    assert decimal(seconds) == told


def test_what_ready_says_for_another_condition_is_told_once() -> None:
    before = status({})
    scaled = Observation(AWAY, Workers(), Refusal("QuotaExceeded", "none is left"))
    decision = Decision(0, "cannot be read", LimitedBy.UNKNOWN)

    away = build_status(SPEC, scaled, decision, before, generation=1, now=NOW)
    back = status(away)

    assert {item["reason"] for item in transitions(before, away)} == {
        "QueueUnreachable",
        "QuotaExceeded",
    }
    assert [item["reason"] for item in news(before, away)] == ["QueueUnreachable", "QuotaExceeded"]
    assert [item["reason"] for item in news(away, back)] == ["PoolWorks"]
