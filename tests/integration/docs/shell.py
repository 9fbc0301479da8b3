"""A shell in a terminal, as somebody has it before them who follows a page by the letter."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.integration.cli.terminal import Terminal

#: It opens its terminal again, as the leader of its session, so that ^C reaches what it runs.
_SHELL = """
exec <>"$(tty)" >&0 2>&1
exec env 'PS1=(exit $?) typed> ' bash --norc --noprofile -i
"""
_PROMPT = re.compile(r"\(exit (\d+)\) typed> ")
#: Commands are not folded, so that the echo of one is one line.
_COLUMNS = 400
_INTERRUPT = "\x03"


class Shell(Terminal):
    """A terminal whose shell has nothing activated."""

    def __init__(
        self, folder: Path, env: Mapping[str, str], beside: Terminal | None = None
    ) -> None:
        """`beside`: another terminal, whose program must be able to write meanwhile."""
        plain = {name: value for name, value in env.items() if not name.startswith("ZEROG_")}
        ours = os.path.join(sys.prefix, "bin")
        path = [entry for entry in plain["PATH"].split(":") if entry != ours]
        env = {**plain, "PATH": ":".join(path)}
        super().__init__(["bash", "-c", _SHELL], columns=_COLUMNS, folder=folder, env=env)
        self._beside = beside
        self.read_until(lambda raw: _PROMPT.search(raw) is not None)

    def type(self, line: str) -> str:
        """Type a line, wait until it has ended well, return what it wrote."""
        said = self._until_prompt(f"{line}\n")
        assert _PROMPT.findall(said)[-1] == "0", said
        return said

    def stop(self) -> str:
        """Press ^C, wait until what runs has ended, return what it wrote meanwhile."""
        return self._until_prompt(_INTERRUPT)

    def read(self, seconds: float) -> bool:
        """Read, and let the other terminal's program write."""
        if self._beside is not None:
            self._beside.read(0)
        return super().read(seconds)

    def close(self) -> None:
        """End what runs, and leave the shell."""
        self.stop()
        self.press("exit\n")
        self.end()
        super().close()

    def _until_prompt(self, keys: str) -> str:
        before, prompts = len(self.raw), len(_PROMPT.findall(self.raw))
        self.press(keys)
        self.read_until(lambda raw: len(_PROMPT.findall(raw)) > prompts)
        return self.raw[before:]
