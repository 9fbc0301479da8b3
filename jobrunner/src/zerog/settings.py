"""Settings of every ZeroG process: where they come from, and those of `zerog` itself.

`load(cls, environ)` is the only reader. A field is read from `ZEROG_<FIELD>`, or from the file
that `ZEROG_<FIELD>_FILE` names, as secrets are. Everything wrong is listed at once. A `ZEROG_`
variable that no part of ZeroG knows is an error, because it is a misspelt one.

The API and the operator define their own settings on `Settings`, and register them as entry points
of the group `zerog.settings`: this module must not know their fields.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from zerog.model.errors import ConfigError
from zerog.model.names import NAME_PATTERN, is_worker_name
from zerog.privatefile import read_secret

log = logging.getLogger(__name__)

PREFIX = "ZEROG_"
DEFAULT_STORE = "sqlite:///.zerog/zerog.db"
DEFAULT_QUEUE = "127.0.0.1:11300"
#: The group of entry points that name the settings of the other parts: NAME = module:Class.
GROUP = "zerog.settings"
#: The parts that an installation may lack: name of the entry point, and distribution.
_PARTS = {"api": "zerog-api", "operator": "zerog-operator"}
_YEAR_SECONDS = 365 * 86400


def _check_worker_name(name: str | None) -> str | None:
    if name is not None and not is_worker_name(name):
        raise ValueError(f"{name!r:.60} is not a worker's name: use letters, digits, '.', '_', '-'")
    return name


#: A list, written with commas or spaces between its items.
AS_LIST = BeforeValidator(
    lambda text: text.replace(",", " ").split() if isinstance(text, str) else text
)
Names = Annotated[tuple[str, ...], NoDecode, AS_LIST]
#: A span of time. Event loops cannot wait for an unlimited one.
Seconds = Annotated[float, Field(ge=0, le=10 * _YEAR_SECONDS, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=2**53)]
#: A number that is without limit when it is 0.
Limit = Annotated[int, Field(ge=0, le=2**53)]
QueueName = Annotated[str, Field(pattern=f"^(?:{NAME_PATTERN})$")]
Port = Annotated[int, Field(ge=0, le=65535)]
SECRET, OPEN = "secret", "open"
#: The path of a file or folder with secrets, which is kept from jobs where that is possible, and of
#: one without. Every setting that is a path says which it is.
SecretPath = Annotated[str | None, SECRET]
OpenPath = Annotated[str | None, OPEN]
WorkerName = Annotated[str | None, AfterValidator(_check_worker_name)]


class Settings(BaseSettings):
    """What all settings share. Creating an instance reads no environment: `load` does that.

    The text below a field is its documentation, from which `hack/reference.py` makes
    docs/reference/settings.md.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, defer_build=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave the environment of the process alone."""
        return (init_settings,)


class CouchbaseSettings(Settings):
    """Settings of every process whose datastore's URL begins with `couchbase`."""

    couchbase_password: str | None = Field(default=None, repr=False)
    """The user's password."""
    couchbase_password_file: SecretPath = None
    """The file that holds the password, which only its owner may read. It is read again when it
    changes."""
    couchbase_ca_path: OpenPath = None
    """The certificate authority of the servers, for `couchbases:` URLs (PEM)."""
    couchbase_cert_path: OpenPath = None
    """Client certificate (PEM), used with its key instead of user and password."""
    couchbase_key_path: SecretPath = None
    """The client certificate's key (PEM)."""
    couchbase_durability: Literal[
        "none", "majority", "majority_and_persist_to_active", "persist_to_majority"
    ] = "majority"
    """How safe accepted and finished jobs are before the answer: `none`, `majority`,
    `majority_and_persist_to_active` or `persist_to_majority`."""
    couchbase_listing: Literal["query", "kv"] = "query"
    """How jobs are listed: `query` (SQL++), or `kv` where there is no query service."""
    couchbase_telemetry: Literal["none", "opentelemetry"] = "none"
    """`opentelemetry` sends spans and metrics of the SDK's operations by OTLP."""


class PlaceSettings(CouchbaseSettings):
    """Where datastore and queue are: what commands need that use them without the API."""

    store: str = DEFAULT_STORE
    """The datastore's URL."""
    queue: str = DEFAULT_QUEUE
    """Address of beanstalkd."""


class WorkerSettings(PlaceSettings):
    """Settings of `zerog worker`."""

    jobs: Names = ()
    """Modules (or paths of .py files) that define the jobs."""
    queues: Names = ()
    """Queues to serve; empty: those of the imported jobs."""
    slots: Annotated[int, Field(ge=1, le=1000)] = 1
    """Jobs that run at the same time, each in its own process."""
    grace_seconds: Seconds = 30.0
    """How long running jobs may continue after SIGTERM."""
    max_jobs_per_child: Count = 1000
    """A child is replaced after this many jobs, so that slow leaks stay small."""
    max_child_bytes: Count = 512 * 1024 * 1024
    """A child is replaced when its resident memory is larger after a job."""
    progress_interval_seconds: Seconds = 0.25
    """Progress and log lines of a job are written at most this often."""
    cancel_grace_seconds: Seconds = 5.0
    """How long a job that is asked to cancel may take to notice by itself, before SIGTERM."""
    kill_grace_seconds: Seconds = 5.0
    """How long it may clean up after SIGTERM, before SIGKILL."""
    name: WorkerName = None
    """The worker's name, of at most 100 letters, digits, `.`, `_` and `-`; made from host and
    process by default."""
    larger_queue: QueueName | None = None
    """The queue that a job goes to, once, when it was killed because memory ran out here."""
    pool: str | None = None
    """The pool whose retire tokens the worker takes; not set outside Kubernetes."""
    metrics_port: Port = 0
    """Port for `/metrics`, `/healthz` and `/readyz`; 0 opens none. Workers of pools have 8082."""
    metrics_host: str = "127.0.0.1"
    """Address to serve them on."""
    ready_file: OpenPath = None
    """A file that exists while the worker takes jobs: a readiness probe looks at it."""
    pod: str | None = None
    """The pod that the worker runs in, for the record of attempts."""
    node: str | None = None
    """The node that the worker runs on, for the record of attempts."""
    image: str | None = None
    """The image that the worker runs from, for the record of attempts."""
    template_hash: str | None = None
    """The hash of what the worker's pod was made from, for the documents of its job types."""


class ClientSettings(Settings):
    """Settings of the client and of the commands that use it."""

    url: str | None = None
    """Where the API is; without it the note is used that `zerog dev` leaves in its folder, and no
    token is sent."""
    token: str | None = Field(default=None, repr=False)
    """Bearer token, where the API asks for one."""
    token_file: OpenPath = None
    """The file that holds the token, which only its owner may read. It is read again when it
    changes."""


_OWN: tuple[type[Settings], ...] = (WorkerSettings, ClientSettings)
Loaded = TypeVar("Loaded", bound=Settings)


def environment() -> Mapping[str, str]:
    """Return the process's environment."""
    return os.environ


def load(cls: type[Loaded], environ: Mapping[str, str], **given: Any) -> Loaded:
    """Read settings from an environment; what is `given` (by options) and not None wins.

    Raises:
        ConfigError: Lists everything that is wrong.
    """
    given = {name: value for name, value in given.items() if value is not None}
    problems = list(_misspelt(environ, cls))
    source = EnvSettingsSource(cls)
    source.env_vars = texts = {}
    for name in cls.model_fields.keys() - given.keys():
        try:
            # What is not shown of settings is a secret.
            is_secret = not cls.model_fields[name].repr
            if text := _text(environ, variable_of(name), is_secret):
                texts[variable_of(name).lower()] = text
        except ConfigError as error:
            problems.append(f"{variable_of(name)}_FILE: {error}")
        except (OSError, ValueError) as error:
            problems.append(f"{variable_of(name)}_FILE cannot be read: {error}")
    try:
        settings = cls(**{**source(), **given})
    except ValidationError as error:
        problems += _explained(error, given)
    if problems:
        raise ConfigError("; ".join(problems))
    return settings


def secret_paths(settings: Settings) -> list[str]:
    """Return the files and folders with secrets that settings name, and that exist.

    Another file that they name in the same folder goes with them: a folder is kept from jobs whole.
    """
    named: dict[str, list[str]] = {SECRET: [], OPEN: []}
    for name, field in type(settings).model_fields.items():
        for kind in named.keys() & set(field.metadata):
            path = getattr(settings, name)
            if path and os.path.exists(path):
                named[kind].append(path)
    folders = {os.path.dirname(path) for path in named[SECRET]}
    return named[SECRET] + [path for path in named[OPEN] if os.path.dirname(path) in folders]


def variable_of(field: str) -> str:
    """Return the name of the variable that a field is read from."""
    return PREFIX + field.upper()


def _text(environ: Mapping[str, str], variable: str, is_secret: bool) -> str | None:
    if path := environ.get(f"{variable}_FILE"):
        content = read_secret(path) if is_secret else Path(path).read_bytes()
        return content.decode("utf-8").strip()
    return environ.get(variable)


#: Pydantic's kinds of errors, in words. Others keep its own.
_WORDS = {
    "missing": "it is not set",
    "int_parsing": "{input!r:.60} is not a whole number",
    "int_from_float": "{input!r:.60} is not a whole number",
    "int_parsing_size": "{input!r:.60} is too large",
    "float_parsing": "{input!r:.60} is not a number",
    "finite_number": "{input!r:.60} is not a finite number",
    "greater_than_equal": "{input} is less than {ge:,.16g}",
    "less_than_equal": "{input} is more than {le:,.16g}",
    "literal_error": "{input!r:.60} is not {expected}",
    "bool_parsing": "{input!r:.60} is neither 1 (yes) nor 0 (no)",
}


def _explained(error: ValidationError, given: Mapping[str, Any]) -> Iterator[str]:
    """Give one sentence per problem."""
    for item in error.errors(include_url=False):
        field = str(item["loc"][0])
        words = _WORDS.get(item["type"], item["msg"].replace("{", "{{").replace("}", "}}"))
        name = field if field in given else variable_of(field)
        yield f"{name}: {words.format(input=item['input'], **item.get('ctx', {}))}"


def _misspelt(environ: Mapping[str, str], asked: type[Settings]) -> Iterator[str]:
    """Give the variables that no part of ZeroG knows.

    All pods of an installation may get the same variables, and the image of a worker may hold
    nothing of the API. While a part is not installed, an unknown variable may be that part's:
    it is a warning, because an error would stop workers for a setting of their neighbour.
    """
    known = _variables((asked, *_OWN))
    unknown = [name for name in sorted(environ) if name.startswith(PREFIX) and name not in known]
    if not unknown:
        return
    parts = _other_parts()
    known |= _variables(tuple(parts.values()))
    missing = " and ".join(_PARTS[name] for name in sorted(_PARTS.keys() - parts.keys()))
    for name in unknown:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            question = f", did you mean {near[0]}?" if near else ""
            if missing:
                _doubt(f"{name} is not a setting of zerog ({missing} not installed){question}")
            else:
                yield f"{name} is not a setting of ZeroG{question}"


@cache  # logins are loaded again every few seconds
def _doubt(text: str) -> None:
    log.warning("%s", text)


@cache
def _other_parts() -> dict[str, type[Settings]]:
    """Return the settings that other installed parts have registered."""
    parts = {}
    for point in entry_points(group=GROUP):
        try:
            parts[point.name] = point.load()
        except ImportError as error:  # a broken part must not stop this one
            _doubt(f"the settings of {point.name} ({point.value}) do not load: {error}")
    return parts


def _variables(classes: tuple[type[Settings], ...]) -> set[str]:
    names = {variable_of(name) for cls in classes for name in cls.model_fields}
    return names | {f"{name}_FILE" for name in names}
