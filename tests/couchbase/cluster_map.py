"""What a client learns when it connects: where the services are, and what errors mean.

The SDK's core ends its process over a map that lacks a part it counts on, so the map has
all of them, and `tests/unit` holds it to that.
"""

import json
from dataclasses import dataclass

from tests.couchbase.engine import VBUCKETS
from tests.couchbase.protocol import Status

#: No Magma, no range scan: what is named here the server does.
_BUCKET_CAPABILITIES = (
    "collections",
    "durableWrite",
    "tombstonedUserXAttrs",
    "touch",
    "cccp",
    "nodesExt",
    "xattr",
    "preserve_expiry",
)


#: Nobody but a test on this machine has business with it, unless the test has a network.
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class TlsPorts:
    """Where the services speak TLS."""

    kv: int
    management: int
    query: int


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the services listen."""

    kv: int
    management: int
    query: int
    #: By which name nodes know each other.
    host: str = LOOPBACK
    tls: TlsPorts | None = None
    #: By which name they are known outside; None: by no other.
    external: str | None = None


def build_cluster_map(bucket: str | None, ports: Ports, replicas: int, manifest_uid: int) -> bytes:
    """Return the cluster's map as the data service gives it, with or without a bucket."""
    found: dict[str, object] = {
        "rev": 1,
        "revEpoch": 1,
        "nodesExt": [_build_node(ports)],
        "clusterCapabilitiesVer": [1, 0],
        "clusterCapabilities": {"n1ql": ["enhancedPreparedStatements"]},
        "clusterName": "zerog-tests",
    }
    if bucket is not None:
        found |= {
            "name": bucket,
            "uuid": "5a65726f47005a65726f47005a65726f",
            "nodeLocator": "vbucket",
            "collectionsManifestUid": f"{manifest_uid:x}",
            "bucketCapabilitiesVer": "",
            "bucketCapabilities": _BUCKET_CAPABILITIES,
            "nodes": [
                {
                    "hostname": f"{ports.host}:{ports.management}",
                    "ports": {"direct": ports.kv},
                    "thisNode": True,
                }
            ],
            "vBucketServerMap": {
                "hashAlgorithm": "CRC",
                "numReplicas": replicas,
                "serverList": [f"{ports.host}:{ports.kv}"],
                # One node: its replicas are nowhere.
                "vBucketMap": [[0, *[-1] * replicas] for _ in range(VBUCKETS)],
            },
        }
    return json.dumps(found).encode()


def _build_node(ports: Ports) -> dict[str, object]:
    services = {"kv": ports.kv, "mgmt": ports.management, "n1ql": ports.query}
    if ports.tls is not None:
        services |= {
            "kvSSL": ports.tls.kv,
            "mgmtSSL": ports.tls.management,
            "n1qlSSL": ports.tls.query,
        }
    node: dict[str, object] = {"services": services, "thisNode": True, "hostname": ports.host}
    if ports.external is not None:
        outside = {"hostname": ports.external, "ports": services}
        node["alternateAddresses"] = {"external": outside}
    return node


#: For statuses that the SDK does not know by heart, what the error map says to do.
_ATTRIBUTES = {
    Status.TEMPORARY_FAILURE: ["temp", "retry-later"],
    Status.BUSY: ["temp", "retry-later"],
    Status.NO_MEMORY: ["temp", "retry-later"],
    Status.LOCKED: ["item-locked", "item-only", "retry-later"],
    Status.SYNC_WRITE_IN_PROGRESS: ["item-only", "retry-later"],
}


def build_error_map() -> bytes:
    """Return the error map, version 2; without one the SDK gives up."""
    errors = {
        f"{status:x}": {
            "name": status.name,
            "desc": status.name.lower().replace("_", " "),
            "attrs": _ATTRIBUTES.get(status, ["success"] if status == 0 else ["item-only"]),
        }
        for status in Status
    }
    return json.dumps({"version": 2, "revision": 1, "errors": errors}).encode()
