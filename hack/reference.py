"""Write the reference that is made from code: the pages of the command line and the SDK, and the
tables of calls, settings and metrics in pages whose prose is written by hand. Also the figures that
prose repeats from the benchmarks (`hack/figures.py`).

`--check` writes nothing and fails where a page is not what the code says.
"""

import argparse
import ast
import inspect
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zerog.settings import Settings

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

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
    from zerog_api.command import build_parser as build_api_parser
    from zerog_operator.simulation.command import parsers

    parts = [NOTE, "# The command line\n", _help(build_parser())]
    for parser in (*_commands(build_parser()), build_api_parser(), *parsers()):
        level = "#" * len(parser.prog.split())
        parts += [f"{level} {parser.prog}\n", _help(parser)]
    return "\n".join(parts)


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Give the parsers of all commands below, each followed by those below it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                if command.add_help:  # others have parsers of their own
                    yield command
                    yield from _commands(command)


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


def rest() -> dict[str, str]:
    """Return the tables of the REST calls, of their options, and of the bodies."""
    from zerog_api.jobs import JobCalls
    from zerog_api.overview import OverviewCalls
    from zerog_api.routes import build_routes
    from zerog_api.schemas import IDEMPOTENCY_KEY
    from zerog_api.system import SystemCalls

    # The tables name methods and call none.
    parts = (object.__new__(kind) for kind in (JobCalls, OverviewCalls, SystemCalls))
    routes = build_routes(*parts)  # type: ignore[arg-type]
    rows, options = [], []
    for route in routes:
        statuses = " ".join(map(str, (route.status, *route.problems)))
        verb = "anybody" if route.verb is None else str(route.verb)
        call = f"`{route.method} {route.path}`"
        bodies = (_link(route.body), _link(route.answer))
        rows.append((call, route.summary, *bodies, statuses, verb))
        given = [parameter.to_openapi() for parameter in route.query]
        for option in [*given, *([IDEMPOTENCY_KEY] if route.idempotency_key else [])]:
            name = ("header " if option["in"] == "header" else "") + f"`{option['name']}`"
            schema = {**option["schema"], "description": option["description"]}
            options.append((call, name, _kind(schema), _meaning(schema)))
    columns = ("Call", "Does", "Body", "Answer", "Statuses, besides 500 and 503", "Right")
    used = {name for route in routes for name in (route.body, route.answer) if name}
    return {
        "calls": _table(columns, rows),
        "options": _table(("Call", "Option", "Type", "Meaning"), options),
        "bodies": bodies_of(used),
    }


def bodies_of(used: set[str]) -> str:
    """Return the tables of the bodies' fields: of those used, and of what they refer to."""
    from zerog_api.schemas import SCHEMAS

    referred = set(re.findall(r"'#/components/schemas/(\w+)'", str(SCHEMAS)))
    text = ""
    for name, schema in SCHEMAS.items():
        if schema.get("properties") and name in used | referred | {"Problem"}:
            rows = _fields(schema, "")
            text += f"### {name}\n\n{_table(('Field', 'Type', 'Meaning'), rows)}\n"
    return text.rstrip("\n") + "\n"


def _fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    for name, item in schema["properties"].items():
        often = "" if name in schema.get("required", ()) else ", may be missing"
        yield f"`{path}{name}`", _kind(item) + often, _meaning(item)
        inner, below = item, f"{path}{name}."
        if item.get("type") == "array":
            inner, below = item["items"], f"{path}{name}[]."
        if "properties" in inner:
            yield from _fields(inner, below)


def _kind(schema: dict[str, Any]) -> str:
    """Return a value's type in a word or two."""
    if "$ref" in schema:
        return _link(schema["$ref"].rpartition("/")[2])
    kinds = schema.get("type", "any JSON")
    words = [
        f"list of {_kind(schema['items'])}" if kind == "array" and "items" in schema else kind
        for kind in ([kinds] if isinstance(kinds, str) else kinds)
    ]
    return _FORMATS.get(schema.get("format", ""), " or ".join(words))


def _meaning(schema: dict[str, Any]) -> str:
    """Return what a value means, and its limits."""
    parts = [schema.get("description", "")]
    if choices := schema.get("enum") or schema.get("items", {}).get("enum"):
        parts.append("one of " + ", ".join(f"`{choice}`" for choice in choices))
    for low, high, unit in (
        ("minimum", "maximum", ""), ("minItems", "maxItems", " items"),
        ("minLength", "maxLength", " characters"),
    ):  # fmt: skip
        if low in schema and high in schema:
            parts.append(f"{schema[low]:,} to {schema[high]:,}{unit}")
        elif low in schema:
            parts.append(f"at least {schema[low]:,}{unit}")
        elif high in schema:
            parts.append(f"at most {schema[high]:,}{unit}")
    return "; ".join(filter(None, parts))


_FORMATS = {"date-time": "time", "uuid": "UUID"}


def _link(name: str | None) -> str:
    """Return a link to a body's table; the parameters' is that of the job type."""
    if name is None or name == "Any":
        return ""
    return "parameters" if name == "Parameters" else f"[{name}](#{name.lower()})"


def settings(kind: "type[Settings]") -> str:
    """Return the table of a process's settings, from its fields and the texts below them."""
    from zerog.settings import CouchbaseSettings, variable_of

    meanings = dict(_texts_below_fields(kind))
    rows = []
    # Those of Couchbase are most processes', and have a table of their own.
    elsewhere = () if kind is CouchbaseSettings else CouchbaseSettings.model_fields
    for name, field in kind.model_fields.items():
        if name in elsewhere:
            continue
        default = int(field.default) if isinstance(field.default, bool) else field.default
        shown = "" if default in (None, ()) else f"`{default}`"
        rows.append((f"`{variable_of(name)}`", shown, meanings[name]))
    return _table(("Setting", "Default", "Meaning"), rows)


def _texts_below_fields(kind: type) -> Iterator[tuple[str, str]]:
    """Give each field of a class, or of one that it is made from, with its text.

    Pydantic can do the same (`use_attribute_docstrings`), but then each start of each process
    reads the source: a tenth of its imports.
    """
    for cls in (kind, *kind.__bases__):
        (definition,) = ast.parse(inspect.getsource(cls)).body
        assert isinstance(definition, ast.ClassDef)
        for field, text in pairwise(definition.body):
            match field, text:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(words))):
                    yield name, " ".join(words.split())


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
    from zerog.settings import ClientSettings, CouchbaseSettings, PlaceSettings, WorkerSettings
    from zerog_api.settings import ApiSettings
    from zerog_api.system import Metrics as ApiMetrics
    from zerog_operator.metrics import Metrics as OperatorMetrics
    from zerog_operator.settings import OperatorSettings

    return {
        "rest.md": rest(),
        "settings.md": {
            "worker": settings(WorkerSettings),
            "api": settings(ApiSettings),
            "client": settings(ClientSettings),
            "places": settings(PlaceSettings),
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
    from hack.figures import SENTENCES, untrue, with_figures

    if options.check and sys.version_info[:2] != PYTHON:
        print("the reference is made and checked with Python {}.{}".format(*PYTHON))
        return 0
    pages = {PAGES / "cli.md": command_line(), PAGES / "sdk.md": sdk()}
    for name, made in tables().items():
        pages[PAGES / name] = filled((PAGES / name).read_text(), made)
    wrong = list(untrue())
    try:
        for name in SENTENCES:
            pages[ROOT / name] = with_figures(name, (ROOT / name).read_text())
    except ValueError as error:
        wrong.append(str(error))
    stale = []
    for path, text in pages.items():
        if not path.exists() or path.read_text() != text:
            stale.append(str(path.relative_to(ROOT)))
            if not options.check:
                path.write_text(text)
    if options.check and stale:
        wrong.append(f"stale: {', '.join(stale)}; run `make reference`")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
