"""What every datastore does beside documents: changes are noticed, leases taken, an end made."""

import asyncio
import itertools

from tests.integration.store.conftest import LetPass

from zerog.model.errors import DocumentExistsError
from zerog.store.port import Datastore, PatchOp


async def test_the_version_changes_with_each_kind_of_write(store: Datastore) -> None:
    revision = await store.insert("jobs", "key", {"n": 1})
    seen = [await store.version()]

    for write in (
        store.replace("jobs", "key", {"n": 2}, revision),
        store.patch("jobs", "key", [PatchOp("incr", ("n",), 1)]),
        store.upsert("progress", "key", {}),
        store.expire("progress", "key", 3600.0),
        store.remove("jobs", "key"),
    ):
        await write
        seen.append(await store.version())

    if None in seen:
        assert set(seen) == {None}, "a store knows its version, or never does"
    else:
        assert all(before != after for before, after in itertools.pairwise(seen))


async def test_the_version_stays_while_nothing_is_written(store: Datastore) -> None:
    await store.insert("jobs", "key", {})
    before = await store.version()

    await store.get("jobs", "key")
    await store.scan("jobs")

    assert await store.version() == before


async def test_a_lease_is_had_by_one_owner(store: Datastore) -> None:
    assert await store.try_lock("repair", "me", seconds=60) is True
    assert await store.try_lock("repair", "you", seconds=60) is False
    assert await store.try_lock("repair", "me", seconds=60) is True


async def test_leases_of_other_names_are_free(store: Datastore) -> None:
    await store.try_lock("repair", "me", seconds=60)

    assert await store.try_lock("sweep", "you", seconds=60) is True


async def test_of_many_who_want_a_lease_one_gets_it(store: Datastore) -> None:
    got = await asyncio.gather(
        *(store.try_lock("repair", f"owner {n}", seconds=60) for n in range(20))
    )

    assert sum(got) == 1


async def test_a_lease_that_ran_out_goes_to_who_asks_next(
    store: Datastore, let_pass: LetPass
) -> None:
    await store.try_lock("repair", "me", seconds=60)

    await let_pass(65.0)

    assert await store.try_lock("repair", "you", seconds=60) is True
    assert await store.try_lock("repair", "me", seconds=60) is False


async def test_a_lease_may_be_prolonged(store: Datastore, let_pass: LetPass) -> None:
    await store.try_lock("repair", "me", seconds=60)
    await let_pass(40.0)
    await store.try_lock("repair", "me", seconds=60)
    await let_pass(40.0)

    assert await store.try_lock("repair", "you", seconds=60) is False


async def test_an_open_store_is_ready(store: Datastore) -> None:
    await store.ready()


async def test_writes_that_fail_leave_those_beside_them_alone(store: Datastore) -> None:
    revision = await store.insert("jobs", "taken", {"text": "no number"})

    outcomes = await asyncio.gather(
        store.insert("jobs", "first", {}),
        store.insert("jobs", "taken", {}),
        store.insert("jobs", "second", {}, durable=True),
        store.replace("jobs", "taken", {}, "no such revision"),
        store.insert("jobs", "third", {}),
        store.patch("jobs", "taken", [PatchOp("incr", ("text",), 1)]),
        store.insert("jobs", "fourth", {}),
        store.patch("jobs", "taken", [PatchOp("set", ("text",), float("nan"))]),
        store.insert("jobs", "fifth", {}),
        return_exceptions=True,
    )

    failed = [isinstance(outcome, Exception) for outcome in outcomes]
    assert failed == [False, True] * 4 + [False], outcomes
    assert isinstance(outcomes[1], DocumentExistsError)
    assert {"first", "second", "third", "fourth", "fifth", "taken"} == set(await store.scan("jobs"))
    kept = await store.get("jobs", "taken")
    assert kept is not None
    assert kept.revision == revision


async def test_a_caller_who_gives_up_does_no_harm_to_the_others(store: Datastore) -> None:
    tasks = [asyncio.ensure_future(store.insert("jobs", f"key {n}", {})) for n in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    await store.insert("jobs", "afterwards", {})

    found = await store.scan("jobs")
    assert {f"key {n}" for n in range(1, 20, 2)} | {"afterwards"} <= set(found)


async def test_close_finishes_the_writes_under_way(store: Datastore) -> None:
    tasks = [asyncio.ensure_future(store.insert("jobs", f"key {n}", {})) for n in range(300)]
    await asyncio.sleep(0)

    await store.close()

    assert len(set(await asyncio.gather(*tasks))) == 300


async def test_close_may_be_called_again(store: Datastore) -> None:
    await store.close()
    await store.close()
