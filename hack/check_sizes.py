"""Refuse modules and functions that have grown too long. There is no list of exceptions."""

import ast
import subprocess
import sys
from pathlib import Path

MAX_MODULE_LINES = 500
MAX_TEST_LINES = 600
MAX_FUNCTION_LINES = 60


def problems_of(path: Path, text: str) -> list[str]:
    """Return what is too long in a module."""
    limit = MAX_TEST_LINES if "tests" in path.parts else MAX_MODULE_LINES
    lines = text.count("\n")
    found = [f"{path}: {lines} lines, at most {limit}"] if lines > limit else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                found.append(
                    f"{path}:{node.lineno}: {node.name} has {length} lines, "
                    f"at most {MAX_FUNCTION_LINES}"
                )
    return found


def main() -> int:
    """Check every Python file that git knows or would take."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    paths = [Path(name) for name in names if Path(name).exists()]
    problems = [item for path in paths for item in problems_of(path, path.read_text())]
    print("\n".join(problems) or f"{len(paths)} modules are of a readable size")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
