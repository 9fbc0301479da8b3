"""The script that sets up the development Couchbase, against a server that notes its calls."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from zerog_tools.repository import CHART

SCRIPT = CHART / "files" / "couchbase_development.py"
SECONDS = 30.0


class Server:
    """What the script needs of Couchbase's management service."""

    def __init__(self) -> None:
        self.initialised = False
        self.buckets: set[str] = set()
        self.changes: list[tuple[str, dict[str, str]]] = []
        self.refuses = ""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/pools":
                    pools = '[{"name": "default"}]' if server.initialised else "[]"
                    self.answer(200, f'{{"isEnterprise": false, "pools": {pools}}}')
                    return
                assert self.headers["Authorization"].startswith("Basic ")
                self.answer(200 if self.path.rpartition("/")[2] in server.buckets else 404, "{}")

            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(text).items()}
                if self.path == server.refuses:
                    self.answer(400, '["not enough memory"]')
                    return
                server.changes.append((self.path, form))
                if self.path == "/clusterInit":
                    server.initialised = True
                else:
                    server.buckets.add(form["name"])
                self.answer(202, "")

            def answer(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def run_script(self, folder: Path) -> subprocess.CompletedProcess[str]:
        password = folder / "password"
        password.write_text("pa55w0rd\n")
        env = {
            "PATH": os.environ["PATH"],
            "COUCHBASE_HOST": "127.0.0.1",
            "COUCHBASE_PORT": str(self.http.server_address[1]),
            "COUCHBASE_USERNAME": "zerog",
            "COUCHBASE_PASSWORD_FILE": str(password),
            "COUCHBASE_BUCKET": "jobs",
            "COUCHBASE_MEMORY_MEBIBYTES": "512",
        }
        return subprocess.run(
            [sys.executable, str(SCRIPT)], env=env, capture_output=True, text=True, timeout=SECONDS
        )


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def test_a_new_server_is_set_up_once(server: Server, tmp_path: Path) -> None:
    first = server.run_script(tmp_path)
    again = server.run_script(tmp_path)

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert [path for path, _ in server.changes] == ["/clusterInit", "/pools/default/buckets"]
    init, bucket = (form for _, form in server.changes)
    assert init["username"] == "zerog"
    assert init["password"] == "pa55w0rd"
    assert init["indexerStorageMode"] == "forestdb"
    assert bucket["name"] == "jobs"
    assert bucket["replicaNumber"] == "0"
    assert "pa55w0rd" not in first.stdout + first.stderr


def test_what_is_refused_is_told_and_fails(server: Server, tmp_path: Path) -> None:
    server.refuses = "/clusterInit"

    result = server.run_script(tmp_path)

    assert result.returncode == 1
    assert "not enough memory" in result.stderr
