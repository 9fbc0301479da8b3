"""Completion in a real shell: bash asks, the command answers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: What a shell that has loaded our code does when somebody presses Tab after a line.
ASK = """
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


@pytest.mark.parametrize(
    ("line", "expected"),
    [("zerog wor", {"worker", "workers"}), ("zerog run --prio", {"--priority"})],
)
def test_bash_completes_commands_and_options(line: str, expected: set[str]) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    result = subprocess.run(
        ["bash", "-c", ASK, "ask", line], env={**os.environ, "PATH": path},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert {word.strip() for word in result.stdout.split()} == expected, result.stderr


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_code_of_their_own(shell: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "zerog", "completion", shell],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert result.returncode == 0
    assert "zerog" in result.stdout
