"""The calls about job types."""

import asyncio

import msgspec

from zerog.model import jsontext
from zerog_api import models
from zerog_api.auth.access import Verb
from zerog_api.calls.base import CallHandler
from zerog_api.core import views
from zerog_api.core.types import RegisteredType
from zerog_api.edge.handler import operation
from zerog_api.edge.operations import Operation


class TypesHandler(CallHandler):
    """The job types that workers have registered."""

    path = "/v1/types"

    async def authorize(self) -> None:
        """See `Handler`. Who may see no queue is shown none."""
        found = await self.parts.types.documents()
        seen = set(await self.access.among({job_type.queue for job_type in found}))
        self._types = [job_type for job_type in found if job_type.queue in seen]

    @operation(
        Operation(
            id="listTypes", tag="types", summary="List the job types", verb=Verb.LIST,
            answer=models.Types,
        )
    )  # fmt: skip
    async def get(self) -> None:
        """List the job types."""
        told = []
        for item in self._types:
            told.append(msgspec.Raw(jsontext.dumps(await self.parts.types.told(item))))
            await asyncio.sleep(0)  # a schema may be long, and there may be many
        self.write(views.to_json({"types": told}) + b"\n")


class TypeHandler(CallHandler):
    """A job type."""

    path = "/v1/types/{name}"
    _type: RegisteredType

    async def authorize(self, name: str) -> None:
        """See `Handler`."""
        self._type = await self.type_of(name)

    @operation(
        Operation(
            id="getType", tag="types", summary="Get a job type", verb=Verb.GET,
            answer=models.Type, problems=(404,),
        )
    )  # fmt: skip
    async def get(self, name: str) -> None:
        """Describe a job type."""
        self.reply(await self.parts.types.told(self._type.type))
