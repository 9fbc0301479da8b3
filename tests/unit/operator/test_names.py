"""Names are valid, and nothing else has them: whatever pools and namespaces are called."""

import re

from hypothesis import given
from hypothesis import strategies as st

from zerog.model.names import is_queue_name
from zerog_operator.names import describe_pod_name, retire_key, worker_pod_name

#: What the API server accepts as a pod's name; a worker's is its host's name, too.
_POD_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
MAX_NAME = 63

_ends = st.text("ab0", min_size=1, max_size=3)
#: Many have a beginning in common that is longer than what is left of it in a name.
_beginnings = st.sampled_from(["", "p" * 20, "p" * 55])
namespaces = st.builds(lambda beginning, end: beginning + end, _beginnings, _ends)
pools = st.builds(
    lambda beginning, middle, end: f"{beginning}{middle}{end}",
    _beginnings, st.sampled_from(["", "a-", "a.b.", "a--"]), _ends,
)  # fmt: skip
uids = st.uuids().map(str)
templates = st.sampled_from(["0123456789", "abcdef0123"])


@given(st.lists(st.tuples(pools, uids, templates), min_size=2, max_size=5, unique=True))
def test_describe_pods_of_two_pools_or_templates_never_share_a_name(
    checks: list[tuple[str, str, str]],
) -> None:
    # A pool's UID has one name.
    known = {uid: pool for pool, uid, _ in checks}
    checks = list({(known[uid], uid, template) for _, uid, template in checks})

    made = [describe_pod_name(*check) for check in checks]

    assert len(set(made)) == len(made)
    assert made == [describe_pod_name(*check) for check in checks]
    assert all(len(name) <= MAX_NAME and _POD_NAME.fullmatch(name) for name in made)


@given(pools, uids, templates)
def test_a_pool_that_is_called_like_anothers_describe_pod_has_other_pods(
    pool: str, uid: str, template: str
) -> None:
    described = describe_pod_name(pool, uid, template)

    for name in (pool, described, described.rpartition("-")[0]):
        worker = worker_pod_name(name)
        assert worker != described
        assert len(worker.rpartition("-")[2]) != len(described.rpartition("-")[2])
        assert describe_pod_name(name, uid + "1", template) != described


@given(pools)
def test_workers_names_are_valid_and_never_repeated(pool: str) -> None:
    made = [worker_pod_name(pool) for _ in range(10)]

    assert len(set(made)) == len(made)
    assert all(len(name) <= MAX_NAME and _POD_NAME.fullmatch(name) for name in made)


@given(st.lists(st.tuples(namespaces, pools), min_size=2, max_size=5, unique=True))
def test_no_two_pools_of_a_cluster_share_a_retire_tube(owners: list[tuple[str, str]]) -> None:
    made = [retire_key(*owner) for owner in owners]

    assert len(set(made)) == len(made)
    assert all(is_queue_name(key) for key in made)


@given(namespaces, pools)
def test_no_pool_can_be_called_so_that_it_gets_anothers_retire_tube(
    namespace: str, pool: str
) -> None:
    key = retire_key(namespace, pool)

    # A pool whose key is used as it is has to have the very same name, which it cannot.
    cut = key != f"{namespace}.{pool}"
    assert ("_" in key) == cut
