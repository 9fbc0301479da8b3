"""What stands for an image where no container is made: how to start its program here.

A node's images are files in one folder, so that the harness may add one while the node
runs. A name without a file cannot be pulled, as on a real node.
"""

import json
import urllib.parse
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Image:
    """The part of an image's configuration that starts a program."""

    #: Runs in front of the arguments, unless the container has a command.
    entrypoint: tuple[str, ...] = ()
    #: The arguments, unless the container has some, or a command.
    arguments: tuple[str, ...] = ()
    #: Below the container's own variables.
    env: dict[str, str] = field(default_factory=dict)
    #: The agent's own folder would not be in a real image either.
    working_directory: str | None = None

    def build_command(self, command: list[str], arguments: list[str]) -> list[str]:
        """Return what is run for a container's command and arguments."""
        if command:
            return [*command, *arguments]
        return [*self.entrypoint, *(arguments or self.arguments)]


def _path_of(folder: Path, name: str) -> Path:
    return folder / f"{urllib.parse.quote(name, safe='')}.json"


def save_image(folder: Path, name: str, image: Image) -> None:
    """Make an image known to the node of this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = _path_of(folder, name)
    # The node may look at any moment, and must not see half a file.
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(asdict(image)))
    unfinished.replace(path)


def load_image(folder: Path, name: str) -> Image | None:
    """Return an image, None when the node does not have it."""
    try:
        data = json.loads(_path_of(folder, name).read_text())
    except FileNotFoundError:
        return None
    return Image(
        tuple(data["entrypoint"]),
        tuple(data["arguments"]),
        data["env"],
        data["working_directory"],
    )
