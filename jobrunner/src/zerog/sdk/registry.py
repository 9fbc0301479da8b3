"""The job types of this process, by name, and how their modules are imported."""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerog.model.errors import ConfigError, JobDefinitionError
from zerog.sdk.options import Options

if TYPE_CHECKING:
    from zerog.sdk.job import Job


@dataclass(frozen=True, slots=True)
class JobType:
    """A registered job class."""

    name: str
    cls: "type[Job]"
    options: Options

    def to_document(self) -> dict[str, Any]:
        """Return what the API needs to know of the type, as JSON."""
        options = self.options
        return {
            "name": self.name,
            "description": (self.cls.__doc__ or "").strip(),
            "schema": self.cls.model_json_schema(),
            "queue": options.queue,
            "priority": options.priority,
            "maxErrors": options.max_errors,
            "maxCrashes": options.max_crashes,
            "backoffSeconds": options.backoff_seconds,
            "backoffMaxSeconds": options.backoff_max_seconds,
            "timeoutSeconds": options.timeout,
            "retainOkSeconds": options.retain_ok_seconds,
            "retainFailedSeconds": options.retain_failed_seconds,
        }


@dataclass(slots=True)
class Registry:
    """Job types by name."""

    types: dict[str, JobType] = field(default_factory=dict)

    def add(self, job_type: JobType) -> None:
        """Add a type. `ValueError` if another class has its name."""
        other = self.types.get(job_type.name)
        if other is not None and other.cls is not job_type.cls:
            raise ValueError(
                f"there is another job called {job_type.name!r}, in module "
                f"{other.cls.__module__}: set a name in Options"
            )
        self.types[job_type.name] = job_type


#: The types of this process: importing a module adds its jobs.
REGISTRY = Registry()


def import_jobs(modules: Sequence[str]) -> list[JobType]:
    """Import modules (names, or paths of .py files) and return all job types, by name.

    Raises:
        ConfigError: A module cannot be imported, or there is no job in any of them.
    """
    if not modules:
        raise ConfigError("no jobs: name a module, e.g. `zerog worker acme.jobs`")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    for module in modules:
        try:
            _import(module)
        except JobDefinitionError as error:
            raise ConfigError(str(error)) from error
        except Exception as error:
            raise ConfigError(
                f"the module {module} cannot be imported: {type(error).__name__}: {error}"
            ) from error
    if not REGISTRY.types:
        raise ConfigError(f"{', '.join(modules)}: no class derives from zerog.Job")
    return [REGISTRY.types[name] for name in sorted(REGISTRY.types)]


def _import(module: str) -> None:
    if not module.endswith(".py"):
        importlib.import_module(module)
        return
    path = Path(module).resolve()
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{module} is no Python file")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = loaded
    spec.loader.exec_module(loaded)
