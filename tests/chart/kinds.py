"""The CRDs of others' kinds that the chart makes objects of.

Those of the Prometheus operator and of the Gateway API are the real ones, out of their Go modules,
pinned like all else in `tools/go`. Those of the Couchbase operator are in no module: its
kinds are known here without their fields.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from zerog_tools.cluster.binaries import MODULES, BuildError, build_environment, cache_folder
from zerog_tools.cluster.go import find_go

#: Fetching takes seconds, once.
FETCH_SECONDS = 300.0
_FILES = {
    "github.com/prometheus-operator/prometheus-operator": (
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
    "sigs.k8s.io/gateway-api": (
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    ),
}  # fmt: skip
_COUCHBASE = ("CouchbaseBucket", "CouchbaseUser", "CouchbaseGroup", "CouchbaseRoleBinding")


def find_kinds() -> list[Path]:
    """Return the files of the real CRDs, fetching their modules if needed.

    Raises:
        GoMissingError: No Go is there.
        BuildError: They cannot be fetched.
    """
    command = [str(find_go(cache_folder())), "mod", "download", "-json", *_FILES]
    result = subprocess.run(
        command, cwd=MODULES / "kinds", env=build_environment(), capture_output=True, text=True,
        timeout=FETCH_SECONDS,
    )  # fmt: skip
    if result.returncode:
        raise BuildError(f"{' '.join(command)}: {result.stdout}{result.stderr}")
    found, decoder, rest = [], json.JSONDecoder(), result.stdout.lstrip()
    while rest:
        module, end = decoder.raw_decode(rest)
        found += [Path(module["Dir"]) / name for name in _FILES[module["Path"]]]
        rest = rest[end:].lstrip()
    return found


def build_couchbase_kinds() -> list[dict[str, Any]]:
    """Return the kinds of the Couchbase operator, whose fields nobody checks."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return [
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{kind.lower()}s.couchbase.com"},
            "spec": {
                "group": "couchbase.com",
                "scope": "Namespaced",
                "names": {"kind": kind, "plural": f"{kind.lower()}s", "singular": kind.lower()},
                "versions": [
                    {
                        "name": "v2",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": anything},
                    }
                ],
            },
        }
        for kind in _COUCHBASE
    ]
