"""Commands of `zerog` that other packages bring: entry points of the group `zerog.commands`.

The value of an entry point is a function that takes the arguments after the command's name and
returns an exit code; it has its own parser. Nothing is looked up or imported until such a command
is called, so it costs the others nothing.

Commands of ZeroG's own other distributions are listed here by name, so that `--help` shows them
and an installation without them says what to install.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import NamedTuple

from zerog.model.errors import ConfigError

GROUP = "zerog.commands"


class Known(NamedTuple):
    """A command of ZeroG's own that another distribution has."""

    distribution: str
    #: The group of `zerog --help` that lists it.
    group: str
    help: str


KNOWN = {
    "api": Known("zerog-api", "processes", "serve the REST API and the page, until SIGTERM or ^C"),
    "simulate": Known(
        "zerog-simulate",
        "on Kubernetes",
        "try a pool's scaling against a load, without a cluster",
    ),
}

Command = Callable[[Sequence[str]], int]


def find_extension(name: str) -> Command | None:
    """Return the command of this name, None if no package brings one.

    `ConfigError` if it is one of ZeroG's own whose package is not installed, or does not load.
    """
    found = list(entry_points(group=GROUP, name=name))
    if found:
        try:
            command: Command = found[0].load()
        except ImportError as error:
            raise ConfigError(
                f"`zerog {name}` ({found[0].value}) does not load: {error}"
            ) from error
        return command
    if name in KNOWN:
        package = KNOWN[name].distribution
        raise ConfigError(
            f"`zerog {name}` is part of {package}, which is not installed: pip install {package}"
        )
    return None
