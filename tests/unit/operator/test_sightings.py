"""The index of pods put right by what was created and by lists."""

from zerog_operator.model import WorkerPod, WorkerState
from zerog_operator.pods import PodFacts
from zerog_operator.sightings import LIST_SECONDS, UNSEEN_SECONDS, Sightings

POOL, OTHER = ("n", "media"), ("n", "other")


def pod(uid: str) -> PodFacts:
    worker = WorkerPod(uid, uid, "1", 0.0, WorkerState.STARTING, "t")
    return PodFacts(worker, "worker", "Pending", False, None)


def listed(sightings: Sightings, indexed: list[str], there: dict[str, PodFacts]) -> None:
    """Let a list find these."""
    sightings.begin_list(frozenset(indexed), 100.0)
    missing = {uid: (POOL, facts) for uid, facts in there.items() if uid not in indexed}
    sightings.end_list(there.keys(), missing)


def uids(sightings: Sightings, *indexed: str, pool: tuple[str, str] = POOL) -> list[str]:
    return [facts.worker.uid for facts in sightings.merge(pool, [pod(uid) for uid in indexed])]


def test_a_created_pod_is_there_before_the_watch_shows_it_and_only_once_afterwards() -> None:
    sightings = Sightings()

    sightings.note_created(POOL, pod("b"))

    assert uids(sightings, "a") == ["a", "b"]
    assert uids(sightings, pool=OTHER) == []
    assert uids(sightings, "a", "b") == ["a", "b"]
    # Shown once it is the watch's: its end is, too.
    assert uids(sightings, "a") == ["a"]


def test_a_created_pod_whose_end_was_shown_before_anybody_looked_is_gone() -> None:
    sightings = Sightings()
    sightings.note_created(POOL, pod("a"))

    sightings.settle("a")

    assert uids(sightings) == []


def test_a_created_pod_that_a_later_list_does_not_have_is_gone() -> None:
    sightings = Sightings()
    sightings.note_created(POOL, pod("a"))

    listed(sightings, [], {})

    assert uids(sightings) == []


def test_a_list_that_was_begun_before_a_creation_says_nothing_of_it() -> None:
    sightings = Sightings()
    sightings.begin_list(frozenset(), 100.0)
    sightings.note_created(POOL, pod("a"))

    sightings.end_list([], {})

    assert uids(sightings) == ["a"]


def test_what_a_list_has_and_the_watch_does_not_show_is_there() -> None:
    sightings = Sightings()

    listed(sightings, ["a"], {"a": pod("a"), "b": pod("b")})

    assert uids(sightings, "a") == ["a", "b"]


def test_what_ended_while_a_list_was_read_does_not_come_back() -> None:
    sightings = Sightings()
    sightings.begin_list(frozenset(["a"]), 100.0)
    sightings.settle("b")

    sightings.end_list(["a", "b"], {"b": (POOL, pod("b"))})

    assert uids(sightings, "a") == ["a"]


def test_what_the_watch_shows_and_a_list_does_not_have_is_gone() -> None:
    sightings = Sightings()

    listed(sightings, ["a", "b"], {"a": pod("a")})

    assert uids(sightings, "a", "b", "c") == ["a", "c"]


def test_a_list_is_due_at_the_start_now_and_then_and_sooner_in_doubt() -> None:
    sightings = Sightings()
    assert sightings.is_list_due(100.0)

    listed(sightings, [], {})
    assert not sightings.is_list_due(100.0 + UNSEEN_SECONDS)
    assert sightings.is_list_due(100.0 + LIST_SECONDS)

    sightings.note_created(POOL, pod("a"))
    assert sightings.is_list_due(100.0 + UNSEEN_SECONDS)

    listed(sightings, [], {})
    sightings.doubt()
    assert sightings.is_list_due(100.0)
