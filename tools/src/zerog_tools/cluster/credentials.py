"""Who may talk to a test cluster's API server: random tokens, kubeconfigs, a signing key.

The tokens name the same users and groups that certificates would in a real cluster, so
the built-in RBAC roles and the Node authorizer treat them alike. Everything here lives
and dies with the folder of one cluster.
"""

import json
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from zerog_tools.cluster.process import ClusterError


@dataclass(frozen=True, slots=True)
class Identity:
    """A user of the API server as its token file knows it."""

    user: str
    groups: tuple[str, ...] = ()


ADMIN = Identity("admin", ("system:masters",))
CONTROLLER_MANAGER = Identity("system:kube-controller-manager")
SCHEDULER = Identity("system:kube-scheduler")


def build_node_identity(name: str) -> Identity:
    """Return the identity of a node, which may touch only its own objects."""
    return Identity(f"system:node:{name}", ("system:nodes",))


def make_token() -> str:
    """Return a new secret token."""
    return secrets.token_urlsafe(24)


def write_tokens(path: Path, tokens: dict[str, Identity]) -> None:
    """Write the API server's token file."""
    lines = [
        f'{token},{who.user},uid-{number},"{",".join(who.groups)}"'
        for number, (token, who) in enumerate(tokens.items())
    ]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)


def write_kubeconfig(path: Path, *, server: str, authority: Path, user: str, token: str) -> None:
    """Write a kubeconfig with one cluster, one user and one context of the user's name."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "cluster",
                "cluster": {"server": server, "certificate-authority": str(authority)},
            }
        ],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": user, "context": {"cluster": "cluster", "user": user}}],
        "current-context": user,
    }
    path.touch(mode=0o600)
    # JSON is YAML, and needs no library.
    path.write_text(json.dumps(config, indent=2) + "\n")


def make_signing_key(path: Path) -> None:
    """Make the key that signs service account tokens."""
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(path))
    path.chmod(0o600)


def _openssl(*arguments: str) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        raise ClusterError("openssl is missing: run `apt-get install openssl`")
    result = subprocess.run([openssl, *arguments], capture_output=True, text=True, timeout=60)
    if result.returncode:
        raise ClusterError(f"openssl {arguments[0]} failed: {result.stderr}")
