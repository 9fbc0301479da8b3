"""The load generator (`load.go`): it is built here, and its orders are given and answered here.

It is compiled because one in Python takes as much of two cores as what it measures. What it takes
itself is in each answer.
"""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Literal, Self

from msgspec import Struct

from zerog_tools.cluster.binaries import cache_folder
from zerog_tools.cluster.go import find_go

_SOURCE = Path(__file__).with_name("load.go")
#: How long a job may take.
LIMIT_SECONDS = 60.0


class LoadError(Exception):
    """What was asked for did not answer as it should."""


class Answer(Struct, frozen=True):
    """What came of an order."""

    seconds: float
    #: Seconds of processor time that the generator took.
    processor: float
    #: Of `follow`, for each job.
    latencies: list[float]


class Load:
    """The generator, running."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory(prefix="zerog-load-") as folder:
            program = Path(folder) / "load"
            go = str(find_go(cache_folder()))
            subprocess.run([go, "build", "-o", str(program), str(_SOURCE)], check=True)
            self._process = subprocess.Popen(
                [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )

    def order(
        self,
        do: Literal["post", "get", "finish", "follow"],
        port: int,
        paths: tuple[str, str],
        count: int = 0,
        *,
        connections: int = 1,
        pause_seconds: float = 0.001,
    ) -> Answer:
        """Do something, and wait until it is done. `paths` are those of POST and GET.

        Raises:
            LoadError: An answer was not the expected one.
        """
        order: dict[str, Any] = {
            "Do": do, "Port": port, "Post": paths[0], "Get": paths[1], "Count": count,
            "Connections": connections, "PauseSeconds": pause_seconds,
            "LimitSeconds": LIMIT_SECONDS,
        }  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(order)}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if answer["error"]:
            raise LoadError(answer["error"])
        return Answer(answer["seconds"], answer["processor"], answer["latencies"] or [])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
