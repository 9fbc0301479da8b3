"""`Job`: what job authors derive from. Mistakes are reported when the class is defined,
with file and line."""

import inspect
import re
import sys
from abc import abstractmethod
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from zerog.model.errors import JobDefinitionError
from zerog.sdk.context import Context
from zerog.sdk.options import Options, read_options
from zerog.sdk.registry import REGISTRY, JobType

#: What separates the parts of a generic class's name: `Import[int]` is the type `Import.int`.
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


class Job(BaseModel):
    """A unit of background work. Its pydantic fields are its parameters.

    Write `run`, sync or async. What it returns is the output data (anything with a JSON form); an
    exception is an error and leads to a retry until `max_errors`. The docstring becomes the type's
    description.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    #: The options as read from the inner class `Options`.
    zerog_options: ClassVar[Options]

    @abstractmethod
    def run(self, ctx: Context) -> Any:
        """Do the work."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Check the class and register it."""
        super().__pydantic_init_subclass__(**kwargs)
        # `Import[int]` is a class of its own, and as abstract as `Import` is.
        written = cls.__pydantic_generic_metadata__["origin"] or cls
        if vars(written).get("__abstract__", False):
            return
        try:
            default_name = _NOT_IN_A_NAME.sub(".", cls.__name__).strip(".")
            cls.zerog_options = read_options(default_name, [*reversed(cls.__mro__)])
            _check_init(cls)
            _check_run(cls)
            REGISTRY.add(JobType(cls.zerog_options.name, cls, cls.zerog_options))
        except ValueError as error:
            raise JobDefinitionError(f"{_place(cls)}: class {cls.__name__}: {error}") from None


def _check_init(cls: type[Job]) -> None:
    if any("__init__" in vars(base) for base in cls.__mro__[: cls.__mro__.index(BaseModel)]):
        raise ValueError(
            "it has an __init__, but its instances are made from JSON: write the parameters as "
            "fields (`name: str`), and prepare everything else in run or model_post_init"
        )


def _check_run(cls: type[Job]) -> None:
    if cls.run is Job.run:
        raise ValueError("it has no run: write `def run(self, ctx): ...`")
    run = inspect.getattr_static(cls, "run")
    if not inspect.isfunction(run):
        raise ValueError("run is not a plain method: write `def run(self, ctx): ...`")
    parameters = list(inspect.signature(run).parameters.values())
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if len(parameters) != 2 or any(item.kind not in plain for item in parameters):
        raise ValueError(
            f"run{inspect.signature(run)} has the wrong parameters: write `def run(self, ctx)`"
        )
    if inspect.isgeneratorfunction(run) or inspect.isasyncgenfunction(run):
        raise ValueError("run yields: it must return its output")


def _place(cls: type[Job]) -> str:
    """Say where a class is defined, found from the frame that defines it."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == cls.__module__:
            try:
                _, line = inspect.getsourcelines(cls)
            except (OSError, TypeError):
                line = frame.f_lineno
            return f"{frame.f_code.co_filename}:{line}"
        if frame.f_back is None:
            break
        frame = frame.f_back
    return cls.__module__
