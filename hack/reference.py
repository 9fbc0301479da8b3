"""Write the reference that is made from code: the pages of the command line and the SDK, and the
tables of calls, settings and metrics in pages whose prose is written by hand.

`--check` writes nothing and fails where a page is not what the code says.
"""

import argparse
import dataclasses
import inspect
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs/reference"
NOTE = "<!-- Made by hack/reference.py from the code; edit that. -->\n"
#: What a page made in part has around it.
BEGIN, END = "<!-- made by hack/reference.py: {} -->", "<!-- made: end -->"
#: Help texts are folded to the width of the terminal, so it is fixed.
WIDTH = "100"
#: Other versions word help and signatures in other ways.
PYTHON = (3, 11)


def command_line() -> str:
    """Return the page of all commands: what `--help` prints."""
    os.environ["COLUMNS"] = WIDTH
    from zerog.cli.main import build_parser

    parser = build_parser()
    parts = [NOTE, "# The command line\n", _help(parser)]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                if command.add_help:
                    parts += [f"## zerog {name}\n", _help(command)]
    return "\n".join(parts)


def _help(parser: argparse.ArgumentParser) -> str:
    text = "\n".join(line.rstrip() for line in parser.format_help().strip().splitlines())
    return f"```text\n{text}\n```\n"


def sdk() -> str:
    """Return the page of what `import zerog` offers, from signatures and docstrings."""
    import zerog
    import zerog.testing

    parts = [NOTE, "# The Python SDK\n"]
    for name in zerog.__all__:
        if inspect.isclass(item := getattr(zerog, name)):
            parts.append(_class(f"zerog.{name}", item))
    parts.append(_function("zerog.testing.run", zerog.testing.run, 2))
    return "\n".join(parts)


def _class(name: str, item: type) -> str:
    parts = [f"## {name}\n", inspect.cleandoc(item.__doc__ or "") + "\n"]
    for key, member in vars(item).items():
        if key.startswith("_"):
            continue
        if inspect.isfunction(member):
            parts.append(_function(f"{name.partition('.')[2]}.{key}", member, 3))
        elif isinstance(member, property) and member.__doc__:
            parts.append(
                f"### {name.partition('.')[2]}.{key}\n\n{inspect.cleandoc(member.__doc__)}\n"
            )
    return "\n".join(parts)


def _function(name: str, item: object, level: int) -> str:
    signature = str(inspect.signature(item))  # type: ignore[arg-type]
    text = inspect.cleandoc(item.__doc__ or "")
    return f"{'#' * level} {name}\n\n```text\n{name}{signature}\n```\n\n{text}\n"


def calls() -> str:
    """Return the table of all REST calls."""
    from zerog_api.jobs import JobCalls
    from zerog_api.overview import OverviewCalls
    from zerog_api.routes import build_routes
    from zerog_api.system import SystemCalls

    # The table names methods and calls none.
    parts = (object.__new__(kind) for kind in (JobCalls, OverviewCalls, SystemCalls))
    routes = build_routes(*parts)  # type: ignore[arg-type]
    rows = []
    for route in routes:
        options = [f"`{parameter.name}`: {parameter.description}" for parameter in route.query]
        if route.idempotency_key:
            options.append("header `Idempotency-Key`")
        statuses = " ".join(map(str, (route.status, *route.problems)))
        verb = "anybody" if route.verb is None else str(route.verb)
        call = f"`{route.method} {route.path}`"
        rows.append((call, route.summary, "; ".join(options), route.body, statuses, verb))
    columns = ("Call", "Does", "Options", "Body", "Answers, besides 500 and 503", "Right")
    return _table(columns, rows)


def settings(kind: type) -> str:
    """Return the table of a process's settings, from its fields and the comments above them."""
    meanings = _comments(inspect.getsource(kind))
    rows = []
    for field in dataclasses.fields(kind):
        default = field.default
        shown = "" if default in (None, ()) or default is dataclasses.MISSING else f"`{default}`"
        rows.append((f"`ZEROG_{field.name.upper()}`", shown, meanings[field.name]))
    return _table(("Setting", "Default", "Meaning"), rows)


def _comments(source: str) -> dict[str, str]:
    """Return what the `#:` comments say; a field without one shares that of the field above."""
    meanings: dict[str, str] = {}
    comment: list[str] = []
    fresh = False
    for line in map(str.strip, source.splitlines()):
        if line.startswith("#:"):
            comment, fresh = [*(comment if fresh else []), line[2:].strip()], True
        elif found := re.match(r"(\w+): ", line):
            meanings[found[1]], fresh = " ".join(comment), False
    return meanings


def metrics(registry: Any) -> str:
    """Return the table of what a registry holds."""
    rows = []
    for collector in list(registry._collector_to_names):
        for family in collector.describe():
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = ", ".join(collector._labelnames)
            rows.append((f"`{name}`", family.type, labels, family.documentation))
    return _table(("Metric", "Kind", "Labels", "Meaning"), rows)


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    cells = ([str(cell or "").replace("|", "\\|") for cell in line] for line in lines)
    return "".join("| " + " | ".join(line) + " |\n" for line in cells)


def tables() -> dict[str, dict[str, str]]:
    """Return the made tables of each page, by name."""
    from zerog.settings import ApiSettings, ClientSettings, CouchbaseSettings, WorkerSettings
    from zerog_api.system import Metrics as ApiMetrics
    from zerog_operator.metrics import Metrics as OperatorMetrics
    from zerog_operator.settings import OperatorSettings

    return {
        "rest.md": {"calls": calls()},
        "settings.md": {
            "worker": settings(WorkerSettings),
            "api": settings(ApiSettings),
            "client": settings(ClientSettings),
            "couchbase": settings(CouchbaseSettings),
            "operator": settings(OperatorSettings),
        },
        "metrics.md": {
            "operator": metrics(OperatorMetrics().registry),
            "api": metrics(ApiMetrics().registry),
        },
    }


def filled(page: str, made: dict[str, str]) -> str:
    """Return a page's text with its tables made anew. `ValueError` if it has no place for one."""
    for name, table in made.items():
        begin = BEGIN.format(name)
        head, found, rest = page.partition(begin)
        tail = rest.partition(END)
        if not found or not tail[1]:
            raise ValueError(f"no place for the table {name!r}: {begin} … {END}")
        page = f"{head}{begin}\n\n{table}\n{END}{tail[2]}"
    return page


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where a page is stale")
    options = parser.parse_args()
    if options.check and sys.version_info[:2] != PYTHON:
        print("the reference is made and checked with Python {}.{}".format(*PYTHON))
        return 0
    pages = {"cli.md": command_line(), "sdk.md": sdk()}
    for name, made in tables().items():
        pages[name] = filled((PAGES / name).read_text(), made)
    stale = []
    for name, text in pages.items():
        path = PAGES / name
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if not options.check:
                path.write_text(text)
    if options.check and stale:
        print(f"stale: {', '.join(stale)}; run `make reference`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
