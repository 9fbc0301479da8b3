"""Builds the small libraries that change what processes see of time and disk (`LD_PRELOAD`)."""

import shutil
import subprocess
from pathlib import Path

HAS_COMPILER = shutil.which("gcc") is not None


def build(name: str, folder: Path) -> Path:
    """Compile `NAME.c` into a folder. `RuntimeError` on a machine without gcc."""
    if not HAS_COMPILER:
        raise RuntimeError(f"{name}.c needs gcc: run `apt-get install gcc libc6-dev`")
    source, library = Path(__file__).with_name(f"{name}.c"), folder / f"{name}.so"
    flags = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, str(source), "-o", str(library), "-ldl"], check=True)
    return library
