"""Refuse phrases that are not plain English, and say what to write instead.

It reads Markdown without its code, and the texts of Python modules: docstrings, help, messages. It
reads only what is in `SWEPT`: sweep a file, then add it there. Comments are not read.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: A phrase as a regular expression, and what to write instead.
PHRASES = {
    r"all else": "everything else",
    r"anew": "again, from scratch",
    r"(?:is|are|was|were) away": "is unavailable, is unreachable",
    r"belongs? into": "belongs in",
    r"beside": "alongside, compared with, next to",
    r"frankly": "nothing: just say it",
    r"go(?:es)? on(?! (?:loopback|the))": "continues, resumes",
    r"ha(?:s|ve) to be": "must be",
    r"(?<!there )(?:is|are) no(?! longer| more)": "is not a",
    r"nobody knows": "it is unknown",
    r"of (?:its|my|our|your|their|one's) own": "own, separate, custom",
    r"one a (?:line|minute|second|day)": "one per line",
    r"or some": "or two",
    r"shall": "must, will",
    r"(?:at most|before|after|every|in) so (?:many|much|long)": "N, this many, for SECONDS",
    r"(?:is|are|was|were|be) told": "is reported, is asked to",
    r"whoever": "name the actor: anyone who, the process that",
}
_ANY = re.compile(rf"\b(?:{'|'.join(PHRASES)})\b", re.IGNORECASE)
#: What is free of them: patterns of paths. Generated pages follow from the code.
SWEPT = (
    "*.md",
    "docs/*.md",
    "docs/explanation/*.md",
    "docs/howto/*.md",
    "docs/reference/[cprs]*.md",
    "docs/reference/metrics.md",
    "charts/zerog/*.md*",
    "manifests/**/*.md",
    "operator/*.md",
    "jobrunner/src/zerog/cli/*.py",
    "jobrunner/src/zerog/client/*.py",
    "jobrunner/src/zerog/sdk/*.py",
    "api/src/zerog_api/models/*.py",
    "api/src/zerog_api/problems.py",
    "api/src/zerog_api/core/errors.py",
)
#: History is not rewritten.
LEFT_OUT = {"CHANGELOG.md"}
_CODE = re.compile(r"^( *)```.*?^\1```$|`[^`\n]+`|<!--.*?-->", re.MULTILINE | re.DOTALL)


def prose_of_markdown(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines of a page with their numbers; code is blank."""
    blank = _CODE.sub(lambda found: "\n" * found.group().count("\n"), text)
    yield from enumerate(blank.splitlines(), 1)


def prose_of_python(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines of a module's texts with their numbers: docstrings, help, messages."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield from enumerate(node.value.splitlines(), node.lineno)


def complaints(name: str, text: str) -> Iterator[str]:
    """Give what to write otherwise in a file."""
    prose = prose_of_python if name.endswith(".py") else prose_of_markdown
    for number, line in prose(text):
        for found in _ANY.finditer(line):
            yield f"{name}:{number}: {found.group()!r}: write {_instead(found.group())!r}"


def _instead(words: str) -> str:
    """Return what to write for words that were found."""
    known = (text for phrase, text in PHRASES.items() if re.fullmatch(phrase, words, re.IGNORECASE))
    return next(known, "something plainer")


def swept() -> Iterable[Path]:
    """Return the files to read."""
    found = {path for pattern in SWEPT for path in ROOT.glob(pattern)}
    return sorted(path for path in found if path.name not in LEFT_OUT)


def main() -> int:
    """Print the complaints; 1 if there are any."""
    names = [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in swept()]
    found = [complaint for name, text in names for complaint in complaints(name, text)]
    print("\n".join(found) or f"{len(names)} files are in plain English")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
