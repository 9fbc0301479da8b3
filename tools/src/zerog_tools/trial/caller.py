"""What a service of the cluster does: it runs in a pod and talks to the API.

caller.py post URL JSON                    with nothing but the standard library
caller.py submit TYPE COUNT PARAMETERS     prints the UUIDs
caller.py trickle TYPE SECONDS PARAMETERS  one every 0.2 s; prints the UUIDs
caller.py wait SECONDS UUID …              prints the info of each when all are finished
"""

import json
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import zerog

TOKEN = Path(os.environ["ZEROG_TOKEN_FILE"])
PAUSE_SECONDS = 0.2


def post(path: str, body: str) -> Any:
    """Submit as any program would, and poll for the result."""
    url, token = os.environ["ZEROG_URL"], TOKEN.read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(path: str, data: bytes | None = None) -> Any:
        request = urllib.request.Request(url + path, data, headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    uuid = call(path, body.encode())["uuid"]
    while call(f"/v1/jobs/{uuid}/progress?wait=10")["resultCode"] == -1:
        pass
    return call(f"/v1/jobs/{uuid}/data")


def trickle(client: zerog.Client, job: str, seconds: float, parameters: Any) -> list[str]:
    """Submit for a time, whatever happens to the API meanwhile."""
    end = time.monotonic() + seconds
    uuids = []
    while time.monotonic() < end:
        uuids.append(client.submit(job, parameters))
        time.sleep(PAUSE_SECONDS)
    return uuids


def wait(client: zerog.Client, seconds: float, uuids: list[str]) -> list[Any]:
    """Wait until all are finished."""
    end = time.monotonic() + seconds
    for uuid in uuids:
        while client.progress(uuid)["resultCode"] == -1:
            if time.monotonic() > end:
                sys.exit(f"not finished: {json.dumps(client.info(uuid))}")
            time.sleep(PAUSE_SECONDS)
    return [client.info(uuid) for uuid in uuids]


def main(command: str, *arguments: str) -> Any:
    """Do what the command line says."""
    if command == "post":
        return post(*arguments)
    token = TOKEN.read_text().strip()
    with zerog.Client(os.environ["ZEROG_URL"], token=token) as client:
        if command == "submit":
            job, count, parameters = arguments
            return [client.submit(job, json.loads(parameters)) for _ in range(int(count))]
        if command == "trickle":
            job, seconds, parameters = arguments
            return trickle(client, job, float(seconds), json.loads(parameters))
        return wait(client, float(arguments[0]), list(arguments[1:]))


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
