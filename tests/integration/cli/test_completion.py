"""Completion in real shells: the shell asks, the command answers."""

import re

import pytest
from tests.scripted_api import Answer, FakeApi

from zerog_tools.cluster.ports import free_port

from .shells import SHELLS, completions

UUID = "019ab0c4-5e5a-7e5c-8a3c-0d7a6a3f1b2c"
#: Lines, and what the API completes in them. In the first ones shells differ.
KNOWN = [
    ("zerog run Mail ", {"to=", "kind=", "fast="}),
    ("zerog run Mail to=x kind=", {"plain", "html"}),
    ("zerog cancel 019ab0c4-", {UUID}),
    ("zerog run Ma", {"Mail"}),
    ("zerog run Mail fast=t", {"true"}),
    ("zerog pause m", {"mail"}),
]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "expected"),
    [("zerog wor", {"worker", "workers"}), ("zerog run --prio", {"--priority"})],
)
def test_a_shell_completes_commands_and_options(shell: str, line: str, expected: set[str]) -> None:
    words, complaint = completions(shell, line)

    assert words == expected, complaint


@pytest.mark.parametrize(
    ("shell", "line", "expected"),
    [("bash", *case) for case in KNOWN]
    + [(shell, *case) for shell in ("zsh", "fish") for case in KNOWN[:3]],
)
def test_a_shell_completes_what_the_api_knows(shell: str, line: str, expected: set[str]) -> None:
    api = FakeApi()
    properties = {"to": {}, "kind": {"enum": ["plain", "html"]}, "fast": {"type": "boolean"}}
    mail = {"name": "Mail", "schema": {"properties": properties}}
    api.route("/v1/types", Answer(body={"types": [mail]}))
    api.route("/v1/types/Mail", Answer(body=mail))
    api.route("/v1/queues", Answer(body={"queues": [{"name": "mail"}, {"name": "other"}]}))
    api.route("/v1/jobs", Answer(body={"jobs": [{"uuid": UUID}], "next": None}))
    try:
        words, complaint = completions(shell, line, ZEROG_URL=api.url)
    finally:
        api.close()

    # For bash a word begins anew after `=`.
    start = "" if shell == "bash" else "".join(re.findall(r"\w+=", line)[-1:])
    assert words == {start + word for word in expected}, complaint


@pytest.mark.parametrize("shell", SHELLS)
def test_an_api_that_is_away_completes_nothing_and_says_nothing(shell: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    words, complaint = completions(shell, "zerog info ", ZEROG_URL=url)

    assert not [word for word in words if word.startswith("019")]
    assert complaint == ""
