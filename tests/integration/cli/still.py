"""Take the docs' picture of a terminal: `make screenshots`.

The commands run in a terminal, against a real `zerog dev`. What stays on the screen becomes an SVG.
"""

import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text
from tests.integration.cli.terminal import Terminal
from tests.integration.docs.reader import Reader

COLUMNS = 96
COMMANDS = (
    "zerog run WordStatistics text=@LICENSE top=1",
    "zerog run Mandelbrot -o mandelbrot.json",
    "zerog list",
)
#: What a progress bar erases before it is drawn again.
ERASED = re.compile(r"[^\n]*\x1b\[2K")
#: Rich's SVG loads fonts from a server; the reader's own will do. Its remark names a site.
UNWANTED = re.compile(r"@font-face \{.*?\}|<!--.*?-->|[ \t]+$", re.DOTALL | re.MULTILINE)


def shown(reader: Reader, command: str) -> Text:
    """Run a command in a terminal; return what stays on the screen."""
    terminal = Terminal(
        ["bash", "-c", command], columns=COLUMNS, folder=reader.folder, env=reader.env
    )
    try:
        code, raw = terminal.end()
    finally:
        terminal.close()
    assert code == 0, raw
    return Text.from_ansi(ERASED.sub("", raw.replace("\r\n", "\n")).rstrip())


def main(folder: Path) -> None:
    """Take the picture."""
    console = Console(record=True, width=COLUMNS, file=sys.stderr, highlight=False)
    with tempfile.TemporaryDirectory() as temporary:
        reader = Reader(Path(temporary), "examples/jobs/*.py")
        try:
            for command in COMMANDS:
                console.print(Text(f"$ {command}", "bold"))
                console.print(shown(reader, command), end="\n\n")
        finally:
            reader.dev.close()
    svg = console.export_svg(title="zerog", unique_id="terminal")
    (folder / "terminal.svg").write_text(UNWANTED.sub("", svg))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
