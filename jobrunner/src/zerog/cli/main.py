# PYTHON_ARGCOMPLETE_OK
"""The `zerog` command: its subcommands, their arguments, and what its exit codes mean.

Commands are imported when they are run, so that `zerog --help` starts fast.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

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


def _uuid(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uuid", help="the job's UUID")


def _uuids(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uuid", nargs="*", help="UUIDs of jobs")
    parser.add_argument("--type", action="append", help="all jobs of this type")
    parser.add_argument("--state", action="append", help="all jobs in this state")
    parser.add_argument("--queue", action="append", help="all jobs of this queue")


def _submission(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("type", help="the job type, see `zerog types`")
    parser.add_argument(
        "parameters",
        nargs="*",
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
    parser.add_argument("--for", dest="limit", type=float, metavar="SECONDS", help="wait so long")


def _watch(parser: argparse.ArgumentParser) -> None:
    _uuid(parser)
    _limit(parser)


def _list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--type", action="append", default=[], help="only this type")
    parser.add_argument("--state", action="append", default=[], help="only this state")
    parser.add_argument("--queue", action="append", default=[], help="only this queue")
    parser.add_argument("-n", "--limit", type=int, default=20, help="how many (default 20)")


def _modules(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("jobs", nargs="*", metavar="MODULE", help="module or .py file with jobs")


def _store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", help="datastore URL (ZEROG_STORE)")
    parser.add_argument("--queue-address", dest="queue", help="beanstalkd (ZEROG_QUEUE)")


def _worker(parser: argparse.ArgumentParser) -> None:
    _modules(parser)
    _store(parser)
    parser.add_argument("--slots", type=int, help="jobs at the same time (ZEROG_SLOTS)")
    parser.add_argument("--queues", nargs="+", help="queues to serve (ZEROG_QUEUES)")
    parser.add_argument("--grace-seconds", type=float, help="time for running jobs at SIGTERM")
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
    parser.add_argument("--reload", action="store_true", help="new worker when code changes")


def _describe(parser: argparse.ArgumentParser) -> None:
    _modules(parser)
    parser.add_argument("--register", action="store_true", help="write the types to the store")
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
    parser = argparse.ArgumentParser(
        prog="zerog",
        description="ZeroG runs background jobs.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"zerog {zerog.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (_, text, add) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text.capitalize() + ".")
        command.add_argument("--json", action="store_true", help="print JSON")
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
        parser = build_parser()
        _complete(parser)
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


def _fail(error: Exception, code: int) -> int:
    print(f"zerog: error: {error}", file=sys.stderr)
    return code
