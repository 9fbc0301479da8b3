"""Checks parameters by the jobs' own classes, where this API has been given their modules.

A registered schema cannot express what a validator checks, e.g. that an end is not before its
start. The class is asked in a process that does nothing else (`zerog.child.desk`), so no code of an
author runs in this one.

`None` means that the class was not asked or did not answer, and the registered schema alone counts:
no module defines the type, its class has another schema than the registered type, or its process
hangs. The worker has the last word in any case.

The modules are imported once. `reload` imports them again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from zerog.child.desk import Desk
from zerog.child.handle import ChildHandle, NurseryHandle
from zerog.child.protocol import MAX_CHECKED_BYTES
from zerog.model.documents import TypeDocument, version_name
from zerog.model.errors import NurseryError, ZeroGError
from zerog.sdk.faults import Fault

log = logging.getLogger(__name__)

#: How long the API waits for the imports before it listens. They continue after that.
START_SECONDS = 10.0
#: How long the processes may take to end.
CLOSE_SECONDS = 1.0
#: Versions of types that are remembered.
MAX_COMPARED = 10_000
#: Types that have a process at the same time. The one that was not asked for longest gives way.
MAX_DESKS = 16


class Examiner:
    """A context in which parameters can be checked by their classes.

    Without modules it costs nothing, and nothing is known. The classes have no business with
    `secrets`, which are files and folders.
    """

    def __init__(self, modules: Sequence[str], secrets: Sequence[str] = ()) -> None:
        self._modules = tuple(modules)
        self._secrets = tuple(secrets)
        self._nursery: NurseryHandle | None = None
        #: The job types of the modules, by name.
        self.types: dict[str, TypeDocument] = {}
        #: By type and hash of a registered schema, whether the class here has that schema.
        self._compared: dict[tuple[str, str], bool] = {}
        self._desks: dict[str, Desk] = {}
        self._is_loaded, self._is_outdated = asyncio.Event(), asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._modules:
            self._keeper = asyncio.create_task(self._keep(), name="examiner")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_loaded.wait(), START_SECONDS)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        await self._unload()

    def reload(self) -> None:
        """Import the modules again, in the background. Until then the schemas alone count."""
        self._is_outdated.set()

    def knows(self, registered: TypeDocument) -> bool:
        """Whether the class of a registered type can be asked. A batch need not wait for others."""
        if self._nursery is None:
            return False
        version = (registered.name, registered.schema_hash)
        if version in self._compared:
            return self._compared[version]
        if len(self._compared) >= MAX_COMPARED:
            self._compared.clear()
        ours = self.types.get(registered.name)
        is_ours = ours is not None and ours.schema_hash == registered.schema_hash
        if ours is not None and not is_ours:
            log.warning(
                "parameters of %s are checked by the registered schema alone: the class in this "
                "API's modules has another one",
                version_name(*version),
            )
        self._compared[version] = is_ours
        return is_ours

    async def faults(
        self, registered: TypeDocument, parameters: dict[str, Any]
    ) -> Sequence[Fault] | None:
        """Return what the type's class finds wrong, nothing if it takes them; None if unknown.

        Takes as long as `zerog.child.desk.CHECK_SECONDS` at most.
        """
        if not self.knows(registered):
            return None
        desk = self._desks.get(registered.name) or self._new_desk(registered.name)
        return None if desk is None else await desk.ask(parameters)

    def _new_desk(self, name: str) -> Desk | None:
        if len(self._desks) >= MAX_DESKS:
            idle = [each for each in self._desks if self._desks[each].is_idle]
            if not idle:
                return None
            self._desks.pop(min(idle, key=lambda each: self._desks[each].asked_at)).close()
        desk = self._desks[name] = Desk(name, self._fork)
        return desk

    async def _fork(self) -> ChildHandle:
        if self._nursery is None:
            raise NurseryError("the job modules are not imported")
        return await self._nursery.fork(MAX_CHECKED_BYTES)

    async def _keep(self) -> None:
        while True:
            self._is_outdated.clear()
            await self._load()
            self._is_loaded.set()
            await self._is_outdated.wait()
            await self._unload()

    async def _load(self) -> None:
        try:
            nursery = await NurseryHandle.start(self._modules, secrets=self._secrets)
        except ZeroGError as error:
            log.warning("parameters are checked by registered schemas alone: %s", error)
            return
        except Exception:  # the API serves without
            log.exception("parameters are checked by registered schemas alone")
            return
        self.types = {each.name: each for each in nursery.types}
        self._compared.clear()
        self._nursery = nursery
        log.info("parameters of %s are also checked by their classes", ", ".join(self.types))

    async def _unload(self) -> None:
        nursery, self._nursery = self._nursery, None
        desks, self._desks = self._desks, {}
        for desk in desks.values():
            desk.close()
        if nursery is not None:
            await nursery.close(CLOSE_SECONDS)
