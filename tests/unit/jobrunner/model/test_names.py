"""What names users may give, and which tubes they become: `zerog.model.names`."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerog.model import names
from zerog.model.errors import InvalidTubeNameError
from zerog.queue.beanstalk import wire

edges = st.sampled_from("az09")
queue_names = st.builds(
    lambda first, inner, last: first + inner + last,
    edges,
    st.text("abz019._-", max_size=62),
    edges,
)


@given(queue_names)
def test_a_queue_is_found_again_by_its_tube(queue: str) -> None:
    assert names.queue_of_tube(names.tube_name(queue)) == queue


@given(queue_names, queue_names)
def test_no_queue_has_the_tube_of_a_pool(queue: str, pool: str) -> None:
    assert names.tube_name(queue) != names.retire_tube_name(pool)
    assert names.queue_of_tube(names.retire_tube_name(pool)) is None


@given(queue_names)
def test_every_tube_is_one_that_beanstalkd_takes(queue: str) -> None:
    assert len(names.tube_name(queue)) <= 200
    assert len(names.retire_tube_name(queue)) <= 200


@pytest.mark.parametrize("name", ["a", "0", "media", "a.b_c-d", "a" * 64])
def test_a_good_name_is_taken(name: str) -> None:
    assert names.check_queue_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "a" * 65, "A", "-a", "a-", ".a", "a.", "_", "a b", "a\n", "a\r\nput 0", "é", "٣", "a/b"],
)
@pytest.mark.parametrize("make", [names.tube_name, names.retire_tube_name])
def test_any_other_name_is_refused_and_the_rule_is_said(make: object, name: str) -> None:
    assert callable(make)
    with pytest.raises(InvalidTubeNameError, match="1 to 64 of a-z, 0-9"):
        make(name)


@pytest.mark.parametrize(
    "tube",
    ["default", "", "zerog", "zerog.", "zerog-retire.a", "other.zerog.a", "zerog.A", "zerog.a+b"],
)
def test_a_foreign_tube_is_no_queues(tube: str) -> None:
    assert names.queue_of_tube(tube) is None


def test_a_workers_name_says_which_process_it_is() -> None:
    assert f"-{os.getpid()}-" in names.worker_name()


def test_no_two_workers_have_the_same_name() -> None:
    assert names.worker_name() != names.worker_name()


def test_a_workers_name_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "h" * 250)

    assert len(names.worker_name()) == 100
    assert f"-{os.getpid()}-" in names.worker_name()


@given(st.text(), st.text())
def test_every_process_has_a_mailbox_of_its_own_whatever_its_name(one: str, other: str) -> None:
    tubes = {names.mailbox_tube_name(one), names.mailbox_tube_name(other)}

    assert len(tubes) == len({one, other})
    for tube in tubes:
        assert wire.check_tube(tube) == tube
        assert names.queue_of_tube(tube) is None


def test_a_mailbox_is_named_like_its_process() -> None:
    assert names.mailbox_tube_name("media-x7k2p") == "zerog-mailbox.media-x7k2p"
