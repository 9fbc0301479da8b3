"""The parent of tests' processes of ZeroG: it has imported a program once, and forks for each.

A start of Python that imports the API costs more processor time than most tests take. So
`tests.processes` asks this process to fork one instead: in its own folder, with its own
environment, standard files and process group, and with the exit of a program that was started.

It has one thread and no event loop, so that forking it is safe; it never opens a datastore. What a
fork shows in `/proc` as command and environment is this process's, and its memory holds everything
that was imported: tests about that start Python as users do (`cold`).

Run as `python -m tests.warm PROGRAM FD` with a listening socket. It ends when its standard input
does.

A request is one connection: three descriptors with the first byte, a JSON document, the end of the
stream. The answers are two lines: the id of the process, and, once it has ended, its return code.
"""

import contextlib
import gc
import json
import os
import selectors
import socket
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TypedDict

#: What the programs import, also when they run; the last one has the program's `main`.
MODULES = {
    "zerog": (
        "httpx",
        "zerog.cli.changes",
        "zerog.cli.controls",
        "zerog.cli.datastore",
        "zerog.cli.info",
        "zerog.cli.jobs",
        "zerog.cli.processes",
        "zerog.cli.system",
        "tornado.platform.asyncio",
        "zerog.queue.beanstalk.connection",
        "zerog.queue.beanstalk.producer",
        "zerog.store.couchbase.store",
        "zerog.store.sqlite.store",
        "zerog.worker.main",
        "zerog_api.command",
        "zerog_api.main",
        "zerog.cli.main",
    ),
    "zerog_operator": (
        "zerog.queue.beanstalk.connection",
        "zerog.store.sqlite.store",
        "zerog_operator.__main__",
    ),
}
_READ_BYTES = 65536


class Request(TypedDict):
    """What to run: a program's arguments, environment and folder."""

    arguments: list[str]
    env: dict[str, str]
    folder: str


def serve(listener: socket.socket) -> Request | None:
    """Fork what is asked for, until nobody can ask any more.

    Returns a request in the process that has become it, None in this one at the end.
    """
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(0, selectors.EVENT_READ)
    clients: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for key, _ in selector.select():
            if key.fd == listener.fileno():
                client, _ = listener.accept()
                request, files = _read(client)
                if pid := os.fork():
                    _answer(client, pid)
                    for file in files:
                        os.close(file)
                    ended = os.pidfd_open(pid)
                    clients[ended] = pid, client
                    selector.register(ended, selectors.EVENT_READ)
                    continue
                for ended, (_, other) in clients.items():
                    os.close(ended)
                    other.close()
                client.close()
                selector.close()
                listener.close()
                _become(request, files)
                return request
            if key.fd == 0:
                return None
            selector.unregister(key.fd)
            os.close(key.fd)
            pid, client = clients.pop(key.fd)
            _, status = os.waitpid(pid, 0)
            _answer(client, os.waitstatus_to_exitcode(status))
            client.close()


def _read(client: socket.socket) -> tuple[Request, list[int]]:
    text, files, _, _ = socket.recv_fds(client, _READ_BYTES, 3)
    while more := client.recv(_READ_BYTES):
        text += more
    return json.loads(text), files


def _answer(client: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # a test that does not want to know
        client.sendall(f"{number}\n".encode())


def _become(request: Request, files: list[int]) -> None:
    """Take on what a started program has of its own."""
    os.setpgid(0, 0)
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
        _open_standard(standard)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    sys.path[0] = request["folder"]


def _open_standard(file: int) -> None:
    """Let Python see what a standard file is: the one that it had may be no terminal, or one."""
    name = ("stdin", "stdout", "stderr")[file]
    old = getattr(sys, name)
    buffering = 1 if name == "stderr" else -1
    new = os.fdopen(file, old.mode, buffering, old.encoding, old.errors, closefd=False)
    setattr(sys, name, new)
    setattr(sys, f"__{name}__", new)


def main() -> int | None:
    """Import everything, then serve; a fork goes on as the program."""
    program, listener = sys.argv[1:]
    for name in MODULES[program]:
        module = import_module(name)
    threads = len(list(Path("/proc/self/task").iterdir()))
    assert threads == 1, f"a process with {threads} threads cannot be forked safely"
    # What was imported stays shared between the forks.
    gc.collect()
    gc.freeze()
    request = serve(socket.socket(fileno=int(listener)))
    if request is None:
        return 0
    sys.argv = [sys.argv[0], *request["arguments"]]
    code: int | None = module.main()
    return code


if __name__ == "__main__":
    sys.exit(main())
