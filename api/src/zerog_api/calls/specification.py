"""The specification of the API, which is made of its calls."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from zerog.model import jsontext
from zerog.model.documents import TypeDocument
from zerog_api.auth.access import Verb
from zerog_api.calls.base import CallHandler
from zerog_api.edge.handler import operation
from zerog_api.edge.openapi import MAX_KEPT, build_openapi
from zerog_api.edge.openapi30 import to_openapi_3_0
from zerog_api.edge.operations import Operation


class _ById:
    """A document that is the same only as itself: so its texts can be kept. It is never changed."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById) and self.document is other.document

    def __hash__(self) -> int:
        return id(self.document)


#: As many as the specifications that are kept.
@lru_cache(maxsize=MAX_KEPT)
def _in_3_1(kept: _ById) -> bytes:
    return jsontext.dumps(kept.document) + b"\n"


@lru_cache(maxsize=MAX_KEPT)
def _in_3_0(kept: _ById) -> bytes:
    return jsontext.dumps(to_openapi_3_0(kept.document)) + b"\n"


class SpecificationHandler(CallHandler):
    """The specification, with the job types that the caller may see."""

    path = "/openapi.json"

    @operation(
        Operation(
            id="getSpecification", tag="system", summary="Get the specification (OpenAPI 3.1)",
            verb=None,
        )
    )  # fmt: skip
    async def get(self) -> None:
        """Return the specification of this API."""
        await self.tell(_in_3_1)

    async def tell(self, text_of: Callable[["_ById"], bytes]) -> None:
        """Answer with a text of the specification for this caller."""
        document = build_openapi(
            self.parts.calls,
            guarded=self.edge.gate is not None,
            types=await self._types(),
            anonymous=self.edge.anonymous,
            prefix=self.parts.prefix,
        )
        self.write(text_of(_ById(document)))

    async def _types(self) -> list[TypeDocument]:
        """Return what `GET /v1/types` would list, and nothing to whoever shows no token."""
        if self.edge.gate is not None and "Authorization" not in self.request.headers:
            return []
        await self.find_access(Verb.LIST)
        found = await self.parts.types.documents()
        seen = set(await self.access.among({document.queue for document in found}))
        return [document for document in found if document.queue in seen]


class Specification30Handler(SpecificationHandler):
    """The same for generators that know no 3.1."""

    path = "/openapi-3.0.json"

    @operation(
        Operation(
            id="getSpecification30", tag="system", summary="Get the specification as OpenAPI 3.0",
            verb=None,
        )
    )  # fmt: skip
    async def get(self) -> None:
        """Return the specification in OpenAPI 3.0."""
        await self.tell(_in_3_0)
