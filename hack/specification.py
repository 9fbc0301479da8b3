"""Print the schemas of the API's OpenAPI document as JSON. `make web` makes the page's types of it.

Nothing is started: the calls are described by their handlers. The calls themselves and
the version are left out, so that only a change of a body makes the types stale.
"""

import json
import sys
from typing import Any


def document() -> dict[str, Any]:
    """Return the API's own OpenAPI document."""
    from zerog_api.calls.all import CALLS
    from zerog_api.edge.openapi import build_openapi
    from zerog_api.edge.routes import calls

    return build_openapi(calls(CALLS), guarded=False)


def text() -> str:
    """Return an OpenAPI document of the schemas alone: the same text for the same schemas."""
    full = document()
    short = {
        "openapi": full["openapi"],
        "info": {"title": full["info"]["title"], "version": "0"},
        "paths": {},
        "components": {"schemas": full["components"]["schemas"]},
    }
    return json.dumps(short, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
