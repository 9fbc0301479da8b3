"""The page of all modules: what each file of the product is for, in its own first sentence.

`hack/reference.py` writes and checks it, so it lacks no file and names none that has gone.
"""

import ast
import re
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Folders of sources, in the order of the page.
SOURCES = [
    "jobrunner/src/zerog", "api/src/zerog_api", "api/web/src", "operator/src/zerog_operator",
    "simulate/src/zerog_simulate", "tools/src/zerog_tools",
]  # fmt: skip
#: Made from other files.
MADE = {"generated.ts"}
KINDS = (".py", ".ts", ".tsx")
HEAD = """\
# What is where

Each file of the product, with the first sentence that it says of itself. `CONTRIBUTING.md`
has the map of the whole, and lists of files for common changes.
"""


def modules(note: str) -> str:
    """Return the page, below a note for those who would edit it."""
    parts = [f"{note}{HEAD}"]
    for source in SOURCES:
        folders = {path.parent for path in (ROOT / source).rglob("*") if path.suffix in KINDS}
        parts += [_folder(folder) for folder in sorted(folders)]
    return "\n".join(parts)


def _folder(folder: Path) -> str:
    """Return a folder's part: what its package is for, and its files."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix in KINDS]
    rows = [f"| `{path.name}` | {_cell(path)} |\n" for path in files if _is_listed(path)]
    package = folder / "__init__.py"
    about = f"{first_sentence(package)}\n\n" if package.exists() else ""
    head = f"## {folder.relative_to(ROOT)}\n\n{about}"
    return head + "| File | What it is for |\n| --- | --- |\n" + "".join(rows)


def _is_listed(path: Path) -> bool:
    return path.name not in {"__init__.py", *MADE} and not path.name.endswith(".d.ts")


def _cell(path: Path) -> str:
    return first_sentence(path).replace("|", "\\|")


def first_sentence(path: Path) -> str:
    """Return what a file says of itself first: of its docstring, or of the comment on top."""
    text = path.read_text()
    if path.suffix == ".py":
        about = ast.get_docstring(ast.parse(text)) or ""
    else:
        comment = takewhile(lambda line: line.startswith("//"), text.splitlines())
        about = "\n".join(line.removeprefix("//") for line in comment)
    paragraph = " ".join(about.partition("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) (?=[A-Z`])", paragraph, maxsplit=1)[0]
