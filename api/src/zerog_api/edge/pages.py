"""The page of jobs, queues, workers and the API's calls, and its parts.

They are read once, and kept as they are and compressed. Browsers ask each time whether they have
changed, by the mark of their text.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from zerog_api.edge.handler import Handler, operation
from zerog_api.edge.operations import Operation
from zerog_api.problems import Problem

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}
_TEXT, _SCRIPT = "text/html; charset=utf-8", "text/javascript; charset=utf-8"
KINDS = {
    "index.html": _TEXT,
    "app.js": _SCRIPT,
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "licenses.txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class _File:
    """A part of the pages."""

    kind: str
    text: bytes
    compressed: bytes
    mark: str


@cache
def _read(name: str) -> _File:
    """Read a file of the pages. `KeyError` if there is none."""
    kind = KINDS[name]
    text = resources.files("zerog_api").joinpath("static", name).read_bytes()
    mark = f'W/"{hashlib.sha256(text).hexdigest()[:32]}"'
    return _File(kind, text, gzip.compress(text, mtime=0), mark)


class _PageHandler(Handler):
    """Answers with a file."""

    _mark: str | None = None

    def compute_etag(self) -> str | None:
        """Return the mark of the file: who has it already is told so."""
        return self._mark

    def send(self, name: str) -> None:
        """Answer with the file of this name. A 404 `Problem` if there is none."""
        try:
            file = _read(name)
        except KeyError:
            raise Problem(404, "not-found", "there is no such page") from None
        self._mark = file.mark
        for header, value in _HEADERS.items():
            self.set_header(header, value)
        self.add_header("Vary", "Accept-Encoding")
        self.set_header("Content-Type", file.kind)
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.write(file.compressed)
        else:
            self.write(file.text)


class IndexHandler(_PageHandler):
    """The page."""

    path = "/"

    @operation(Operation(id="index", tag="pages", summary="The page", verb=None))
    async def get(self) -> None:
        """Answer with the page."""
        self.send("index.html")


class DocsHandler(_PageHandler):
    """The same page, which shows the API's calls at this address."""

    path = "/docs"

    @operation(Operation(id="docs", tag="pages", summary="The specification", verb=None))
    async def get(self) -> None:
        """Answer with the page."""
        self.send("index.html")


class StaticHandler(_PageHandler):
    """Scripts and styles of the pages."""

    path = "/static/{name}"

    @operation(Operation(id="static", tag="pages", summary="A part of a page", verb=None))
    async def get(self, name: str) -> None:
        """Answer with the file."""
        self.send(name)
