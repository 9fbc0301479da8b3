"""Write the reference that is made from code: the pages of the command line, the SDK and the
modules (`hack/modules.py`), and the tables of calls, settings and metrics in pages whose prose is
written by hand. Also the sentences that repeat figures of the benchmarks (`hack/figures.py`).

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
    from pydantic import BaseModel

    from zerog.settings import Settings

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

PAGES = ROOT / "docs/reference"
NOTE = "<!-- Made by hack/reference.py from the code; edit that. -->\n"
#: Help texts are folded to the width of the terminal, so it is fixed.
WIDTH = "100"
#: Other versions word help and signatures in other ways.
PYTHON = (3, 11)


def command_line() -> str:
    """Return the page of all commands: what `--help` prints."""
    os.environ["COLUMNS"] = WIDTH
    from zerog.cli.main import build_parser
    from zerog_api.command import build_parser as build_api_parser
    from zerog_simulate.command import parsers

    parts = [NOTE, "# The command line\n", _help(build_parser()), _outcomes()]
    for parser in (*_commands(build_parser()), build_api_parser(), *parsers()):
        level = "#" * len(parser.prog.split())
        parts += [f"{level} {parser.prog}\n", _help(parser)]
    return "\n".join(parts)


def _outcomes() -> str:
    """Return what commands that are asked for a job give back to a script."""
    from zerog.cli.codes import OUTCOMES

    columns = ("Command", "The job", "Exit code", "Prints", "Prints with --json", "Says")
    rows = [(f"`{row.command}`", row.job, f"{row.code}", *row[3:]) for row in OUTCOMES]
    return f"{_OUTCOMES}\n{_table(columns, rows)}\n{_OTHER_OUTCOMES}"


_OUTCOMES = """\
## In scripts

Results go to standard output. Progress, log and remarks go to standard error. The exit code
follows the job:
"""
_OTHER_OUTCOMES = """\
- With `--json`, `run` and `watch` print no progress, log or ending on standard error. Their result
  has the job's `state`, `resultCode` and `message`.
- `run` and `watch` report after 2 seconds that no worker serves the job, and report again when one
  does. `submit` prints the API's warning at once. Both are on standard error, also with `--json`.
- `cancel` and `retry` with several UUIDs change every job that allows it. If one does not, the
  error is on standard error and the exit code is 1. With a filter it is 0, also if no job
  fits; 1 if the question is not answered by yes; and 2 where there is neither a terminal to ask on
  nor `--yes`.
- `delete` exits with 1 if the job is not finished.
"""


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
    from zerog.client import ApiError, JobFailedError, UnreachableError, WaitTimeoutError, options
    from zerog.sdk.options import Options

    errors = (ApiError, JobFailedError, UnreachableError, WaitTimeoutError)
    parts = [NOTE, "# The Python SDK\n"]
    for name in zerog.__all__:
        if inspect.isclass(item := getattr(zerog, name)):
            parts.append(_class(f"zerog.{name}", item))
        if name == "Job":
            parts.append(_class("Options of a job class", Options))
    parts += [_class(f"zerog.client.{item.__name__}", item) for item in errors]
    parts.append(_class("Options of submit", options.SubmitOptions))
    parts.append(_class("Filters of list", options.ListFilter))
    parts.append(_function("zerog.testing.run", zerog.testing.run, 2))
    parts.append(_class("zerog.testing.Run", zerog.testing.Run))
    return "\n".join(parts)


#: Classes that authors and callers never make themselves.
_GIVEN = (
    "Job",
    "Context",
    "Run",
    "Options",
    "SubmitOptions",
    "ListFilter",
    "Cancelled",
    "TimedOut",
)
#: An attribute of a class or an instance, and the remark above it.
_ATTRIBUTE = re.compile(
    r"(?P<remark>(?:^ +#: .*\n)+) +(?:self\.)?(?P<name>[a-z]\w*)(?:: (?P<type>.+?))?(?: = .*)?$",
    re.MULTILINE,
)


def _constructor(name: str, item: type) -> str:
    if item.__name__ in _GIVEN or item.__name__.endswith("Error"):
        return ""
    method = vars(item).get("__init__")
    remark = inspect.cleandoc(getattr(method, "__doc__", None) or "")
    remark = "" if remark.startswith("Initialize self") else remark
    return f"```text\n{name}{inspect.signature(item)}\n```\n" + (f"\n{remark}\n" if remark else "")


def _attributes(item: type) -> str:
    """Return the attributes of a class that have a remark, in the order of the source."""
    rows = []
    for found in _ATTRIBUTE.finditer(inspect.getsource(item)):
        remark = " ".join(line.strip().removeprefix("#: ") for line in found["remark"].splitlines())
        rows.append((f"`{found['name']}`", remark))
    return _table(("Attribute", "Meaning"), rows) if rows else ""


def _class(name: str, item: type) -> str:
    parts = [f"## {name}\n", inspect.cleandoc(item.__doc__ or "") + "\n"]
    parts += filter(None, (_constructor(name, item), _attributes(item)))
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
    from zerog_api.calls.all import CALLS
    from zerog_api.edge.openapi import build_openapi
    from zerog_api.edge.routes import calls

    found = calls(CALLS)
    document = _without_choices(build_openapi(found, guarded=True))
    rows, options = [], []
    for call in found:
        facts = call.operation
        described = document["paths"][call.path][call.method.lower()]
        name = f"`{call.method} {call.path}`"
        body = "parameters" if facts.parameters else _link(facts.body)
        answer = _link(facts.answer)
        verb = "anybody" if facts.verb is None else str(facts.verb)
        statuses = " ".join(status for status in described["responses"] if status not in USUAL)
        rows.append((name, facts.summary, body, answer, statuses, verb))
        for option in described["parameters"]:
            if option["in"] != "path":
                label = ("header " if option["in"] == "header" else "") + f"`{option['name']}`"
                schema = {**option["schema"], "description": option["description"]}
                options.append((name, label, _kind(schema), _meaning(schema)))
    columns = ("Call", "Does", "Body", "Answer", "Statuses, besides those of all", "Right")
    return {
        "calls": _table(columns, rows),
        "options": _table(("Call", "Option", "Type", "Meaning"), options),
        "bodies": bodies_of(document["components"]["schemas"]),
    }


def _without_choices(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the values of a choice in place of each reference to it."""
    schemas = document["components"]["schemas"]

    def inline(node: Any) -> Any:
        if isinstance(node, list):
            return [inline(item) for item in node]
        if not isinstance(node, dict):
            return node
        target = schemas.get(str(node.get("$ref")).rpartition("/")[2], {})
        if "enum" in target:
            node = {**target, **{name: item for name, item in node.items() if name != "$ref"}}
        return {name: inline(item) for name, item in node.items()}

    return {
        **document,
        "paths": inline(document["paths"]),
        "components": inline(document["components"]),
    }


#: Statuses that any call may answer with; the text of the page tells of them.
USUAL = {"401", "403", "405", "421", "429", "500", "503"}


def bodies_of(schemas: dict[str, Any]) -> str:
    """Return the tables of the bodies' fields."""
    text = ""
    for name, schema in schemas.items():
        if schema.get("properties"):
            rows = _fields(schema, "")
            text += f"### {name}\n\n{_table(('Field', 'Type', 'Meaning'), rows)}\n"
    return text.rstrip("\n") + "\n"


def _fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    for name, item in schema["properties"].items():
        often = "" if name in schema.get("required", ()) else ", may be missing"
        yield f"`{path}{name}`", _kind(item) + often, _meaning(item)


def _kind(schema: dict[str, Any]) -> str:
    """Return a value's type in a word or two."""
    if "$ref" in schema:
        return _link(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(each) for each in schema["anyOf"]))
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
            parts.append(f"{_number(schema[low])} to {_number(schema[high])}{unit}")
        elif low in schema:
            parts.append(f"at least {_number(schema[low])}{unit}")
        elif high in schema:
            parts.append(f"at most {_number(schema[high])}{unit}")
    return "; ".join(part.rstrip(".") if len(parts) > 1 else part for part in parts if part)


def _number(value: float) -> str:
    return f"{int(value) if value == int(value) else value:,}"


_FORMATS = {"date-time": "time", "uuid": "UUID"}


def _link(body: "type[BaseModel] | str | None") -> str:
    """Return a link to a body's table."""
    if body is None:
        return ""
    name = body if isinstance(body, str) else body.__name__
    return f"[{name}](#{name.lower()})"


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
            # Of a collector that makes its families itself, each has labels of its own.
            names = getattr(family, "_labelnames", ()) or getattr(collector, "_labelnames", ())
            labels = ", ".join(names)
            rows.append((f"`{name}`", family.type, labels, family.documentation))
    return _table(("Metric", "Kind", "Labels", "Meaning"), rows)


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    cells = ([str(cell or "").replace("|", "\\|") for cell in line] for line in lines)
    return "".join("| " + " | ".join(line) + " |\n" for line in cells)


def tables() -> dict[str, dict[str, str]]:
    """Return the made tables of each page, by name."""
    from zerog.settings import ClientSettings, CouchbaseSettings, PlaceSettings, WorkerSettings
    from zerog.worker.metrics import WorkerMetrics
    from zerog_api.edge.metrics import Metrics as ApiMetrics
    from zerog_api.settings import ApiSettings
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
            "worker": metrics(WorkerMetrics().registry),
            "api": metrics(ApiMetrics().registry),
        },
    }


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where a page is stale")
    options = parser.parse_args()
    from hack.figures import sentences
    from hack.modules import modules

    from zerog_tools.blocks import alone, filled

    if options.check and sys.version_info[:2] != PYTHON:
        print("the reference is made and checked with Python {}.{}".format(*PYTHON))
        return 0
    pages = {PAGES / "cli.md": command_line(), PAGES / "sdk.md": sdk()}
    pages[PAGES / "modules.md"] = modules(NOTE)
    made = {
        PAGES / name: {block: alone(text) for block, text in found.items()}
        for name, found in tables().items()
    }
    wrong = []
    try:
        made |= sentences()
        pages |= {path: filled(path.read_text(), blocks) for path, blocks in made.items()}
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
