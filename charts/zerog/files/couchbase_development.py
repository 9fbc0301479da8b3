"""Set up a new Couchbase of one node: server, bucket. What is there already stays."""

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HOST, BUCKET = os.environ["COUCHBASE_HOST"], os.environ["COUCHBASE_BUCKET"]
USERNAME = os.environ["COUCHBASE_USERNAME"]
PASSWORD = Path(os.environ["COUCHBASE_PASSWORD_FILE"]).read_text().strip()
MEMORY = os.environ["COUCHBASE_MEMORY_MEBIBYTES"]
URL = f"http://{HOST}:{os.environ.get('COUCHBASE_PORT', '8091')}"
LOGIN = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
START_SECONDS, CALL_SECONDS = 300, 30


def call(path: str, form: "dict[str, str] | None" = None, login: bool = True) -> "tuple[int, str]":
    """Make a call; return status and answer. Raises OSError where nobody answers."""
    body = None if form is None else urllib.parse.urlencode(form).encode()
    headers = {"Authorization": f"Basic {LOGIN}"} if login else {}
    request = urllib.request.Request(URL + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def wait_until_it_answers() -> None:
    """Wait for the server; it needs no login for this."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if call("/pools", login=False)[0] == 200:
                return
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"{URL} does not answer: {error}")
        time.sleep(1)


def change(path: str, **form: str) -> None:
    """Make a change that must succeed."""
    status, answer = call(path, form)
    if status >= 300:
        sys.exit(f"{path}: {status} {answer}")
    print(f"{path}: done")


def main() -> None:
    """Set up what is not set up."""
    wait_until_it_answers()
    _, pools = call("/pools", login=False)
    if not json.loads(pools)["pools"]:
        community = not json.loads(pools).get("isEnterprise", False)
        change(
            "/clusterInit",
            hostname=HOST,
            username=USERNAME,
            password=PASSWORD,
            port="SAME",
            services="kv,n1ql,index",
            memoryQuota=MEMORY,
            indexMemoryQuota=MEMORY,
            indexerStorageMode="forestdb" if community else "plasma",
            sendStats="false",
        )
    status, answer = call(f"/pools/default/buckets/{BUCKET}")
    if status == 404:
        change(
            "/pools/default/buckets",
            name=BUCKET,
            bucketType="couchbase",
            ramQuota=MEMORY,
            replicaNumber="0",
            storageBackend="couchstore",
        )
    elif status != 200:
        sys.exit(f"bucket {BUCKET}: {status} {answer}")


if __name__ == "__main__":
    main()
