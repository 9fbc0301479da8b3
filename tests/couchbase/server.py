"""`python -m tests.couchbase.server`: an imitation of a Couchbase server with one bucket and node.

It listens on 127.0.0.1, unless a test has a network of its own, and writes one line of JSON, also
to `--ready-file`, when it serves: `{"connection": …, "kv": …, "management": …, "query": …,
"control": …}`. With `--journal` its documents outlive it. It ends on SIGTERM.
"""

import argparse
import asyncio
import contextlib
import json
import os
import selectors
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.couchbase.cluster_map import LOOPBACK, Ports, TlsPorts
from tests.couchbase.commands import Durability
from tests.couchbase.control import Clock, Control
from tests.couchbase.engine import Engine
from tests.couchbase.faults import Faults
from tests.couchbase.http import HttpService
from tests.couchbase.indexes import Indexes
from tests.couchbase.journal import Journal, replay
from tests.couchbase.management import Management
from tests.couchbase.query import QueryService
from tests.couchbase.session import Bucket, Connection
from tests.couchbase.tls import server_context


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(prog="tests.couchbase.server", description=__doc__)
    parser.add_argument("--host", default=LOOPBACK, help="where all but the control listens")
    parser.add_argument("--port", type=int, default=0, help="of the data service; 0: any")
    for name in ("management", "query", "control"):
        parser.add_argument(f"--{name}-port", type=int, default=0)
        parser.add_argument(f"--tls-{name}-port", type=int, default=0)
    parser.add_argument("--tls-port", type=int, default=0)
    parser.add_argument("--tls-certificate", type=Path, help="speak TLS too, with this and its key")
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument(
        "--client-authority", type=Path, help="let certificates signed by it log in"
    )
    parser.add_argument("--client-certificate-required", action="store_true")
    parser.add_argument("--advertise", help="the host in the cluster's map; default: --host")
    parser.add_argument("--external", help="a second one, of the network `external`")
    parser.add_argument("--bucket", default="zerog")
    parser.add_argument("--user", default="zerog")
    parser.add_argument("--password", default="secret")
    parser.add_argument("--second-user", help="another user, with the same password")
    parser.add_argument(
        "--second-user-restricted", action="store_true", help="let it use documents and no more"
    )
    parser.add_argument("--replicas", type=int, default=0)
    parser.add_argument("--durability-impossible", action="store_true")
    parser.add_argument("--index-build-seconds", type=float, default=0.0)
    parser.add_argument("--journal", type=Path, help="keep documents in this file")
    parser.add_argument("--ready-file", type=Path)
    return parser.parse_args()


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    clock = Clock(time.time)
    engine, indexes = Engine(clock), Indexes(time.time, arguments.index_build_seconds)
    journal = _open_journal(arguments.journal, engine, indexes)
    bucket = Bucket(
        arguments.bucket,
        dict.fromkeys(filter(None, (arguments.user, arguments.second_user)), arguments.password),
        engine,
        Faults(),
        Ports(0, 0, 0),
        arguments.replicas,
        Durability(possible=not arguments.durability_impossible),
        restricted=frozenset({arguments.second_user} if arguments.second_user_restricted else ()),
    )

    def note_definitions() -> None:
        if journal is not None:
            journal.note_definitions(engine.manifest, indexes)

    query = QueryService(bucket, indexes, note_definitions)
    connections: set[Connection] = set()

    def cut_connections() -> int:
        cut = list(connections)
        for connection in cut:
            connection.close()
        return len(cut)

    management = HttpService(Management(bucket, indexes, note_definitions).handle)
    queries = HttpService(query.handle)
    control = HttpService(Control(bucket, clock, query, cut_connections).handle)
    listening, bucket.ports = await _listen(
        arguments, lambda: Connection(bucket, connections), management, queries
    )
    control_port = await control.start(LOOPBACK, arguments.control_port)
    announce(arguments, bucket.ports, control_port)
    await _wait_for_signal()
    for server in listening:
        server.close()
    cut_connections()


async def _listen(
    arguments: argparse.Namespace,
    connect: Callable[[], Connection],
    management: HttpService,
    queries: HttpService,
) -> tuple[list[asyncio.Server], Ports]:
    """Open the services' ports, those of TLS too if asked for."""
    host, loop = arguments.host, asyncio.get_running_loop()
    kv = [await loop.create_server(connect, host, arguments.port)]
    tls: TlsPorts | None = None
    if arguments.tls_certificate is not None:
        context = server_context(
            arguments.tls_certificate,
            arguments.tls_key,
            arguments.client_authority,
            required=arguments.client_certificate_required,
        )
        kv.append(await loop.create_server(connect, host, arguments.tls_port, ssl=context))
        tls = TlsPorts(
            _port_of(kv[1]),
            await management.start(host, arguments.tls_management_port, context),
            await queries.start(host, arguments.tls_query_port, context),
        )
    ports = Ports(
        _port_of(kv[0]),
        await management.start(host, arguments.management_port),
        await queries.start(host, arguments.query_port),
        arguments.advertise or host,
        tls,
        arguments.external,
    )
    return kv, ports


def _port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


def _open_journal(path: Path | None, engine: Engine, indexes: Indexes) -> Journal | None:
    if path is None:
        return None
    replay(path, engine, indexes)
    journal = Journal(path)
    engine.listener = journal.note_document
    return journal


def announce(arguments: argparse.Namespace, ports: Ports, control: int) -> None:
    """Say where the server is."""
    line = json.dumps(
        {
            "connection": f"couchbase://{arguments.host}:{ports.kv}",
            "kv": ports.kv,
            "management": ports.management,
            "query": ports.query,
            "control": control,
        }
    )
    print(line, flush=True)
    ready_file: Path | None = arguments.ready_file
    if ready_file is not None:
        # Whoever waits for the file must find it whole.
        partial = ready_file.with_name(f"{ready_file.name}.partial")
        partial.write_text(line)
        os.replace(partial, ready_file)


async def _wait_for_signal() -> None:
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    await stop.wait()


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a loop whose timers are exact to microseconds; epoll's are to milliseconds.

    Faults that delay by 200 µs stand for a network.
    """
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve(parse_arguments()))
