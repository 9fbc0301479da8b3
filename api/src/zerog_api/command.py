"""The command `zerog api`, brought to the `zerog` command by an entry point."""

from collections.abc import Sequence

from zerog import logs
from zerog.cli import arguments
from zerog.cli.parser import Parser
from zerog.settings import environment, load
from zerog.tracing import open_tracing
from zerog_api.settings import ApiSettings


def main(argv: Sequence[str]) -> int:
    """Serve the REST API until SIGTERM, return the exit code. `zerog` reports a `ZeroGError`."""
    options = build_parser().parse_args(argv)
    logs.configure(options.log_format)
    settings = load(
        ApiSettings,
        environment(),
        store=options.store,
        queue=options.queue,
        host=options.host,
        port=options.port,
        jobs=tuple(options.jobs) if options.jobs else None,
    )
    from zerog_api.main import run_api  # later, so that --help and faults in settings are quick

    return run_api(settings, open_tracing(environment()))


def build_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        prog="zerog api", description="Serve the REST API and the page, until SIGTERM or ^C."
    )
    arguments.places(parser)
    parser.add_argument("--host", help="address to listen on (ZEROG_HOST)")
    parser.add_argument("--port", type=int, help="port, 0 for a free one (ZEROG_PORT)")
    parser.add_argument(
        "--jobs",
        nargs="+",
        metavar="MODULE",
        help="modules or .py files with jobs: their classes check parameters, too, before a job is "
        "accepted; SIGUSR1 imports them again (ZEROG_JOBS; default: only the registered schemas)",
    )
    logs.add_option(parser)
    return parser
