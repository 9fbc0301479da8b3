"""The REST API of ZeroG: a process (`zerog api`), or a part of another Tornado application.

parts = zerog_api.main.make_parts(store, producer, ApiSettings(), prefix="/zerog")
tornado.web.Application([*zerog_api.routes(parts), *others])
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.routing import URLSpec

    from zerog_api.calls.base import Parts


def routes(parts: "Parts") -> "list[URLSpec]":
    """Return the rules of all calls, and of the pages, which only work without a prefix."""
    from zerog_api.calls.all import CALLS, PAGES  # later: `zerog --help` needs none of it
    from zerog_api.edge.routes import rules

    pages = () if parts.prefix else PAGES
    return [*rules(CALLS, parts.prefix, parts=parts), *rules(pages, "", edge=parts.edge)]
