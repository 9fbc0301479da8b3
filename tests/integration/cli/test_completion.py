"""Completion in a real shell: bash asks, the command answers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.scripted_api import Answer, FakeApi

from zerog_tools.cluster.ports import free_port

UUID = "019ab0c4-5e5a-7e5c-8a3c-0d7a6a3f1b2c"
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


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("zerog run Ma", {"Mail"}),
        ("zerog run Mail ", {"to=", "kind=", "fast="}),
        ("zerog run Mail to=x kind=", {"plain", "html"}),
        ("zerog run Mail fast=t", {"true"}),
        ("zerog cancel 019ab0c4-", {UUID}),
        ("zerog pause m", {"mail"}),
    ],
)
def test_bash_completes_what_the_api_knows(line: str, expected: set[str]) -> None:
    api = FakeApi()
    properties = {"to": {}, "kind": {"enum": ["plain", "html"]}, "fast": {"type": "boolean"}}
    mail = {"name": "Mail", "schema": {"properties": properties}}
    api.route("/v1/types", Answer(body={"types": [mail]}))
    api.route("/v1/types/Mail", Answer(body=mail))
    api.route("/v1/queues", Answer(body={"queues": [{"name": "mail"}, {"name": "other"}]}))
    api.route("/v1/jobs", Answer(body={"jobs": [{"uuid": UUID}], "next": None}))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    try:
        result = subprocess.run(
            ["bash", "-c", ASK, "ask", line],
            env={**os.environ, "PATH": path, "ZEROG_URL": api.url},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    finally:
        api.close()

    assert {word.strip() for word in result.stdout.split()} == expected, result.stderr


def test_an_api_that_is_away_completes_nothing_and_says_nothing() -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    result = subprocess.run(
        ["bash", "-c", ASK, "ask", "zerog info "],
        env={**os.environ, "PATH": path, "ZEROG_URL": f"http://127.0.0.1:{free_port()}"},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip

    assert "019" not in result.stdout
    assert result.stderr == ""
