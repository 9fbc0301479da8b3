"""Each entry stands for itself, whatever is in it, in its record, and in the store."""

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger.claiming import Worker
from tests.ledger.jobs import ME, OTHER

from zerog.ledger import claims
from zerog.ledger.claims import Claim, Suspect
from zerog.ledger.mailboxes import NUDGE
from zerog.ledger.workers import Beat
from zerog.model import events, jsontext
from zerog.model.documents import input_key
from zerog.model.errors import DatastoreUnavailableError, QueueUnavailableError
from zerog.model.limits import MAX_SECONDS
from zerog.model.names import mailbox_tube_name
from zerog.model.record import Cause, JobRecord, Limits, State, new_job_id
from zerog.queue.port import Entry

LARGE = {"a": 1}
#: An attempt that a worker of the name "other" holds.
BY_OTHER = events.Claimed(OTHER, 1)


@pytest.fixture
def worker() -> Worker:
    return Worker()


async def test_a_claim_is_written_and_names_its_worker(worker: Worker) -> None:
    uuid = await worker.add(parameters=LARGE)

    (claim,) = await worker.claim(uuid)

    assert isinstance(claim, Claim)
    assert (claim.uuid, claim.parameters, claim.record.attempt) == (uuid, LARGE, 1)
    assert claim.record == await worker.read(uuid)
    assert claim.record.current_attempt is not None
    assert claim.record.current_attempt.worker == ME


async def test_an_entry_of_a_job_that_has_moved_to_another_queue_is_dropped(
    worker: Worker,
) -> None:
    uuid = await worker.add(queue="large")

    assert await worker.claim(uuid) == [None]

    assert worker.queue.items == {}
    assert (await worker.read(uuid)).state is State.QUEUED


async def test_a_job_is_vouched_for_before_its_claim_is_written(worker: Worker) -> None:
    uuids = [await worker.add() for _ in range(3)]

    for uuid in uuids:
        worker.store.writes.clear()
        await worker.claim(uuid)

    assert worker.vouched == dict.fromkeys(uuids, False)


async def test_each_of_a_batch_is_vouched_for_at_once(worker: Worker) -> None:
    """And not only after the whole batch was claimed."""
    slow, fast = await worker.add(parameters=None, has_input_blob=True), await worker.add()
    await worker.store.insert("blobs", input_key(slow), {"parameters": {}})

    await worker.claim(slow, fast)

    assert set(worker.vouched) == {slow, fast}


async def test_a_job_that_is_not_run_here_is_not_vouched_for(worker: Worker) -> None:
    finished, unserved = await worker.add(), await worker.add(type="U")
    running = (await worker.running(OTHER)).record.uuid
    await worker.happen(finished, events.CancelRequested())

    await worker.claim(unserved, running, new_job_id())

    assert worker.vouched == {}


# Whatever is in an entry


UPPER_CASE = "01890000-0000-7000-8000-00000000000A"
ODD_BODIES = ["", "x" * 60_000, "\x00\ufffd", "select 1", "{}", UPPER_CASE]


@pytest.mark.parametrize("body", ODD_BODIES)
async def test_an_entry_that_names_no_job_is_buried(worker: Worker, body: str) -> None:
    good = await worker.add()

    odd, claim = await worker.claim(body, good)

    assert odd is None
    assert [place.body for place in worker.queue.items.values() if place.state == "buried"] == [
        body
    ]
    assert isinstance(claim, Claim)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=10)
    | st.sampled_from(["running", "queued", "waiting", "2026-01-01T00:00:00Z", 10**30]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
FIELDS = [
    "uuid", "type", "queue", "state", "priority", "limits", "parameters", "hasInputBlob",
    "notBeforeTime", "attempt", "errors", "crashes", "entryId", "attempts", "createdTime",
    "changedTime", "jobState", "cancelRequestedTime",
]  # fmt: skip


@given(
    st.text(st.characters(codec="utf-8"), max_size=50),
    st.dictionaries(st.sampled_from(FIELDS), json_values, min_size=1, max_size=3),
    json_values,
)
async def test_whatever_one_entry_record_or_blob_holds_the_others_are_claimed(
    body: str, changes: dict[str, Any], blob: Any
) -> None:
    worker = Worker()
    first, odd, blobbed, last = [await worker.add() for _ in range(4)]
    document = (await worker.jobs.read(odd)).document
    await worker.store.upsert("jobs", odd, {**document, **changes})
    document = (await worker.jobs.read(blobbed)).document
    await worker.store.upsert("jobs", blobbed, {**document, "hasInputBlob": True})
    await worker.store.upsert("blobs", input_key(blobbed), {"parameters": blob})

    results = await worker.claim(first, body, odd, blobbed, last)

    assert isinstance(results[0], Claim)
    assert isinstance(results[-1], Claim)
    assert not any(isinstance(result, BaseException) for result in results)


async def test_a_record_of_another_job_is_none_of_this_entry(worker: Worker) -> None:
    uuid, other = await worker.add(), await worker.add()
    for foreign in (other, "", "x" * 300):
        document = (await worker.jobs.read(other)).document
        await worker.store.upsert("jobs", uuid, {**document, "uuid": foreign})

        assert await worker.claim(uuid) == [None]

    assert {place.state for place in worker.queue.items.values()} == {"buried"}
    assert (await worker.read(other)).state is State.QUEUED


@pytest.mark.parametrize("collection", ["jobs", "blobs"])
async def test_a_store_that_fails_for_one_entry_leaves_the_others_claimed(
    worker: Worker, collection: str
) -> None:
    odd = await worker.add(parameters=None, has_input_blob=True)
    await worker.store.insert("blobs", input_key(odd), {"parameters": LARGE})
    good = await worker.add()
    if collection == "jobs":
        worker.store.fail_next("away")
    else:
        worker.store.away["blobs"] = 1

    results = await worker.claim(odd, good)

    errors = [result for result in results if isinstance(result, DatastoreUnavailableError)]
    assert len(errors) == 1
    assert len([result for result in results if isinstance(result, Claim)]) == 1
    (claim,) = [c for c in await worker.claim(odd, good) if isinstance(c, Claim)]
    assert claim.record.attempt == 1  # the one that failed was not claimed before


async def test_a_store_that_is_away_fails_every_entry_and_raises_nothing(worker: Worker) -> None:
    uuids = [await worker.add(), await worker.add()]
    worker.store.away["jobs"] = 1

    results = await worker.claim(*uuids)
    # worker.add(), await worker.add())

    assert [type(result) for result in results] == [DatastoreUnavailableError] * 2


async def test_a_queue_that_fails_for_one_entry_leaves_the_others_claimed(worker: Worker) -> None:
    good = await worker.add()
    worker.queue.away = True

    odd, claim = await worker.claim("no UUID", good)

    assert isinstance(odd, QueueUnavailableError)
    assert isinstance(claim, Claim)


async def test_a_bug_in_one_look_leaves_the_others_claimed(worker: Worker) -> None:
    odd, good = await worker.add(), await worker.add()

    def vouch(entry: Entry, record: JobRecord) -> None:
        if record.uuid == odd:
            raise RuntimeError("a bug")

    results = await worker.claimer.claim_all(worker.queue, worker.reserve(odd, good), vouch)

    assert isinstance(results[0], RuntimeError)
    assert isinstance(results[1], Claim)


# Where entries belong


async def test_the_entry_of_a_finished_job_is_deleted(worker: Worker) -> None:
    uuid = await worker.add()
    await worker.happen(uuid, events.CancelRequested())

    assert await worker.claim(uuid) == [None]
    assert worker.queue.bodies() == []


async def test_the_entry_of_an_unknown_job_is_looked_at_again_and_then_buried(
    worker: Worker,
) -> None:
    uuid = new_job_id()
    (entry,) = worker.reserve(uuid)
    place = worker.queue.items[entry.id]

    for reserves in range(1, claims.MAX_UNKNOWN_RESERVES + 1):
        place.reserves, place.state = reserves, "reserved"
        await worker.claimer.claim_all(worker.queue, [entry], worker.vouch)
        last = reserves == claims.MAX_UNKNOWN_RESERVES
        assert place.state == ("buried" if last else "delayed")


async def test_a_job_that_is_not_due_is_delayed_again(worker: Worker) -> None:
    uuid = await worker.running()
    await worker.happen(uuid.record.uuid, events.Continued(1, 50.0))

    assert await worker.claim(uuid.record.uuid) == [None]

    (place,) = worker.queue.items.values()
    assert place.state == "delayed"
    assert 49 <= place.delay <= 50


async def test_a_delay_of_centuries_is_one_that_beanstalkd_can_express(worker: Worker) -> None:
    document = (await worker.jobs.read(await worker.add())).document
    await worker.store.upsert(
        "jobs", document["uuid"], {**document, "notBeforeTime": "9999-12-31T23:59:59Z"}
    )

    assert await worker.claim(document["uuid"]) == [None]

    (place,) = worker.queue.items.values()
    assert place.delay == MAX_SECONDS


async def test_a_job_that_another_worker_claims_just_now_is_looked_at_again(
    worker: Worker,
) -> None:
    uuid = await worker.add()
    worker.store.fail_next("conflict", lambda: worker.happen(uuid, BY_OTHER))

    assert await worker.claim(uuid) == [None]

    (place,) = worker.queue.items.values()
    assert (place.state, place.delay) == ("delayed", claims.HELD_SECONDS)
    found = await worker.read(uuid)
    assert found.current_attempt is not None
    assert found.current_attempt.worker == OTHER


async def test_a_claim_that_was_written_unknown_to_its_worker_is_its_own(worker: Worker) -> None:
    uuid = await worker.add()
    worker.store.fail_next("lost")

    (claim,) = await worker.claim(uuid)

    assert isinstance(claim, Claim)
    assert claim.kept == await worker.jobs.read(uuid)
    assert claim.record.attempt == 1


# Parameters


async def test_a_job_whose_parameters_cannot_be_read_now_stays_unclaimed(worker: Worker) -> None:
    uuid = await worker.add(parameters=None, has_input_blob=True)
    await worker.store.insert("blobs", input_key(uuid), {"parameters": LARGE})
    worker.store.away["blobs"] = 1

    (error,) = await worker.claim(uuid)

    assert isinstance(error, DatastoreUnavailableError)
    assert (await worker.read(uuid)).attempt == 0
    (claim,) = await worker.claim(uuid)
    assert claim.parameters == LARGE


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (None, "its parameters are missing in the datastore"),
        ({"parameters": [1]}, "its parameters cannot be read"),
        ({}, "its parameters cannot be read"),
    ],
)
async def test_a_job_never_runs_with_other_parameters_than_its_own(
    worker: Worker, blob: dict[str, Any] | None, message: str
) -> None:
    uuid = await worker.add(
        parameters=None, has_input_blob=True, limits=Limits(max_errors=2, backoff_seconds=0)
    )
    if blob is not None:
        await worker.store.insert("blobs", input_key(uuid), blob)

    assert await worker.claim(uuid) == [None]
    waiting = await worker.read(uuid)
    assert await worker.claim(uuid) == [None]
    failed = await worker.read(uuid)

    assert (waiting.state, failed.state, failed.result_code) == (State.WAITING, State.FAILED, 500)
    assert failed.message is not None
    assert failed.message.startswith(message)
    assert [attempt.cause for attempt in failed.attempts] == [Cause.ERROR] * 2


# Types that nobody here knows


async def test_an_unserved_job_says_so_and_pauses_longer_each_time(worker: Worker) -> None:
    uuid = await worker.add(type="U")
    (entry,) = worker.reserve(uuid)
    pauses = []

    for _ in range(12):
        worker.queue.items[entry.id].state = "reserved"
        await worker.claimer.claim_all(worker.queue, [entry], worker.vouch)
        pauses.append(worker.queue.items[entry.id].delay)

    # Half of each pause is by chance.
    assert pauses[0] <= 2
    assert pauses[3] > 2
    assert all(30 <= pause <= 60 for pause in pauses[-6:])
    record = await worker.read(uuid)
    assert record.state is State.QUEUED
    assert record.message == "no worker of queue default that has seen it knows the type U"
    assert [method for method, *_ in worker.store.writes] == ["insert", "replace"]  # once


async def test_an_unserved_type_is_logged_once_a_minute(
    worker: Worker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [1000.0]
    monkeypatch.setattr("zerog.ledger.claims.time.monotonic", lambda: seconds[0])
    uuids = [await worker.add(type="U") for _ in range(5)]
    other = await worker.add(type="V")

    with caplog.at_level(logging.WARNING):
        await worker.claim(*uuids, other)
        await worker.claim(*uuids, other)
        seconds[0] += claims.LOG_SECONDS
        await worker.claim(*uuids)

    assert [record.args for record in caplog.records] == [("U",), ("V",), ("U",)]


async def test_a_running_job_of_an_unserved_type_is_somebody_elses(worker: Worker) -> None:
    kept = await worker.running(OTHER, type="U")

    assert await worker.claim(kept.record.uuid) == [None]

    assert (await worker.read(kept.record.uuid)).state is State.RUNNING


# Jobs that run elsewhere


async def suspect(worker: Worker) -> Suspect:
    """Return the entry of a job that another worker runs, as far as its record says."""
    kept = await worker.running(OTHER, limits=Limits(max_crashes=1, retain_failed_seconds=60))
    (found,) = await worker.claim(kept.record.uuid)
    assert isinstance(found, Suspect)
    return found


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """What watching a worker says, without the waiting."""
    said: dict[str, bool] = {}

    async def vouches(store: object, name: str, uuid: str, own: Beat, server: str) -> bool:
        return said[name]

    monkeypatch.setattr(claims, "vouches", vouches)
    return said


async def test_a_job_of_a_living_worker_is_left_to_it(
    worker: Worker, verdicts: dict[str, bool]
) -> None:
    found = await suspect(worker)
    verdicts["other"] = True

    await worker.claimer.inspect(worker.queue, found)

    assert (await worker.read(found.kept.record.uuid)).state is State.RUNNING
    assert worker.queue.items[found.entry.id].delay == claims.HELD_SECONDS


async def test_a_nudge_that_its_worker_did_not_take_is_taken_back(
    worker: Worker, verdicts: dict[str, bool]
) -> None:
    found = await suspect(worker)
    worker.queue.heard.add(mailbox_tube_name("other"))
    verdicts["other"] = True

    await worker.claimer.inspect(worker.queue, found)

    assert NUDGE not in worker.queue.bodies()


async def test_a_worker_is_nudged_before_it_is_watched_and_again_when_it_lost_its_job(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may live: then it must stop what it runs."""
    tube = mailbox_tube_name("other")
    worker.queue.heard.add(tube)

    async def is_silent(*_: object) -> bool:
        (nudge,) = [item for item in worker.queue.items.values() if item.tube == tube]
        return nudge.body != NUDGE

    monkeypatch.setattr(claims, "vouches", is_silent)

    await worker.claimer.inspect(worker.queue, await suspect(worker))

    assert [item.tube for item in worker.queue.items.values()] == [tube]


async def test_nobody_is_watched_who_cannot_be_nudged(worker: Worker) -> None:
    found = await suspect(worker)
    worker.queue.away = True

    with pytest.raises(QueueUnavailableError):
        await worker.claimer.inspect(worker.queue, found)

    assert (await worker.read(found.kept.record.uuid)).state is State.RUNNING


async def test_what_lies_beside_a_job_that_its_dead_worker_used_up_expires_with_it(
    worker: Worker, verdicts: dict[str, bool]
) -> None:
    found = await suspect(worker)
    uuid = found.kept.record.uuid
    await worker.store.upsert("progress", uuid, {"attempt": 1, "completeness": 0.5})
    verdicts["other"] = False

    await worker.claimer.inspect(worker.queue, found)
    await worker.jobs.leftovers.flush()

    assert worker.queue.bodies() == []
    assert (await worker.read(uuid)).state is State.FAILED
    assert worker.store.seconds_left("progress", uuid) == 60
    assert worker.store.seconds_left("jobs", uuid) == 60


async def test_a_dead_workers_job_runs_again_after_a_pause(
    worker: Worker, verdicts: dict[str, bool]
) -> None:
    kept = await worker.running(OTHER)
    (found,) = await worker.claim(kept.record.uuid)
    verdicts["other"] = False

    await worker.claimer.inspect(worker.queue, found)

    record = await worker.read(kept.record.uuid)
    assert (record.state, record.crashes) == (State.WAITING, 1)
    assert worker.queue.items[found.entry.id].state == "delayed"


async def test_a_job_that_ended_meanwhile_keeps_its_end(
    worker: Worker, verdicts: dict[str, bool]
) -> None:
    found = await suspect(worker)
    uuid = found.kept.record.uuid
    verdicts["other"] = False
    await worker.happen(uuid, events.Returned(1))

    await worker.claimer.inspect(worker.queue, found)

    assert (await worker.read(uuid)).state is State.SUCCEEDED
    assert worker.queue.items[found.entry.id].state == "ready"


async def test_a_second_entry_of_a_running_job_is_deleted(worker: Worker) -> None:
    uuid = await worker.add()
    own = worker.queue.add(uuid, state="reserved")
    kept = await worker.happen(uuid, events.Claimed(OTHER, own))
    (second,) = worker.reserve(uuid)

    await worker.claimer.inspect(worker.queue, Suspect(second, kept))

    assert list(worker.queue.items) == [own]


async def test_an_id_of_another_server_makes_no_second_entry(
    worker: Worker, verdicts: dict[str, bool]
) -> None:
    """Ids start again with a server that lost its disk: the noted one is another job's."""
    uuid = await worker.add()
    foreign = worker.queue.add("another job", state="reserved")
    kept = await worker.happen(uuid, events.Claimed(OTHER, foreign))
    (entry,) = worker.reserve(uuid)
    verdicts["other"] = True

    await worker.claimer.inspect(worker.queue, Suspect(entry, kept))

    assert len(worker.queue.items) == 2


async def test_known_types_are_taken_and_no_others(worker: Worker) -> None:
    known, unknown = await worker.add(), await worker.add(type="U")

    results = await worker.claim(known, unknown)

    assert [isinstance(result, Claim) for result in results] == [True, False]


async def test_a_record_that_cannot_be_written_is_buried_and_the_others_are_claimed(
    worker: Worker,
) -> None:
    bad, good = await worker.add(), await worker.add()
    document = (await worker.jobs.read(bad)).document
    text = jsontext.dumps({**document, "parameters": {"n": 5}}).replace(b'"n":5', b'"n":1e999')
    worker.store.damage("jobs", bad, text)

    odd, claim = await worker.claim(bad, good)

    assert odd is None
    assert isinstance(claim, Claim)
    assert [item.body for item in worker.queue.items.values() if item.state == "buried"] == [bad]
