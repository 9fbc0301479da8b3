"""A slot: whatever goes wrong with one entry, job or answer ends that, and never the slot."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.queue.memory import MemoryQueue
from tests.unit.jobrunner.worker.stand_ins import TYPE, Rig, ScriptedChild, returns

from zerog.child.protocol import EndFrame, RunFrame, ToChild, encode
from zerog.model import events
from zerog.model.documents import WorkerDocument, write
from zerog.model.record import Limits, State, new_job_id
from zerog.worker.pace import LEFT_BACKOFF, SPLIT_SECONDS


def frame_bytes(document: Any) -> bytes:
    body = json.dumps(document).encode()
    return len(body).to_bytes(4, "big") + body


async def test_a_job_runs_and_its_entry_is_deleted() -> None:
    rig = Rig(returns({"n": 1}))
    uuid = await rig.submit()
    async with rig.working():
        record = await rig.ended(uuid)

    assert record.state is State.SUCCEEDED
    assert record.data == {"n": 1}
    assert rig.queue.items == {}


async def test_jobs_given_back_while_a_child_starts_are_not_run() -> None:
    rig = Rig()
    rig.nursery.fork_seconds = 0
    first = await rig.submit()
    async with rig.working():
        await rig.ended(first)
        rig.nursery.fork_seconds = 2 * SPLIT_SECONDS
        rig.slot._seat.clear()
        second = await rig.submit()
        async with asyncio.timeout(60):
            while not (await rig.record(second)).attempts:
                await asyncio.sleep(0)
        record = await rig.ended(second)

    assert record.state in (State.QUEUED, State.SUCCEEDED)


@pytest.mark.parametrize("delay", [5e9, 1e300, 1.8e12, -1.0])
async def test_a_delay_that_no_queue_can_hold_ends_the_job_and_not_the_worker(delay: float) -> None:
    rig = Rig()
    bad = await rig.submit(limits=Limits(max_errors=1, max_crashes=1))
    rig.nursery.answer = lambda frame: (
        (
            frame_bytes(
                {
                    "op": "end",
                    "run": frame.run,
                    "end": {"event": "continued", "attempt": 1, "delaySeconds": delay},
                }
            ),
            True,
        )
        if frame.uuid == bad
        else returns("well")(frame)
    )
    async with rig.working():
        assert (await rig.ended(bad)).state is State.FAILED
        assert (await rig.ended(await rig.submit())).data == "well"


async def test_a_job_that_cannot_be_sent_ends_and_the_slot_runs_the_next() -> None:
    rig = Rig()
    bad = await rig.submit(limits=Limits(max_errors=1))

    class Refusing(ScriptedChild):
        def send(self, frame: ToChild) -> None:
            if isinstance(frame, RunFrame) and frame.uuid == bad:
                raise RuntimeError("no")
            super().send(frame)

    async def fork() -> ScriptedChild:
        return Refusing(returns("well"))

    rig.nursery.fork = fork  # type: ignore[method-assign]
    async with rig.working():
        assert (await rig.ended(bad)).state is State.FAILED
        assert (await rig.ended(await rig.submit())).data == "well"
    assert rig.queue.items == {}


async def test_entries_are_settled_on_the_connection_that_reserved_them() -> None:
    rig = Rig()
    first, lost = await rig.submit(), rig.queue
    write_record = rig.store.replace

    async def lose_queue(*args: Any, **kwargs: Any) -> str:
        if args[2]["state"] == "succeeded":
            lost.closed = lost.away = True
            rig.queue = MemoryQueue()
            rig.store.replace = write_record  # type: ignore[method-assign]
        return await write_record(*args, **kwargs)

    rig.store.replace = lose_queue  # type: ignore[method-assign]
    async with rig.working():
        await rig.ended(first)
        await rig.ended(await rig.submit())

    assert rig.queue.items == {}


async def test_a_stored_delay_far_away_ends_no_worker() -> None:
    rig = Rig()
    far = await rig.submit(not_before_time=datetime.now(UTC) + timedelta(days=365_000))
    async with rig.working():
        assert (await rig.ended(await rig.submit())).state is State.SUCCEEDED
    assert next(iter(rig.queue.items.values())).state == "delayed"
    assert (await rig.record(far)).attempt == 0


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)
#: Fields that mean something, with values that may not.
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["end", "line", "state", "progress", "types", ""]) | JSON,
        "end": st.fixed_dictionaries(
            {"event": st.sampled_from(["returned", "continued", "raised", "invalid", "stopped"])},
            optional={
                "attempt": st.just(1) | JSON,
                "delaySeconds": JSON,
                "retrySeconds": JSON,
                "code": JSON,
                "message": JSON,
                "data": JSON,
                "state": JSON,
            },
        )
        | JSON,
        "completeness": JSON,
        "seq": JSON,
        "time": JSON,
        "level": JSON,
        "message": JSON,
        "data": JSON,
        "state": JSON,
        "spoiled": JSON,
        "rssBytes": JSON,
    },
)
ENDS: st.SearchStrategy[events.RunEnd] = st.one_of(
    st.builds(events.Returned, st.just(1), code=st.integers(0, 9999), data=JSON),
    st.builds(events.Continued, st.just(1), st.floats(1, 366 * 86400)),
    st.builds(events.Raised, st.just(1), st.text(), st.none() | st.floats(0, 366 * 86400)),
    st.builds(events.Invalid, st.just(1), st.text()),
    st.builds(events.Stopped, st.just(1)),
)
#: What a process may say before it dies: an end (then it lives), frames of any kind, any bytes.
SAID = st.one_of(ENDS, st.lists(FIELDS, max_size=3), st.binary())


def say(said: Any, frame: RunFrame) -> tuple[bytes, bool]:
    """Return what the process sends, and whether it lives on."""
    match said:
        case bytes():
            return said, False
        case list():
            return b"".join(frame_bytes({"run": frame.run, **fields}) for fields in said), False
        case _:
            return encode(EndFrame(frame.run, said)), True


@given(st.lists(SAID, min_size=1, max_size=4))
async def test_whatever_processes_say_the_slot_runs_the_next_job(said: list[Any]) -> None:
    rig = Rig()
    answers: dict[str, Any] = {}
    for item in said:
        answers[await rig.submit(limits=Limits(max_errors=1, max_crashes=1))] = item
    rig.nursery.answer = lambda frame: (
        say(answers[frame.uuid], frame) if frame.uuid in answers else returns("well")(frame)
    )
    async with rig.working():
        for uuid in answers:
            assert (await rig.ended(uuid)).attempt == 1
        assert (await rig.ended(await rig.submit())).data == "well"


@given(
    st.lists(st.dictionaries(st.text(max_size=9) | st.sampled_from(["state", "type", "attempts",
             "limits", "uuid", "queue", "createdTime", "changedTime", "notBeforeTime", "attempt"]),
             JSON, max_size=8), min_size=1, max_size=4),
    st.lists(st.text(max_size=40), max_size=3),
)  # fmt: skip
async def test_whatever_is_stored_or_queued_the_slot_runs_the_next_job(
    documents: list[dict[str, Any]], bodies: list[str]
) -> None:
    rig = Rig()
    for document in documents:
        uuid = new_job_id()
        await rig.store.insert("jobs", uuid, document)
        rig.queue.add(uuid)
    for body in bodies:
        rig.queue.add(body)
    async with rig.working():
        assert (await rig.ended(await rig.submit())).state is State.SUCCEEDED


async def test_a_slot_that_meets_only_other_versions_jobs_pauses_after_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig, pauses = Rig(), list[float]()
    now = datetime.now(UTC)
    other = WorkerDocument(
        "other", ["default"], [TYPE], 1, [], "running", now, now, 1, takes={TYPE: "new"}
    )
    await rig.store.upsert("workers", "other", write(other))
    for _ in range(30):
        await rig.submit(schema_hash="new")

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(rig.slot, "_pause", pause)
    async with rig.working():
        async with asyncio.timeout(60):
            while any(item.state != "delayed" for item in rig.queue.items.values()):
                await asyncio.sleep(0)

    assert len(pauses) >= 29
    assert min(pauses[10:]) >= LEFT_BACKOFF.max_seconds / 2
