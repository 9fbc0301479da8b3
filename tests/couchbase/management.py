"""The management endpoints that the SDK uses: scopes, collections, the cluster's map."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, unquote

from tests.couchbase.http import HttpRequest, HttpResponse, json_response
from tests.couchbase.indexes import Indexes
from tests.couchbase.manifest import ManifestError
from tests.couchbase.protocol import Status
from tests.couchbase.session import Bucket
from tests.couchbase.sqlpp import Keyspace

_SCOPES = re.compile(r"/pools/default/buckets/([^/]+)/scopes")
_COLLECTIONS = re.compile(r"/pools/default/buckets/([^/]+)/scopes/([^/]+)/collections")
_COLLECTION = re.compile(r"/pools/default/buckets/([^/]+)/scopes/([^/]+)/collections/([^/]+)")
_TERSE_MAP = re.compile(r"/pools/default/b/([^/]+)")


class Management:
    """Answers management requests on the server's bucket."""

    def __init__(self, bucket: Bucket, indexes: Indexes, changed: Callable[[], None]) -> None:
        self._bucket = bucket
        self._indexes = indexes
        self._changed = changed

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request; a login is always asked for, as of an initialised cluster."""
        if not self._bucket.admits(request):
            return HttpResponse(401, b"", "text/plain")
        self._bucket.counters[f"{request.user} MANAGEMENT"] += 1
        path = request.path.partition("?")[0].rstrip("/")
        if path == "/pools/default/nodeServices":
            return HttpResponse(200, self._bucket.map_for(None))
        for pattern, methods in (
            (_TERSE_MAP, {"GET": self._show_map}),
            (_SCOPES, {"GET": self._list_scopes, "POST": self._create_scope}),
            (_COLLECTIONS, {"POST": self._create_collection}),
            (_COLLECTION, {"DELETE": self._drop_collection}),
        ):
            if match := pattern.fullmatch(path):
                bucket, *names = (unquote(name) for name in match.groups())
                if bucket != self._bucket.name:
                    return HttpResponse(404, b'"Requested resource not found."')
                if request.user in self._bucket.restricted and pattern is not _TERSE_MAP:
                    return self._restrict(request)
                if request.method not in methods:
                    return HttpResponse(405, b'"Method not allowed"')
                return self._answer(methods[request.method], names, request)
        return HttpResponse(404, b'"Not found."')

    def _restrict(self, request: HttpRequest) -> HttpResponse:
        """Answer a user without rights on collections: there seem to be none."""
        if request.method == "GET":
            return json_response({"uid": "0", "scopes": []})
        return json_response({"message": "Forbidden. User needs the following permissions"}, 403)

    def _answer(
        self,
        method: Callable[[list[str], dict[str, str]], HttpResponse],
        names: list[str],
        request: HttpRequest,
    ) -> HttpResponse:
        form = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
        try:
            return method(names, form)
        except ManifestError as error:
            missing = error.status in (Status.UNKNOWN_SCOPE, Status.UNKNOWN_COLLECTION)
            return json_response({"errors": {"_": str(error)}}, 404 if missing else 400)

    def _show_map(self, names: list[str], form: dict[str, str]) -> HttpResponse:
        return HttpResponse(200, self._bucket.map_for(self._bucket.name))

    def _list_scopes(self, names: list[str], form: dict[str, str]) -> HttpResponse:
        return json_response(self._bucket.engine.manifest.to_json())

    def _create_scope(self, names: list[str], form: dict[str, str]) -> HttpResponse:
        return self._done(self._bucket.engine.manifest.create_scope(form.get("name", "")))

    def _create_collection(self, names: list[str], form: dict[str, str]) -> HttpResponse:
        given = form.get("maxTTL", "0")
        # -1 is never, even where the bucket has a longest TTL; this one has none.
        if given != "-1" and not given.isdigit():
            raise ManifestError("maxTTL must be a number of seconds")
        max_ttl = max(0, int(given))
        manifest = self._bucket.engine.manifest
        return self._done(manifest.create_collection(names[0], form.get("name", ""), max_ttl))

    def _drop_collection(self, names: list[str], form: dict[str, str]) -> HttpResponse:
        engine = self._bucket.engine
        number = engine.manifest.find(*names).number
        for address in [a for a in engine.documents if a.collection == number]:
            del engine.documents[address]
        self._indexes.drop_collection(Keyspace(self._bucket.name, *names))
        return self._done(engine.manifest.drop_collection(*names))

    def _done(self, uid: int) -> HttpResponse:
        self._changed()
        return json_response({"uid": f"{uid:x}"})
