"""Write the reference pages that are made from code: the command line and the SDK.

`--check` writes nothing and fails where a page is not what the code says.
"""

import argparse
import inspect
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
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


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where a page is stale")
    options = parser.parse_args()
    if options.check and sys.version_info[:2] != PYTHON:
        print("the reference is made and checked with Python {}.{}".format(*PYTHON))
        return 0
    stale = []
    for name, text in {"cli.md": command_line(), "sdk.md": sdk()}.items():
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
