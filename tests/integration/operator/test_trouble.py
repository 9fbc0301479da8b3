"""What the cluster refuses, or cannot do: told in its own words, tried again, healed by itself."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from zerog.ledger.codec import read_record, write_record
from zerog.model import events, life
from zerog.model.record import (
    Cause,
    JobRecord,
    State,
    WorkerIdentity,
    new_job_id,
)
from zerog.store import open_datastore
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.process import wait_until

from .api_proxy import ApiProxy
from .conftest import DEADLINE_SECONDS, Stage, build_pool
from .queue_proxy import QueueProxy


def test_a_quota_that_is_full_is_told_and_heals(stage: Stage) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"pods": "0"}},
    }
    stage.cluster.kubectl("apply", "-n", stage.namespace, "-f", "-", stdin=yaml.safe_dump(quota))
    wait_until(
        lambda: "0/0" in stage.cluster.kubectl("get", "quota", "-n", stage.namespace),
        DEADLINE_SECONDS,
        "the quota counts",
    )
    stage.start_operator()
    stage.apply(build_pool())
    stage.put(5)

    wait_until(
        lambda: stage.condition("Scaling").get("reason") == "QuotaExceeded",
        DEADLINE_SECONDS,
        "the refusal is told",
    )
    assert "exceeded quota: none" in stage.condition("Scaling")["message"]
    assert stage.status()["lastDecision"]["limitedBy"] == "backoff"

    stage.cluster.kubectl("delete", "quota", "none", "-n", stage.namespace)

    first = wait_until(stage.pods, DEADLINE_SECONDS, "one is tried")
    stage.play_ready(first[0])
    stage.wait_for_pods(5)
    wait_until(
        lambda: stage.condition("Scaling").get("status") == "True", DEADLINE_SECONDS, "healed"
    )


def test_a_refusal_is_forgotten_when_nobody_is_lacking_any_more(stage: Stage) -> None:
    quota = ["create", "quota", "none", "--hard=pods=0", "-n", stage.namespace]
    stage.cluster.kubectl(*quota)
    wait_until(
        lambda: "0/0" in stage.cluster.kubectl("get", "quota", "-n", stage.namespace),
        DEADLINE_SECONDS,
        "the quota counts",
    )
    stage.start_operator()
    stage.apply(build_pool())
    stage.put(2)
    wait_until(
        lambda: stage.condition("Scaling").get("reason") == "QuotaExceeded",
        DEADLINE_SECONDS,
        "the refusal is told",
    )

    stage.take_all()

    wait_until(
        lambda: stage.condition("Ready").get("status") == "True", DEADLINE_SECONDS, "it is fine"
    )
    assert stage.pods() == []


def test_a_missing_service_account_and_forbidden_pods_are_told_and_heal(stage: Stage) -> None:
    stage.cluster.kubectl(
        "label", "namespace", stage.namespace, "pod-security.kubernetes.io/enforce=restricted"
    )
    stage.start_operator()
    nobody = build_pool("nobody", minReplicas=1)
    nobody["spec"]["template"]["spec"]["serviceAccountName"] = "nobody"
    stage.apply(nobody)
    stage.apply(build_pool("rough", minReplicas=1))

    wait_until(
        lambda: stage.condition("Scaling", "nobody").get("reason") == "ServiceAccountMissing",
        DEADLINE_SECONDS,
        "the missing account is told",
    )
    wait_until(
        lambda: stage.condition("Scaling", "rough").get("reason") == "AdmissionDenied",
        DEADLINE_SECONDS,
        "the refused pod is told",
    )
    assert "violates PodSecurity" in stage.condition("Scaling", "rough")["message"]
    missing = stage.condition("Scaling", "nobody")["message"]
    assert 'serviceaccount "nobody" not found' in missing

    stage.cluster.kubectl(
        "label", "namespace", stage.namespace, "--overwrite",
        "pod-security.kubernetes.io/enforce=privileged",
    )  # fmt: skip
    stage.cluster.kubectl("create", "serviceaccount", "nobody", "-n", stage.namespace)

    stage.wait_for_pods(2)
    for name in ("nobody", "rough"):
        wait_until(
            lambda name=name: stage.condition("Scaling", name)["status"] == "True",  # type: ignore[misc]
            DEADLINE_SECONDS,
            f"{name} is healed",
        )


def test_an_image_that_cannot_be_pulled_is_told_in_the_clusters_words(stage: Stage) -> None:
    stage.start_operator()
    stage.apply(build_pool(minReplicas=1))
    (pod,) = stage.wait_for_pods(1)
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "acme:1"'}
    container = {"name": "worker", "image": "acme:1", "imageID": "", "ready": False,
                 "restartCount": 0, "state": {"waiting": waiting}}  # fmt: skip

    stage.play(pod, {"phase": "Pending", "containerStatuses": [container]})

    wait_until(
        lambda: stage.condition("Scaling").get("reason") == "ImagePullBackOff",
        DEADLINE_SECONDS,
        "the reason is told",
    )
    assert 'Back-off pulling image "acme:1"' in stage.condition("Scaling")["message"]
    assert stage.condition("Ready")["status"] == "False"


def test_an_out_of_memory_kill_is_told_in_an_event(stage: Stage) -> None:
    stage.start_operator()
    stage.apply(build_pool(minReplicas=1))
    (pod,) = stage.wait_for_pods(1)
    ended = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-01-01T00:00:00Z"}
    container = {"name": "worker", "image": "acme:1", "imageID": "", "ready": False,
                 "restartCount": 1, "state": {}, "lastState": {"terminated": ended}}  # fmt: skip

    stage.play(pod, {"phase": "Running", "containerStatuses": [container]})

    wait_until(
        lambda: (
            "WorkerOutOfMemory" in stage.cluster.kubectl("get", "events", "-n", stage.namespace)
        ),
        DEADLINE_SECONDS,
        "the event",
    )
    assert 'cause="OutOfMemory"' in stage.metrics()


def test_the_cause_of_a_death_is_written_into_the_jobs_record(stage: Stage, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'zerog.db'}"
    stage.start_operator(ZEROG_STORE=store)
    stage.apply(build_pool(minReplicas=1))
    (pod,) = stage.wait_for_pods(1)
    now = datetime.now(UTC)
    record = JobRecord(new_job_id(), "Noop", "media", now, now)
    worker = WorkerIdentity(pod["metadata"]["name"])
    claimed = life.step(record, events.Claimed(worker, 1), now).record

    async def insert() -> None:
        opened = await open_datastore(store)
        await opened.insert("jobs", claimed.uuid, write_record(claimed))
        await opened.close()

    async def read() -> JobRecord:
        opened = await open_datastore(store)
        stored = await opened.get("jobs", claimed.uuid)
        await opened.close()
        assert stored is not None
        return read_record(stored.document)

    asyncio.run(insert())
    finished = (now + timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    ended = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": finished}
    container = {"name": "worker", "image": "acme:1", "imageID": "", "ready": False,
                 "restartCount": 1, "state": {}, "lastState": {"terminated": ended}}  # fmt: skip

    stage.play(pod, {"phase": "Running", "containerStatuses": [container]})

    wait_until(
        lambda: asyncio.run(read()).state is State.WAITING, DEADLINE_SECONDS, "the cause is written"
    )
    told = asyncio.run(read())
    assert told.attempts[0].cause is Cause.OUT_OF_MEMORY
    assert told.crashes == 1


def test_a_new_image_is_described_before_workers_use_it(stage: Stage) -> None:
    stage.start_operator(ZEROG_CHECK_IMAGES="1")
    stage.apply(build_pool(minReplicas=1))
    (pod,) = stage.wait_for_pods(1, "describe")
    command = pod["spec"]["containers"][0]["command"]
    assert command == ["zerog", "describe", "--register", "acme.jobs"]
    assert stage.pods() == []

    stage.play(pod, {"phase": "Succeeded"})

    stage.wait_for_pods(1)
    wait_until(
        lambda: stage.condition("TypesRegistered").get("status") == "True",
        DEADLINE_SECONDS,
        "the types are registered",
    )


def test_an_image_that_cannot_be_described_gets_no_workers(stage: Stage) -> None:
    stage.start_operator(ZEROG_CHECK_IMAGES="1")
    stage.apply(build_pool(minReplicas=1))
    (pod,) = stage.wait_for_pods(1, "describe")
    said = {"reason": "Error", "exitCode": 2, "message": "No module named 'acme'"}
    container = {"name": "worker", "image": "acme:1", "imageID": "", "ready": False,
                 "restartCount": 0, "state": {"terminated": said}}  # fmt: skip

    stage.play(pod, {"phase": "Failed", "containerStatuses": [container]})

    wait_until(
        lambda: stage.condition("TypesRegistered").get("status") == "False",
        DEADLINE_SECONDS,
        "the failure is told",
    )
    assert "No module named 'acme'" in stage.condition("TypesRegistered")["message"]
    assert stage.pods() == []


def test_the_standby_acts_soon_after_the_active_one_was_killed_and_not_before(
    stage: Stage,
) -> None:
    first = stage.start_operator(lease=True)
    stage.apply(build_pool(minReplicas=1))
    stage.wait_for_pods(1)
    api, queue = ApiProxy(stage.cluster), QueueProxy(stage.beanstalkd.port)
    account = stage.cluster.kubeconfig_of("zerog-operator", stage.namespace)
    try:
        kubeconfig = str(api.kubeconfig(account))
        stage.start_operator(lease=True, KUBECONFIG=kubeconfig, ZEROG_QUEUE=queue.address)
        wait_until(
            lambda: "zerog_operator_active 0.0" in stage.metrics(1), DEADLINE_SECONDS, "a standby"
        )
        stage.put(2)
        stage.wait_for_pods(2)
        stage.take_all()
        stage.wait_for_pods(1)
        seen = len(api.calls)
        wait_until(lambda: len(api.calls) >= seen + 2, DEADLINE_SECONDS, "it looks at the Lease")
        assert {call.method for call in api.calls} == {"GET"}
        assert all("/leases/" in call.path for call in api.calls)
        assert queue.calls == []

        stage.stop(first, signal.SIGKILL)

        wait_until(lambda: queue.calls, DEADLINE_SECONDS, "the standby acts")
        stage.put(3)
        stage.wait_for_pods(3)
        assert "zerog_operator_active 1.0" in stage.metrics(1)
    finally:
        stage.kill_operators()
        api.close()
        queue.close()


def test_the_standby_acts_at_once_after_a_clean_end(stage: Stage) -> None:
    first = stage.start_operator(lease=True)
    stage.apply(build_pool(minReplicas=1))
    stage.wait_for_pods(1)
    stage.start_operator(lease=True)
    wait_until(
        lambda: "zerog_operator_active 0.0" in stage.metrics(1), DEADLINE_SECONDS, "a standby"
    )

    assert stage.stop(first) == 0

    # That it is at once is proven over virtual time.
    wait_until(
        lambda: "zerog_operator_active 1.0" in stage.metrics(1), DEADLINE_SECONDS, "taken over"
    )


def test_who_cannot_renew_the_lease_stops_acting_and_ends(stage: Stage) -> None:
    api = ApiProxy(stage.cluster)
    account = stage.cluster.kubeconfig_of("zerog-operator", stage.namespace)
    try:
        operator = stage.start_operator(lease=True, KUBECONFIG=str(api.kubeconfig(account)))
        stage.apply(build_pool(minReplicas=1))
        stage.wait_for_pods(1)
        api.fail(lambda call: call.on("PUT", "leases"), 500, "InternalError")
        log = stage.folder / "operator-0.log"
        wait_until(lambda: "the Lease is lost" in log.read_text(), DEADLINE_SECONDS, "it is lost")
        seen = len(api.calls)

        stage.put(3)

        assert operator.wait(DEADLINE_SECONDS) == 1
        assert {call.method for call in api.calls[seen:]} <= {"GET"}
        assert len(stage.pods()) == 1
    finally:
        stage.kill_operators()
        api.close()


@pytest.mark.usefixtures("own_clusters")
def test_an_api_server_that_comes_back_is_followed_again(tmp_path: Path) -> None:
    with ControlPlane("restarted") as cluster:
        cluster.create_namespace("stage")
        stage = Stage(cluster, "stage", tmp_path)
        stage.prepare()
        try:
            stage.start_operator()
            stage.apply(build_pool(minReplicas=1))
            stage.wait_for_pods(1)
            cluster.processes["kube-apiserver"].kill()
            stage.put(3)
            # Longer than what was seen counts as fresh: it is asked for every second.
            log = tmp_path / "operator-0.log"
            wait_until(
                lambda: log.read_text().count("WARNING the API server does not answer") > 5,
                DEADLINE_SECONDS,
                "it is missed",
            )
            cluster.start_server("kube-apiserver")

            stage.wait_for_pods(3)
            assert stage.operators[0].poll() is None
        finally:
            stage.close()
            print((tmp_path / "operator-0.log").read_text()[-3000:])
