"""Carry a decision out: the only writer of pods and of the retire tubes, but for
the annotations of busy pods (`marking`).

Every step can be done twice or not at all without harm: pods are created under fresh names and
counted until the list shows them, deletes carry what was looked at as precondition, tokens are
counted anew at every reading. So a crash between any two steps needs no repair.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace

from zerog.model.errors import QueueError
from zerog_operator import names
from zerog_operator.cluster import CallError, Cluster
from zerog_operator.describe import Check
from zerog_operator.inventory import Inventory
from zerog_operator.model import Decision, Refusal, WorkerPod
from zerog_operator.pods import PodFacts
from zerog_operator.pool import PoolSpec
from zerog_operator.resources import PoolIdentity, build_describe_pod, build_worker_pod
from zerog_operator.tubes import Tubes

log = logging.getLogger(__name__)

#: Pods that are created or deleted at the same time.
CALLS_AT_ONCE = 20


class Applier:
    """Does what was decided."""

    def __init__(self, cluster: Cluster, tubes: Tubes, inventory: Inventory) -> None:
        self._cluster = cluster
        self._tubes = tubes
        self._inventory = inventory

    async def apply(
        self,
        pool: PoolIdentity,
        spec: PoolSpec,
        decision: Decision,
        *,
        check: Check,
        ended: Sequence[PodFacts],
    ) -> Refusal | None:
        """Carry out a decision and an image's check, and remove pods that have ended for good.

        Returns why a pod was refused, if one was.
        """
        await self._remove(pool, check.remove)
        refusal = await self._start_describe(pool, spec) if check.start else None
        refusal = await self._create(pool, spec, decision.create) or refusal
        await self._delete(pool, decision.delete, unchanged=True)
        key = names.retire_key(pool.namespace, pool.name)
        try:
            if decision.tokens_to_take:
                await self._tubes.take_tokens(key, decision.tokens_to_take)
            if decision.tokens_to_put:
                await self._tubes.put_tokens(key, decision.tokens_to_put)
            await self._tubes.retire(worker.name for worker in decision.retire)
        except QueueError as error:
            log.warning("pool %s/%s: %s", pool.namespace, pool.name, error)
        await self._remove(pool, ended)
        return refusal

    async def _remove(self, pool: PoolIdentity, pods: Sequence[PodFacts]) -> None:
        """Delete pods that nobody needs, and what was put for them."""
        workers = [facts.worker for facts in pods]
        await self._delete(pool, workers, unchanged=False)
        with contextlib.suppress(QueueError):  # what is left over does no harm
            for worker in workers:
                await self._tubes.forget_worker(worker.name)

    async def _start_describe(self, pool: PoolIdentity, spec: PoolSpec) -> Refusal | None:
        """Start the pod that checks the image. Without it no worker may be created."""
        try:
            made = await self._cluster.create_pod(build_describe_pod(pool, spec))
        except CallError as error:
            return replace(refusal_of(error), final=True)
        if made is not None:
            self._inventory.put(made)
        return None

    async def _create(self, pool: PoolIdentity, spec: PoolSpec, count: int) -> Refusal | None:
        answered = True

        async def create() -> Refusal | None:
            nonlocal answered
            name = names.worker_pod_name(pool.name)
            try:
                made = await self._cluster.create_pod(build_worker_pod(pool, spec, name))
            except CallError as error:
                if not error.ambiguous:
                    return refusal_of(error)
                # It may be there all the same: it counts as unseen until a list shows it.
                self._inventory.doubt()
                answered = False
                return None
            if made is not None:
                self._inventory.put(made)
            return None

        for start in range(0, count, CALLS_AT_ONCE):
            size = min(CALLS_AT_ONCE, count - start)
            refused = [found for found in await asyncio.gather(*[create() for _ in range(size)])
                       if found is not None]  # fmt: skip
            if refused or not answered:
                # The next look goes on, if there still is something to do.
                return refused[0] if refused else None
        return None

    async def _delete(
        self, pool: PoolIdentity, pods: Sequence[WorkerPod], *, unchanged: bool
    ) -> None:
        """Delete pods, if wanted only those that are as they were when they were looked at."""

        async def delete(pod: WorkerPod) -> bool:
            version = pod.resource_version if unchanged else None
            try:
                if await self._cluster.delete_pod(
                    pool.namespace, pod.name, uid=pod.uid, resource_version=version
                ):
                    self._inventory.note_deleted(pool.uid, pod.uid)
            except CallError as error:
                log.warning("pod %s/%s stays: %s", pool.namespace, pod.name, error)
                return not error.ambiguous
            return True

        for start in range(0, len(pods), CALLS_AT_ONCE):
            part = pods[start : start + CALLS_AT_ONCE]
            if not all(await asyncio.gather(*[delete(pod) for pod in part])):
                return


def refusal_of(error: CallError) -> Refusal:
    """Return what a refused call means, by the server's own words."""
    text = error.message
    if error.status == 403 and "exceeded quota" in text:
        reason = "QuotaExceeded"
    elif error.status == 403 and "serviceaccount" in text and "not found" in text:
        reason = "ServiceAccountMissing"
    elif "admission webhook" in text or "PodSecurity" in text or "ValidatingAdmission" in text:
        reason = "AdmissionDenied"
    elif error.status == 403:
        reason = "Forbidden"
    elif error.status == 422 or error.status == 400:
        reason = "PodInvalid"
    elif error.status == 429:
        reason = "TooManyRequests"
    else:
        reason = error.reason or "CreateFailed"
    return Refusal(reason, text)
