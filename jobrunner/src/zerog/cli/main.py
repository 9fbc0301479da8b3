# PYTHON_ARGCOMPLETE_OK
"""The `zerog` command: its subcommands, their arguments, and what its exit codes mean.

Commands are imported when they are run, so that `zerog --help` starts fast.
"""

import argparse
import difflib
import os
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from typing import NoReturn

import zerog
from zerog import standardfiles
from zerog.cli import arguments, codes, extensions, streams
from zerog.cli.parser import Parser
from zerog.cli.words import say, say_error
from zerog.model.errors import ConfigError, InvalidTubeNameError, ZeroGError

_EPILOG = f"""\
exit codes:
  {codes.OK} success   {codes.FAILED} the job or the command failed   {codes.USAGE} wrong usage
  {codes.UNREACHABLE} the API cannot be reached   {codes.NOT_FINISHED} the job is not finished
  {codes.CANCELLED} the job was cancelled   {codes.EXPIRED} it expired: no worker started it in time

first steps:
  zerog dev examples/jobs/text.py      start everything on this machine
  zerog run WordStatistics text=hello  run a job and print its result
"""

Add = Callable[[argparse.ArgumentParser], None]
#: Commands that do not ask the API, and those that print nothing for programs.
_WITHOUT_API = frozenset({"dev", "worker", "describe", "repair", "datastore", "completion"})
_WITHOUT_JSON = frozenset({"dev", "worker", "completion"})

#: What a group of commands is about: name: (module of the command, help, arguments)
GROUPS: dict[str, dict[str, tuple[str, str, Add]]] = {
    "jobs": {
        "run": ("jobs", "submit a job, follow it, print its result", arguments.run),
        "submit": ("jobs", "submit a job and print its UUID", arguments.submission),
        "watch": ("jobs", "follow a job: progress bar and log", arguments.watch),
        "list": ("listing", "list jobs, newest first", arguments.listing),
        "info": ("info", "show a job: progress, attempts, log", arguments.one_job),
        "logs": ("logs", "print a job's log", arguments.logs),
        "data": ("jobs", "print the output of a finished job, as JSON", arguments.data),
        "cancel": ("changes", "cancel jobs, by UUID or by filter", arguments.some_jobs),
        "retry": ("changes", "run finished jobs again, by UUID or by filter", arguments.some_jobs),
        "delete": ("changes", "delete finished jobs, by UUID or by filter", arguments.some_jobs),
    },
    "status": {
        "types": ("system", "list the registered job types", arguments.nothing),
        "queues": ("system", "show queues: depth, rates, waiting time", arguments.nothing),
        "workers": ("system", "show the live workers and what they run", arguments.nothing),
        "usage": ("usage", "show what job types used: time, processor, memory", arguments.usage),
    },
    "pause and drain": {
        "pause": ("controls", "stop workers from taking jobs of a queue", arguments.pause),
        "resume": ("controls", "let workers take jobs of a paused queue again", arguments.resume),
        "drain": ("controls", "stop a worker from taking jobs; it keeps running", arguments.drain),
        "undrain": ("controls", "let a worker take jobs again", arguments.undrain),
    },
    "processes": {
        "dev": ("processes", "start beanstalkd, API and worker on this machine", arguments.dev),
        "worker": ("processes", "run jobs, until SIGTERM or ^C", arguments.worker),
    },
    "setup and maintenance": {
        "describe": ("system", "show the job types of modules", arguments.describe),
        "datastore": ("datastore", "prepare, check or copy the datastore", arguments.datastore),
        "repair": ("system", "put back jobs that have no queue entry, once", arguments.repair),
        "completion": ("system", "print the code that enables completion in a shell",
                       arguments.completion),
    },
}  # fmt: skip
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}


class _Overview(Parser):
    """The parser of all commands; its help has them in groups."""

    def format_help(self) -> str:
        """Return the text of `zerog --help`."""
        groups = {
            title: {name: group[name][1] for name in group} for title, group in GROUPS.items()
        }
        for name, command in extensions.KNOWN.items():
            groups.setdefault(command.group, {})[name] = command.help
        groups["options"] = {"-h, --help": "show this", "--version": "show the version"}
        parts = [
            "usage: zerog COMMAND ...\n",
            "ZeroG runs background jobs. `zerog COMMAND --help` explains a command.\n",
        ]
        for title, entries in groups.items():
            parts += [f"{title}:", *(f"  {name:<12}{text}" for name, text in entries.items()), ""]
        return "\n".join([*parts, _EPILOG])


def build_parser(names: Collection[str] = COMMANDS) -> Parser:
    """Return the parser of all commands, or only of some."""
    parser = _Overview(prog="zerog")
    parser.add_argument("--version", action="version", version=f"zerog {zerog.__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=Parser
    )
    for name in names:
        _, text, add = COMMANDS[name]
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        command.set_defaults(refuse=command.error)
        if name not in _WITHOUT_JSON:
            command.add_argument("--json", action="store_true", help="print JSON, for programs")
        if name not in _WITHOUT_API:
            where = "the API's address (ZEROG_URL; default: the `zerog dev` of this folder)"
            command.add_argument("--url", help=where)
        add(command)
    for name, known in extensions.KNOWN.items():
        commands.add_parser(name, help=known.help, add_help=False)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, return the exit code."""
    standardfiles.open_missing()
    if os.getpid() == 1:
        # A container's first process does not get a signal that it has no handler for. Without one
        # a worker that is told to end while it still imports would go on, and take jobs.
        signal.signal(signal.SIGTERM, _terminate)
    streams.mend()
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
    except SystemExit as end:  # help, version, wrong usage
        code = end.code if isinstance(end.code, int) else codes.OK
        if isinstance(end.code, str):
            code = _fail(ZeroGError(end.code), codes.FAILED)
    except BrokenPipeError:
        code = codes.OK
    except OSError as error:  # most likely our output
        code = _fail(ZeroGError(str(error)), codes.FAILED)
    return streams.finish(code)


def _run(argv: Sequence[str]) -> int:
    try:
        if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
            extension = extensions.find_extension(argv[0])
            if extension is not None:
                return extension(argv[1:])
            raise ConfigError(_unknown(argv[0]))
        # Most of a parser's time would go into commands that nobody has called.
        parser = build_parser(argv[:1] if argv and argv[0] in COMMANDS else COMMANDS)
        _complete(parser)
        if not argv:
            parser.print_help(sys.stderr)
            return codes.USAGE
        options = _read(parser, argv)
        if getattr(options, "uuid", None):
            import_module("zerog.cli.choice").complete_uuids(options)
        module = import_module(f"zerog.cli.{COMMANDS[options.command][0]}")
        command: Callable[[argparse.Namespace], int] = getattr(module, f"command_{options.command}")
        return command(options)
    except (ConfigError, InvalidTubeNameError) as error:
        return _fail(error, codes.USAGE)
    except ZeroGError as error:
        return _fail(error, codes.of_error(error))
    except KeyboardInterrupt:
        say()
        return codes.INTERRUPTED


def _read(parser: Parser, argv: Sequence[str]) -> argparse.Namespace:
    """Parse arguments. Parameters of a job may stand behind options, which argparse does not
    know of."""
    options, rest = parser.parse_known_args(argv)
    if rest and hasattr(options, "parameters") and not any(word[0] == "-" for word in rest if word):
        options.parameters += rest
    elif rest:
        options.refuse(f"unrecognized arguments: {' '.join(rest)}")
    return options


def _terminate(signum: int, frame: object) -> NoReturn:
    sys.exit(codes.TERMINATED)


def _complete(parser: Parser) -> None:
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser, always_complete_options=False)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, [*COMMANDS, *extensions.KNOWN], n=1)
    question = f"; did you mean `zerog {near[0]}`?" if near else ""
    return f"there is no command {name!r}{question}\n  `zerog --help` lists them"


def _fail(error: ZeroGError, code: int) -> int:
    say_error(error, codes.hint_of(error))
    return code
