"""Names that the operator gives: of the resource, of labels, of pods. One place for each.

Selectors use only `POOL_LABEL` and `ROLE_LABEL`, which nobody changes. Names that contain a pool's
name are cut to fit. No name of one kind is ever one of another kind, or of another pool: each
ends in a part of a length of its own that is random, or a hash of all that the name is for.
"""

import hashlib
import secrets
import string

GROUP, VERSION, PLURAL, KIND = "zerog.dev", "v1alpha1", "zerogworkerpools", "ZeroGWorkerPool"
#: The pool that a pod belongs to.
POOL_LABEL = "zerog.dev/pool"
#: What a pod of a pool is: a worker, or the one-shot check of an image.
ROLE_LABEL = "zerog.dev/role"
ROLE_WORKER, ROLE_DESCRIBE = "worker", "describe"
#: The hash of everything that makes a running pod differ (`PoolSpec.template_hash`).
TEMPLATE_LABEL = "zerog.dev/template"
WORKER_CONTAINER = "worker"
#: Annotations of a pod by which node autoscalers leave its node alone (`zerog_operator.marking`).
KARPENTER_MARK = "karpenter.sh/do-not-disrupt"
AUTOSCALER_MARK = "cluster-autoscaler.kubernetes.io/safe-to-evict"
MARKS = (KARPENTER_MARK, AUTOSCALER_MARK)
#: Says that the pool's template has one of these itself: then a person decides, and nobody else.
MARKED_BY = "zerog.dev/marked-by"
_ALPHABET = string.ascii_lowercase + string.digits
#: A pod's name is its host's name, too.
_MAX_NAME = 63
#: Random characters of a worker's name: two of a million names are alike once in 7,000 times. The
#: API server refuses a name that is in use.
_RANDOM_CHARACTERS = 10
#: Hexadecimal digits of a hash in a name: more than `_RANDOM_CHARACTERS`, so that no worker is
#: called like a describe pod.
_DIGEST_DIGITS = 16


def worker_pod_name(pool: str) -> str:
    """Make a name for a new worker pod."""
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    return _fit(pool, f"-{suffix}")


def describe_pod_name(pool: str, uid: str, template: str) -> str:
    """Return the name of the pod that checks a template: always the same one.

    A pool that was deleted and created again has another UID, and so another describe pod.
    """
    return _fit(pool, f"-describe-{_digest(uid, template)}")


def retire_key(namespace: str, pool: str) -> str:
    """Return what a pool's retire tube is named after: no other pool of the cluster has it."""
    key = f"{namespace}.{pool}"
    if len(key) <= _MAX_NAME:
        return key
    # Kubernetes allows no underscore in a name: no key that fits has one.
    return _fit(key, f"_{_digest(namespace, pool)}")


def _fit(name: str, suffix: str) -> str:
    return name[: _MAX_NAME - len(suffix)].rstrip(".-") + suffix


def _digest(*parts: str) -> str:
    # None of the parts has a line break.
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_DIGEST_DIGITS]
