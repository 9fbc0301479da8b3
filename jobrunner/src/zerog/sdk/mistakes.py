"""Say why a module of jobs cannot be imported: where its author's code stood, and what to do next.

It only looks at files; importing is `zerog.sdk.importing`'s. A text is at most a few thousand
characters long and has a UTF-8 form, whatever the module raises.
"""

import os
import sys
import traceback
from pathlib import Path

from pydantic.errors import PydanticUserError

from zerog.model.errors import ConfigError, JobDefinitionError
from zerog.sdk.text import clean, cut, describe, is_authors

_MAX_ERROR_CHARS = 4000
_AS_A_PROGRAM = "put what runs as a program under `if __name__ == '__main__':`"
_RELATIVE = "attempted relative import with no known parent package"


class ExitAtImport(BaseException):
    """A module wants to end the process that imports it."""


def explain(module: str, error: BaseException) -> str:
    """Return what is wrong with a module, with the author's file and line and a next step."""
    if isinstance(error, JobDefinitionError | ConfigError):
        return clean(cut(str(error), _MAX_ERROR_CHARS))
    if (missing := _missing(module, error)) is not None:
        return clean(missing)
    where = f"{place}: " if (place := _place(module, error)) else ""
    text = cut(_reason(error), _MAX_ERROR_CHARS)
    return clean(f"the module {module} cannot be imported: {where}{text}")


def first_paragraph(error: BaseException) -> str:
    """Return what an error says, without pydantic's pages of further reading, and a next step."""
    if not isinstance(error, PydanticUserError):
        return describe(error)
    text = error.message.partition("\n\n")[0]
    match error.code:
        case "class-not-fully-defined":
            text += (
                " A name in its annotations is not defined in its module: define or import it"
                " there, and not only under `if TYPE_CHECKING:`."
            )
        case "schema-for-unknown-type":
            text = (
                f"{text.partition(' Set `arb')[0]} A parameter comes from JSON: let its type be"
                " plain, a dataclass or a pydantic model. If it is not a parameter, make it in run."
            )
        case _:
            pass
    return clean(f"{type(error).__name__}: {text}")


def _missing(module: str, error: BaseException) -> str | None:
    """Return what to say of a module that does not exist itself."""
    here = f"in {Path.cwd()}"
    if module.endswith(".py"):
        return None if Path(module).exists() else f"there is no file {module} {here}"
    if not all(map(str.isidentifier, module.split("."))):
        file = f"{module.rstrip('/')}.py"
        hint = f"did you mean {file}?" if Path(file).exists() else "write it as in `acme.jobs`"
        return f"{module} is not the name of a module nor a file that ends in .py: {hint}"
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    if module != error.name and not module.startswith(f"{error.name}."):
        return None
    file = f"{module.replace('.', os.sep)}.py"
    hint = f"did you mean {file}?" if Path(file).exists() else "or give the path of a file"
    return (
        f"there is no module {error.name} {here} or among the installed packages: "
        f"install it into {sys.prefix}, {hint}"
    )


def _reason(error: BaseException) -> str:
    match error:
        case SystemExit():
            return f"it called sys.exit({error.code!r}): {_AS_A_PROGRAM}"
        case ExitAtImport():
            return f"{error}: {_AS_A_PROGRAM}"
        case ModuleNotFoundError(name=str(name)) if not isinstance(error.__cause__, ImportError):
            return f"{describe(error)}: {_install(name)}"
        case ImportError() if _RELATIVE in str(error):
            return (
                f"{describe(error)}: its folder is not a package; write `from helper import …` "
                "for a file helper.py next to it, or add an __init__.py"
            )
        case _:
            return first_paragraph(error)


def _install(name: str) -> str:
    top = name.partition(".")[0]
    if top in sys.modules or top in sys.stdlib_module_names:
        return f"{top} has no such module"
    return f"install the package that has {top} into {sys.prefix}, where zerog runs"


def _place(module: str, error: BaseException) -> str | None:
    """Return where the author's code stood: in a file of theirs, or in an installed module."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    try:
        frames = traceback.extract_tb(error.__traceback__)
    except Exception:
        return None
    installed = module.replace(".", os.sep)
    ends = (f"{installed}.py", os.path.join(installed, "__init__.py"))
    found = (
        [frame for frame in frames if is_authors(frame.filename)]
        or [frame for frame in frames if frame.filename.endswith(ends)]
        or frames
    )
    return f"{found[-1].filename}:{found[-1].lineno}" if found else None
