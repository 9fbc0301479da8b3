"""Rights on queues: what is asked, what a listing is narrowed to, what a refusal says."""

import asyncio

import pytest

from zerog_api.auth.access import DENY, OPEN, CheckedAccess, Verb, restrict
from zerog_api.calls.overview import narrow
from zerog_api.problems import Problem


def access_to(*queues: str | None, verb: Verb = Verb.LIST) -> CheckedAccess:
    """Return the rights of somebody who may in these queues; None stands for all."""

    async def may(queue: str | None) -> bool:
        return queue in queues or None in queues

    async def valid() -> bool:
        return True

    return CheckedAccess("shop", verb, may, valid)


async def test_a_refusal_names_caller_and_verb_and_no_queue() -> None:
    with pytest.raises(Problem) as caught:
        await access_to("mail", verb=Verb.CREATE).require("media")

    assert (caught.value.status, caught.value.code) == (403, "forbidden")
    assert caught.value.detail == "shop may not create jobs in this queue"


async def test_what_was_asked_is_remembered_for_the_audit_log() -> None:
    access = access_to("mail")

    await access.require("mail")
    await access.require("mail")
    access.note("one", "two")

    assert access.asked
    assert (access.queues, access.jobs) == (["mail"], ["one", "two"])


async def test_a_listing_of_a_queue_needs_the_right_to_that_queue() -> None:
    assert await restrict(access_to("mail"), ["mail"], ["mail", "media"]) == ["mail"]

    with pytest.raises(Problem) as caught:
        await restrict(access_to("mail"), ["mail", "media"], ["mail", "media"])

    assert caught.value.status == 403


async def test_a_listing_without_a_queue_shows_what_is_allowed() -> None:
    assert await restrict(access_to("mail", "old"), [], ["mail", "media"]) == ["mail"]


async def test_whoever_may_see_all_queues_gets_those_that_nobody_knows_too() -> None:
    assert await restrict(access_to(None), [], ["mail"]) == []


async def test_whoever_may_see_nothing_is_refused_instead_of_shown_everything() -> None:
    with pytest.raises(Problem) as caught:
        await restrict(access_to(), [], ["mail"])

    assert caught.value.status == 403


async def test_a_long_call_ends_with_the_token_or_the_right() -> None:
    async def allowed(queue: str | None) -> bool:
        return True

    async def ended() -> bool:
        return False

    async def unknown() -> bool:
        raise Problem(503, "authentication-unavailable", "away")

    assert await access_to("mail").still("mail")
    assert not await access_to("mail").still("media")
    assert not await CheckedAccess("shop", Verb.GET, allowed, ended).still("mail")
    assert not await CheckedAccess("shop", Verb.GET, allowed, unknown).still("mail")


async def test_without_authentication_everything_is_allowed() -> None:
    await OPEN.require("any")
    await OPEN.require_metrics()

    assert await OPEN.everywhere()
    assert await OPEN.among(["a", "b"]) == ["a", "b"]
    assert await OPEN.still("any")


async def test_rights_in_many_queues_are_asked_for_together() -> None:
    asked: list[str | None] = []
    all_asked = asyncio.Event()

    async def may(queue: str | None) -> bool:
        asked.append(queue)
        if len(asked) == 3:
            all_asked.set()
        await all_asked.wait()
        return queue != "secret"

    async def valid() -> bool:
        return True

    access = CheckedAccess("shop", Verb.LIST, may, valid)

    async with asyncio.timeout(60):
        assert await access.among(["mail", "secret", "media"]) == ["mail", "media"]


async def test_as_long_as_nobody_is_known_everything_is_denied() -> None:
    for question in (DENY.require("mail"), DENY.require_metrics()):
        with pytest.raises(Problem) as refused:
            await question
        assert refused.value.status == 403
    assert await DENY.among(["mail"]) == []
    assert not await DENY.everywhere()
    assert not await DENY.still()


async def test_an_overview_shows_the_queues_that_a_caller_may_see() -> None:
    document = {
        "times": [1],
        "queues": [{"name": "mail"}, {"name": "media"}],
        "types": [{"queue": "mail", "name": "A"}, {"queue": "media", "name": "B"}],
    }

    assert await narrow(access_to("mail"), document) == {
        "times": [1],
        "queues": [{"name": "mail"}],
        "types": [{"queue": "mail", "name": "A"}],
    }
