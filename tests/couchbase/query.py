"""The query endpoint; statements follow."""

from tests.couchbase.http import HttpRequest, HttpResponse, json_response
from tests.couchbase.session import Bucket


class QueryService:
    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def set_stale(self, stale: bool) -> None: ...

    async def handle(self, request: HttpRequest) -> HttpResponse:
        return json_response({}, 503)
