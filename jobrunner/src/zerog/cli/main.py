# PYTHON_ARGCOMPLETE_OK
"""The `zerog` command: its subcommands, their arguments, and what its exit codes mean.

Commands are imported when they are run, so that `zerog --help` starts fast.
"""

import argparse
import difflib
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn

import zerog
from zerog.cli import codes, extensions
from zerog.errors import ConfigError, InvalidTubeNameError, ZeroGError

_EPILOG = f"""\
exit codes:
  {codes.OK} success   {codes.FAILED} the job or the command failed   {codes.USAGE} wrong usage
  {codes.UNREACHABLE} the API cannot be reached   {codes.UNFINISHED} not finished in time
  {codes.CANCELLED} cancelled

first steps:
  zerog dev examples/jobs/text.py      start everything on this machine
  zerog run WordStatistics text=hello  run a job and print its result
"""

Add = Callable[[argparse.ArgumentParser], None]
#: A job's states, as `zerog.jobs.record.State` has them: importing that takes longer than a help.
STATES = ("queued", "running", "waiting", "succeeded", "failed", "cancelled")
#: Commands that do not ask the API, and those that print nothing for programs.
_WITHOUT_API = frozenset({"dev", "worker", "api", "describe", "repair", "datastore", "completion"})
_WITHOUT_JSON = frozenset({"dev", "worker", "api", "delete", "completion"})


class _Parser(argparse.ArgumentParser):
    """Says after a fault where to read on, in place of a usage that fills the screen."""

    def error(self, message: str) -> NoReturn:
        self.exit(
            codes.USAGE, f"{self.prog}: error: {message}\n  `{self.prog} --help` explains it\n"
        )


def _uuid(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uuid", help="the job's UUID")


def _state(parser: argparse.ArgumentParser, text: str, **more: Any) -> None:
    text = f"{text}: {', '.join(STATES)}"
    parser.add_argument(
        "--state", action="append", choices=STATES, metavar="STATE", help=text, **more
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


#: What argparse calls it in an error.
_count.__name__ = "number"


def _uuids(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uuid", nargs="*", help="UUIDs of jobs")
    parser.add_argument("--type", action="append", help="all jobs of this type")
    _state(parser, "all jobs in this state")
    parser.add_argument("--queue", action="append", help="all jobs of this queue")


def _submission(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("type", help="the job type, see `zerog types`")
    parser.add_argument(
        "parameters",
        nargs="*",
        default=[],
        metavar="key=value",
        help="parameters: JSON if it parses, else text; key=@file reads a text file, "
        "key=@base64:file any file",
    )
    parser.add_argument("--params", metavar="FILE", help="JSON object of parameters, - for stdin")
    parser.add_argument("--priority", type=int, help="0 first … 9 last")
    parser.add_argument("--delay", type=float, help="seconds until the job may start")
    parser.add_argument("--timeout", type=float, help="seconds an attempt may run")
    parser.add_argument("--key", help="Idempotency-Key: the same key submits only once")


def _run(parser: argparse.ArgumentParser) -> None:
    _submission(parser)
    _limit(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="write the data there, as JSON")


def _limit(parser: argparse.ArgumentParser) -> None:
    text = "follow it for at most so long; the job goes on"
    parser.add_argument("--for", dest="limit", type=float, metavar="SECONDS", help=text)


def _watch(parser: argparse.ArgumentParser) -> None:
    _uuid(parser)
    _limit(parser)


def _list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--type", action="append", default=[], help="only this type")
    _state(parser, "only this state", default=[])
    parser.add_argument("--queue", action="append", default=[], help="only this queue")
    parser.add_argument("-n", "--limit", type=_count, default=20, help="how many (default 20)")


def _modules(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("jobs", nargs="*", metavar="MODULE", help="module or .py file with jobs")


def _store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", help="datastore URL (ZEROG_STORE)")
    parser.add_argument("--queue-address", dest="queue", help="beanstalkd's address (ZEROG_QUEUE)")


def _worker(parser: argparse.ArgumentParser) -> None:
    _modules(parser)
    _store(parser)
    parser.add_argument("--slots", type=int, help="jobs at the same time (ZEROG_SLOTS)")
    parser.add_argument("--queues", nargs="+", help="queues to serve (ZEROG_QUEUES)")
    parser.add_argument(
        "--grace-seconds", type=float, help="seconds that jobs may go on after SIGTERM"
    )
    parser.add_argument("--log-json", action="store_true", help="log as JSON")


def _api(parser: argparse.ArgumentParser) -> None:
    _store(parser)
    parser.add_argument("--host", help="address to listen on (ZEROG_HOST)")
    parser.add_argument("--port", type=int, help="port, 0 for a free one (ZEROG_PORT)")
    parser.add_argument("--log-json", action="store_true", help="log as JSON")


def _dev(parser: argparse.ArgumentParser) -> None:
    _modules(parser)
    parser.add_argument("--port", type=int, help="the API's port (default 8080 or a free one)")
    parser.add_argument("--queue-port", type=int, help="beanstalkd's port (default a free one)")
    parser.add_argument("--data", default=".zerog", help="folder of all data (default .zerog)")
    parser.add_argument("--slots", type=int, help="jobs at the same time (default: processors)")
    parser.add_argument(
        "--reload", action="store_true", help="start the worker anew when code changes"
    )


def _describe(parser: argparse.ArgumentParser) -> None:
    _modules(parser)
    parser.add_argument(
        "--register", action="store_true", help="write the types into the datastore"
    )
    parser.add_argument("--store", help="datastore URL (ZEROG_STORE)")


def _datastore(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    init = actions.add_parser("init", help="make what a Couchbase bucket needs")
    init.add_argument("--dry-run", action="store_true", help="only print the statements")
    init.add_argument("--index-replicas", type=int, default=0, help="replicas of each index")
    init.add_argument("--wait", type=float, default=300.0, help="seconds for building indexes")
    check = actions.add_parser("check", help="tell what is missing, and what puts it right")
    for action in (init, check):
        action.add_argument("--store", help="datastore URL (ZEROG_STORE)")
    copy = actions.add_parser("copy", help="copy all jobs to another datastore; may be repeated")
    copy.add_argument("source", metavar="FROM", help="datastore URL")
    copy.add_argument("target", metavar="TO", help="datastore URL")
    for action in (check, copy):
        action.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="print JSON"
        )


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=["bash", "zsh", "fish"])


def _nothing(parser: argparse.ArgumentParser) -> None:
    pass


#: name: (module of the command, help, arguments)
COMMANDS: dict[str, tuple[str, str, Add]] = {
    "dev": ("processes", "start beanstalkd, API and worker on this machine", _dev),
    "worker": ("processes", "run jobs", _worker),
    "api": ("processes", "serve the REST API", _api),
    "describe": ("system", "show the job types of modules", _describe),
    "submit": ("jobs", "submit a job and print its UUID", _submission),
    "run": ("jobs", "submit a job, follow it, print its result", _run),
    "watch": ("jobs", "follow a job: progress bar and log", _watch),
    "list": ("jobs", "list jobs, newest first", _list),
    "info": ("jobs", "show a job: progress, log, attempts", _uuid),
    "data": ("jobs", "print the output data of a finished job", _uuid),
    "cancel": ("jobs", "cancel jobs", _uuids),
    "retry": ("jobs", "replay finished jobs", _uuids),
    "delete": ("jobs", "forget a finished job", _uuid),
    "types": ("system", "list the registered job types", _nothing),
    "queues": ("system", "show queues: depth, rates, waiting time", _nothing),
    "workers": ("system", "show who is alive and what it runs", _nothing),
    "repair": ("system", "put back jobs that have no queue entry", _store),
    "datastore": ("datastore", "prepare, check or copy the datastore", _datastore),
    "completion": ("system", "print the code that completes commands in a shell", _completion),
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = _Parser(
        prog="zerog",
        description="ZeroG runs background jobs.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"zerog {zerog.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (_, text, add) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name not in _WITHOUT_JSON:
            command.add_argument("--json", action="store_true", help="print JSON, for programs")
        if name not in _WITHOUT_API:
            command.add_argument("--url", help="where the API is (ZEROG_URL)")
        add(command)
    for name, (_, text) in extensions.KNOWN.items():
        commands.add_parser(name, help=text, add_help=False)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
            extension = extensions.find_extension(arguments[0])
            if extension is not None:
                return extension(arguments[1:])
            raise ConfigError(_unknown(arguments[0]))
        parser = build_parser()
        _complete(parser)
        if not arguments:
            parser.print_help(sys.stderr)
            return codes.USAGE
        options = parser.parse_args(arguments)
        module = import_module(f"zerog.cli.{COMMANDS[options.command][0]}")
        command: Callable[[argparse.Namespace], int] = getattr(module, f"command_{options.command}")
        return command(options)
    except (ConfigError, InvalidTubeNameError) as error:
        return _fail(error, codes.USAGE)
    except ZeroGError as error:
        return _fail(error, codes.of_error(error))
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return codes.INTERRUPTED
    except BrokenPipeError:  # the reader of our output has enough
        sys.stderr.close()
        return codes.OK


def _complete(parser: argparse.ArgumentParser) -> None:
    import os

    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, [*COMMANDS, *extensions.KNOWN], n=1)
    question = f"; did you mean `zerog {near[0]}`?" if near else ""
    return f"there is no command {name!r}{question}\n  `zerog --help` lists them"


def _fail(error: ZeroGError, code: int) -> int:
    print(f"zerog: error: {error}", file=sys.stderr)
    if hint := codes.hint_of(error):
        print(f"  {hint}", file=sys.stderr)
    return code
