"""Names that the operator gives: of the resource, of labels, of pods. One place for each.

Selectors use only `POOL_LABEL` and `ROLE_LABEL`, which nobody changes. Object names that contain
a pool's name are cut to fit and keep a part that makes them unique.
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
_ALPHABET = string.ascii_lowercase + string.digits
_MAX_POD_NAME = 63
_SUFFIX = 6


def worker_pod_name(pool: str) -> str:
    """Make a name for a new worker pod."""
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX))
    return f"{pool[: _MAX_POD_NAME - _SUFFIX - 1].rstrip('.-')}-{suffix}"


def describe_pod_name(pool: str, template: str) -> str:
    """Return the name of the pod that checks a template: always the same one."""
    suffix = f"-describe-{template}"
    return pool[: _MAX_POD_NAME - len(suffix)].rstrip(".-") + suffix


def retire_key(namespace: str, pool: str) -> str:
    """Return what a pool's retire tube is named after: no other pool of the cluster has it."""
    key = f"{namespace}.{pool}"
    if len(key) <= _MAX_POD_NAME:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:10]
    return f"{key[: _MAX_POD_NAME - 11].rstrip('.-')}-{digest}"
