"""Import job modules, by name or by the path of a .py file, and say what is wrong with each.

A file's module is named after it, unless that name belongs to somebody else: a file `email.py` must
not stand for the standard library's, nor two files of one name for each other. Folders are searched
before installed packages and after the standard library.
"""

import hashlib
import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from zerog.model.errors import NO_JOB, ConfigError
from zerog.sdk.mistakes import ExitAtImport, explain
from zerog.sdk.registry import REGISTRY, JobType

_SITE_FOLDERS = ("site-packages", "dist-packages")
#: Modules of files that are imported, by path.
_FILES: dict[Path, ModuleType] = {}


def import_jobs(modules: Sequence[str]) -> list[JobType]:
    """Import modules and return all job types, by name.

    Raises:
        ConfigError: A module cannot be imported, or none of them has a job.
    """
    if not modules:
        raise ConfigError("no jobs: name a module, e.g. `zerog worker acme.jobs`")
    problems = []
    for module in modules:
        try:
            import_module_of_jobs(module)
        except ConfigError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ConfigError("; ".join(map(str, problems))) from problems[0]
    if not REGISTRY.types:
        raise ConfigError(f"{', '.join(modules)}: {NO_JOB}")
    return [REGISTRY.types[name] for name in sorted(REGISTRY.types)]


def import_module_of_jobs(module: str) -> None:
    """Import one module, and describe its job types.

    Raises:
        ConfigError: That failed, in whatever way. The types of the module are not registered then.
    """
    search_folder(Path.cwd())
    types, threads = dict(REGISTRY.types), set(threading.enumerate())
    try:
        with _Exit():
            _import(module)
        for job_type in REGISTRY.types.values():
            _ = job_type.document
        _check_threads(module, threads)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        REGISTRY.types = types
        raise ConfigError(explain(module, error)) from error


def search_folder(folder: Path) -> None:
    """Let modules in a folder be found: after the standard library, before what is installed."""
    if str(folder) in sys.path or ("" in sys.path and folder == Path.cwd()):
        return
    places = (at for at, entry in enumerate(sys.path) if Path(entry).name in _SITE_FOLDERS)
    sys.path.insert(next(places, len(sys.path)), str(folder))


def _import(module: str) -> None:
    if not module.endswith(".py"):
        importlib.import_module(module)
        return
    path = Path(module).resolve()
    known = _FILES.get(path)
    if known is not None and sys.modules.get(known.__name__) is known:
        return
    search_folder(path.parent)
    if (packaged := _import_from_package(path)) is not None:
        _FILES[path] = packaged
        return
    name = _module_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{module} is not a Python file")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    try:
        spec.loader.exec_module(loaded)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    _FILES[path] = loaded


def _import_from_package(path: Path) -> ModuleType | None:
    """Import a file as a part of its package, so that relative imports work.

    None if it is not in one, or if another package has the name.
    """
    root, parts = path.parent, [] if path.stem == "__init__" else [path.stem]
    while (root / "__init__.py").exists():
        root, parts = root.parent, [root.name, *parts]
    if root == path.parent or not all(map(str.isidentifier, parts)):
        return None
    search_folder(root)
    name = ".".join(parts)
    try:
        package = importlib.util.find_spec(parts[0])
    except (ImportError, ValueError, AttributeError):
        return None
    if package is None or package.origin != str(root / parts[0] / "__init__.py"):
        return None
    return importlib.import_module(name)


def _module_name(path: Path) -> str:
    """Return the file's own name, or one with a hash of its path if that name is not free."""
    name = path.stem
    if name.isidentifier() and name not in sys.stdlib_module_names and name not in sys.modules:
        try:
            found = importlib.util.find_spec(name)
        except (ImportError, ValueError, AttributeError):
            found = None
        if found is None or found.origin == str(path):
            return name
    return f"{name}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"


def _check_threads(module: str, before: set[threading.Thread]) -> None:
    """Refuse threads: only the thread that forks exists in a fork, and locks stay locked."""
    if started := [thread.name for thread in threading.enumerate() if thread not in before]:
        raise ConfigError(
            f"the module {module} started threads when it was imported ({', '.join(started)}), "
            "which makes forking unsafe: start them in run"
        )


class _Exit:
    """Makes an error of `os._exit`, which would end the process without a word, and ends forks."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._is_active = False

    def __enter__(self) -> None:
        self._is_active = True
        real: Callable[[int], NoReturn] = os._exit
        self._real = real

        # A module may keep what it finds here, so it becomes the real one afterwards.
        def leave(status: int) -> NoReturn:
            if self._is_active and os.getpid() == self._process:
                raise ExitAtImport(f"it called os._exit({status})")
            real(status)

        setattr(os, "_exit", leave)  # noqa: B010  # to the type checker it is a constant

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._is_active = False
        setattr(os, "_exit", self._real)  # noqa: B010
        if os.getpid() != self._process:
            # A process that the module forked: it must not import the others, nor serve.
            self._real(0 if kind is None else 1)
