"""What real shells complete: each loads our code, and is asked for what Tab gives after a line."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.fixtures import skip_or_fail

SHELLS = ("bash", "zsh", "fish")
DEADLINE_SECONDS = 120.0
#: What bash does when somebody presses Tab after a line.
_BASH = """
eval "$(zerog completion bash)"
line=$1
read -ra COMP_WORDS <<<"$line"
[[ $line == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$line COMP_POINT=${#line} COMP_TYPE=9
complete -p zerog | grep -oP '(?<=-F )\\S+' >/dev/null
function=$(complete -p zerog | grep -oP '(?<=-F )\\S+')
$function zerog "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
_FISH = "zerog completion fish | source; complete -C $argv[1]"
#: The end is written in two parts, so that its echo does not look like it.
_ZSH = (
    "autoload -U compinit && compinit -u -D; unsetopt automenu listambiguous; setopt nobeep;"
    ' stty cols 200 rows 200; eval "$(zerog completion zsh)"; print RE""ADY\n'
)
#: zsh writes it when it begins to read a line.
_READS = b"\x1b[?2004h"
#: Between listed words and what they mean, also where that is nothing.
_MEANS = re.compile(r"\s--(?:\s|$)")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def completions(shell: str, line: str, **env: str) -> tuple[set[str], str]:
    """Return the words that a shell offers after a line, and what it complained about."""
    if shutil.which(shell) is None:
        skip_or_fail(f"{shell} is not installed: `make shells`")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    whole = {**os.environ, "PATH": path, "TERM": "dumb", **env}
    if shell == "zsh":
        return _of_zsh(line, whole), ""
    options = ["bash", "-c", _BASH, "ask"] if shell == "bash" else ["fish", "-N", "-c", _FISH]
    result = subprocess.run([*options, line], env=whole, capture_output=True, text=True,
                            timeout=DEADLINE_SECONDS)  # fmt: skip
    words = {row.split("\t")[0].strip() for row in result.stdout.splitlines()}
    return words - {""}, result.stderr


def _of_zsh(line: str, env: Mapping[str, str]) -> set[str]:
    """Ask zsh, which completes only what is typed at a terminal."""
    terminal, its = pty.openpty()
    zsh = subprocess.Popen(
        ["zsh", "-f", "-i"], env=env, stdin=its, stdout=its, stderr=its, start_new_session=True
    )
    os.close(its)
    try:
        os.write(terminal, _ZSH.encode())
        _read_until(terminal, b"READY\r\n")
        _read_until(terminal, _READS)
        os.write(terminal, f"{line}\t\x15print DO''NE\n".encode())
        return _offered(_read_until(terminal, b"DONE\r\n"), line)
    finally:
        zsh.kill()
        zsh.wait(DEADLINE_SECONDS)
        os.close(terminal)


def _read_until(terminal: int, mark: bytes) -> str:
    """Read a byte at a time, so that what comes after the mark stays there."""
    end, found = time.monotonic() + DEADLINE_SECONDS, b""
    while not found.endswith(mark):
        if not select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0]:
            raise TimeoutError(f"zsh did not write {mark!r} but {found!r}")
        found += os.read(terminal, 1)
    return found.decode()


def _offered(screen: str, line: str) -> set[str]:
    """Return the listed words, or else the one that zsh has put into the line."""
    rows = [_ESCAPE.sub("", row).strip() for row in re.split(r"[\r\n]+", screen)]
    listed = [_MEANS.split(row)[0] for row in rows if _MEANS.search(row)]
    if listed:
        return {word for row in listed for word in row.split()}
    before = line.rpartition(" ")[0]
    written = [row[len(before) :].strip() for row in rows if row.startswith(line)]
    return {word for word in written[:1] if word != line[len(before) :].strip()}
