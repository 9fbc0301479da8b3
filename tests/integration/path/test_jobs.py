"""What jobs do, seen through API and worker."""

import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from zerog.client import ApiError, JobFailedError

from .conftest import DEADLINE_SECONDS, System, on_both_stores, until

pytestmark = on_both_stores


@pytest.mark.parametrize("value", [None, 0, "text", [1, 2.5, None], {"a": {"b": "ü"}}])
def test_a_job_returns_its_data(shared: System, value: Any) -> None:
    uuid = shared.client.submit("Echo", {"value": value})

    assert shared.client.result(uuid, DEADLINE_SECONDS) == value


def test_an_async_job_returns_its_data(shared: System) -> None:
    uuid = shared.client.submit("AsyncEcho", {"value": 5})

    assert shared.client.result(uuid, DEADLINE_SECONDS) == 5


def test_the_result_code_is_minus_one_while_a_job_runs(shared: System) -> None:
    uuid, hold = shared.submit_held()

    info = shared.client.info(uuid)

    assert info["resultCode"] == -1
    with pytest.raises(ApiError) as refusal:
        shared.client.data(uuid)
    assert refusal.value.status == 409
    hold.touch()
    assert shared.client.wait(uuid, DEADLINE_SECONDS)["resultCode"] == 200


def test_progress_moves_while_a_job_runs_and_ends_at_one(shared: System, tmp_path: Path) -> None:
    # Each step is begun when what came before has been seen.
    uuid = shared.client.submit("Followed", {"folder": str(tmp_path), "steps": 4})
    events = []
    for event in shared.client.stream(uuid):
        events.append(event)
        if event.kind == "progress":
            (tmp_path / f"{event.data['completeness']:.2f}").touch()

    seen = [e.data["completeness"] for e in events if e.kind == "progress"]
    assert seen == sorted(seen)
    assert set(seen) >= {0.25, 0.5, 0.75, 1.0}
    assert seen[-1] == 1.0
    assert [e.data["message"] for e in events if e.kind == "log"] == [f"step {n}" for n in range(4)]


def test_nothing_that_was_reported_is_lost(shared: System) -> None:
    uuid = shared.client.submit("Loud")

    assert shared.client.result(uuid, DEADLINE_SECONDS) == 1.0
    messages = [line["message"] for line in shared.client.log(uuid)]
    assert messages == [f"line {n}" for n in range(0, 50_000, 100)]


def test_a_failing_job_is_tried_again_and_then_fails_with_500(shared: System) -> None:
    uuid = shared.client.submit("Failing")

    with pytest.raises(JobFailedError) as failure:
        shared.client.result(uuid, DEADLINE_SECONDS)

    assert failure.value.result_code == 500
    assert "this never works" in str(failure.value)
    assert shared.causes(uuid) == ["error", "error"]
    assert len(shared.client.info(uuid)["errors"]) == 2


def test_state_survives_a_retry(shared: System) -> None:
    uuid = shared.client.submit("Recovering")

    assert shared.client.result(uuid, DEADLINE_SECONDS) == {"tried": 2}


def test_a_job_continues_as_often_as_it_likes_and_chooses_its_code(shared: System) -> None:
    uuid = shared.client.submit("Counting", {"until": 4})

    progress = shared.client.wait(uuid, DEADLINE_SECONDS)

    assert (progress["state"], progress["resultCode"]) == ("succeeded", 207)
    assert shared.client.data(uuid) == {"n": 4}
    assert shared.causes(uuid) == ["continued"] * 3 + ["succeeded"]


@pytest.mark.parametrize(("code", "state"), [(204, "succeeded"), (418, "failed"), (-1, "failed")])
def test_a_job_may_finish_itself_with_a_code(shared: System, code: int, state: str) -> None:
    uuid = shared.client.submit("Choosing", {"code": code})

    progress = shared.client.wait(uuid, DEADLINE_SECONDS)

    assert progress["state"] == state
    assert progress["resultCode"] == (code if code > 0 else 500)


@pytest.mark.parametrize("how", ["exit", "kill", "segfault", "closepipe"])
def test_a_dying_process_is_a_crash_and_the_job_runs_again_at_once(
    shared: System, how: str
) -> None:
    uuid = shared.client.submit("Dying", {"how": how})

    assert shared.client.result(uuid, DEADLINE_SECONDS) == "alive"
    assert shared.causes(uuid) == ["crash", "succeeded"]


def test_crashes_are_limited(shared: System) -> None:
    uuid = shared.client.submit("Dying", {"how": "exit", "always": True})

    assert shared.client.wait(uuid, DEADLINE_SECONDS)["resultCode"] == 500
    assert shared.causes(uuid) == ["crash"] * 3


def test_sys_exit_is_an_error_and_not_a_crash(shared: System) -> None:
    uuid = shared.client.submit("Dying", {"how": "sysexit"})

    until(lambda: shared.causes(uuid) == ["error"])
    shared.client.cancel(uuid)


def test_a_memory_hog_harms_only_itself(shared: System) -> None:
    hog = shared.client.submit("Dying", {"how": "memory"})
    other = shared.client.submit("Echo", {"value": 1})

    assert shared.client.result(other, DEADLINE_SECONDS) == 1
    until(lambda: shared.causes(hog))
    shared.client.cancel(hog)


def test_a_messy_job_leaves_nothing_to_the_next(shared: System) -> None:
    first = shared.client.result(shared.client.submit("Messy"), DEADLINE_SECONDS)

    until(lambda: not Path(f"/proc/{first['sleeper']}").exists(), what="the sleeper is gone")
    for _ in range(4):
        after = shared.client.result(shared.client.submit("Messy"), DEADLINE_SECONDS)
        assert after["cwd"] == first["cwd"] == os.getcwd()
        assert after["env"] is None
        assert after["pid"] != first["pid"]


def test_a_timeout_ends_the_job_with_408_and_keeps_its_last_report(shared: System) -> None:
    uuid = shared.client.submit("Slow")

    progress = shared.client.wait(uuid, DEADLINE_SECONDS)

    assert (progress["state"], progress["resultCode"]) == ("failed", 408)
    assert progress["completeness"] == 0.5
    assert shared.causes(uuid) == ["timeout"]


@pytest.mark.parametrize("job", ["Polite", "Stubborn"])
def test_a_running_job_is_cancelled_politely_or_by_force(shared: System, job: str) -> None:
    uuid = shared.client.submit(job)
    until(lambda: shared.client.progress(uuid)["state"] == "running")

    shared.client.cancel(uuid)

    progress = shared.client.wait(uuid, DEADLINE_SECONDS)
    assert (progress["state"], progress["resultCode"]) == ("cancelled", 410)


def test_a_cancelled_job_may_clean_up(shared: System, tmp_path: Path) -> None:
    uuid = shared.client.submit("Careful", {"path": str(tmp_path / "note")})
    shared.running(uuid)

    shared.client.cancel(uuid)

    assert shared.client.wait(uuid, DEADLINE_SECONDS)["state"] == "cancelled"
    assert (tmp_path / "note").read_text() == "cleaned up"


def test_a_waiting_job_is_cancelled_at_once(shared: System) -> None:
    uuid = shared.client.submit("Echo", delay=3600)

    progress = shared.client.cancel(uuid)

    assert (progress["state"], progress["resultCode"]) == ("cancelled", 410)


def test_a_finished_job_is_replayed_and_its_attempts_go_on(shared: System) -> None:
    uuid = shared.client.submit("Failing")
    shared.client.wait(uuid, DEADLINE_SECONDS)

    shared.client.retry(uuid)

    assert shared.client.wait(uuid, DEADLINE_SECONDS)["state"] == "failed"
    assert [a["number"] for a in shared.client.info(uuid)["attempts"]] == [1, 2, 3, 4]


def test_a_finished_job_is_forgotten(shared: System) -> None:
    uuid = shared.client.submit("Echo", {"value": 1})
    shared.client.wait(uuid, DEADLINE_SECONDS)

    answer = httpx.delete(f"http://127.0.0.1:{shared.port}/v1/jobs/{uuid}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Length" not in answer.headers
    with pytest.raises(ApiError) as refusal:
        shared.client.progress(uuid)
    assert refusal.value.status == 404


def test_large_parameters_and_data_have_documents_of_their_own(shared: System) -> None:
    uuid = shared.client.submit("Big", {"size": 3_000_000, "text": "y" * 100_000})

    assert len(shared.client.result(uuid, DEADLINE_SECONDS)) == 3_000_000
    assert len(shared.client.get(uuid)["parameters"]["text"]) == 100_000


@pytest.mark.parametrize("size", [-1, 20 * 1024 * 1024])
def test_output_that_cannot_be_kept_fails_the_job_once_and_says_so(
    shared: System, size: int
) -> None:
    uuid = shared.client.submit("Big", {"size": size})

    assert shared.client.wait(uuid, DEADLINE_SECONDS)["resultCode"] == 500
    info = shared.client.info(uuid)
    assert "cannot be kept" in info["errors"][0]["message"]
    assert info["attempt"] == 1


def test_output_that_nests_too_deeply_fails_the_job_and_is_no_crash(shared: System) -> None:
    uuid = shared.client.submit("Deep", {"depth": 199})

    assert shared.client.wait(uuid, DEADLINE_SECONDS)["state"] == "failed"
    assert shared.causes(uuid) == ["finished"]
    assert "cannot be kept" in shared.client.info(uuid)["errors"][0]["message"]
    assert shared.client.result(shared.client.submit("Deep", {"depth": 150}), DEADLINE_SECONDS)


def test_an_idempotency_key_runs_a_job_once(shared: System, tmp_path: Path) -> None:
    parameters = {"path": str(tmp_path / "runs"), "steps": 1}

    uuids = {shared.client.submit("Steps", parameters, idempotency_key="k") for _ in range(3)}

    assert len(uuids) == 1
    shared.client.wait(uuids.pop(), DEADLINE_SECONDS)
    assert len((tmp_path / "runs").read_text().splitlines()) == 1


def test_a_batch_is_taken_whole_or_not_at_all(shared: System) -> None:
    before = len(list(shared.client.list(types=["Echo"])))

    with pytest.raises(ApiError) as refusal:
        shared.client.submit_many(
            [{"type": "Echo"}, {"type": "Choosing", "parameters": {"code": "x"}}]
        )

    assert refusal.value.faults[0][0] == "$.jobs[1].parameters.code"
    assert len(list(shared.client.list(types=["Echo"]))) == before
    uuids = shared.client.submit_many(
        [{"type": "Echo", "parameters": {"value": n}} for n in range(50)]
    )
    assert [shared.client.result(uuid, DEADLINE_SECONDS) for uuid in uuids] == list(range(50))
