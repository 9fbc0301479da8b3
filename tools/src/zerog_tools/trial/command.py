"""`make cluster`: a Kubernetes with ZeroG in it, one job through it, and what to try next.

The end-to-end tests install it by the same code. Where kind can start a cluster it is kind's;
elsewhere root on Linux gets a control plane and a node of containerd and kubelet in namespaces of
this machine. Everything is gone when it ends, however it ends.
"""

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from zerog_tools.cluster.binaries import BuildError, ensure_binaries
from zerog_tools.cluster.go import GoMissingError
from zerog_tools.cluster.interface import KubectlError
from zerog_tools.cluster.process import ClusterError
from zerog_tools.cluster.real_cluster import MachineUnfitError, RealCluster
from zerog_tools.images.build import ImageError, Images, ensure_images
from zerog_tools.kind.cluster import KindCluster, KindMissingError
from zerog_tools.kind.cluster import check_machine as check_kind
from zerog_tools.repository import ROOT
from zerog_tools.trial.installation import ChartRelease

POOL = ROOT / "manifests" / "samples" / "selftest.yaml"
NAMESPACE = "zerog"
#: Images that the installation and its pool run.
IMAGES = ("api", "operator", "beanstalkd", "worker")
KIND, NODES = "kind", "nodes"
CHECK_SECONDS = 30.0
INTERRUPTED = 130
FAILURES = (
    BuildError, ClusterError, GoMissingError, ImageError, KindMissingError,
    KubectlError, MachineUnfitError, subprocess.SubprocessError,
)  # fmt: skip


class NoWayError(Exception):
    """This machine can run no cluster; the message says what each way lacks."""


def find_way() -> str:
    """Return how a cluster can be had on this machine.

    Raises:
        NoWayError: It cannot.
    """
    try:
        check_kind()
    except KindMissingError as error:
        if problem := _find_nodes_problem():
            raise NoWayError(
                "no cluster can be started on this machine, in neither way:\n"
                f"  in docker: {error}\n"
                f"  without: {problem}"
            ) from error
        return NODES
    return KIND


def _find_nodes_problem() -> str:
    """Return what keeps nodes from being made here; empty if nothing does."""
    if not sys.platform.startswith("linux") or shutil.which("apt-get") is None:
        return "nodes are made of Debian's packages, so this needs Debian or Ubuntu"
    if os.geteuid() != 0:
        return "nodes need root: `sudo make cluster`"
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "true"]
    if subprocess.run(command, capture_output=True, timeout=CHECK_SECONDS).returncode:
        return "nodes need the right to make namespaces, which a plain container does not have"
    return ""


class Progress:
    """Tells what goes on, with the seconds since the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self, text: str) -> None:
        """Show a line at once."""
        print(f"[{time.monotonic() - self._started:4.0f} s] {text}", flush=True)


@contextlib.contextmanager
def running(cluster: RealCluster | KindCluster) -> Iterator[None]:
    """Keep a cluster while the context lasts; a second ^C does not disturb its end."""
    failed = False
    try:
        cluster.create()
        yield
    except Exception:
        failed = True
        raise
    finally:
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, signal.SIG_IGN)
        cluster.delete(keep_logs=failed)


def install(cluster: RealCluster | KindCluster, images: Images, say: Progress) -> ChartRelease:
    """Install the chart as it is, with a pool and a pod that calls the API."""
    say("its nodes get the images")
    for name in IMAGES:
        cluster.load_image_archive(images.archive(name))
    made = ChartRelease(cluster, NAMESPACE, {name: images.name(name) for name in IMAGES})
    made.make_namespace()
    say("helm installs charts/zerog with imageRegistry and nothing else: SQLite on a volume")
    made.install({})
    say(f"a pool: kubectl apply -f {POOL.relative_to(ROOT)}")
    made.kubectl("apply", "-f", str(POOL))
    made.wait_for_types("selftest")
    say("a pod that is a service of yours")
    made.add_caller()
    return made


def show_what_next(cluster: RealCluster | KindCluster, port: int) -> None:
    """Print what the reader may type in another terminal."""
    # kind's users have a kubectl; the one that was built for nodes is in no PATH yet.
    path = ""
    if isinstance(cluster, RealCluster):
        folder = ensure_binaries(["kubectl"])["kubectl"].parent
        path = f" PATH={shlex.quote(str(folder))}:$PATH"
    print(f"""
Three things to try next, in another terminal:
  export KUBECONFIG={cluster.kubeconfig_path}{path}
  kubectl -n {NAMESPACE} get zwp,pods
  curl -H "Authorization: Bearer $(kubectl -n {NAMESPACE} create token caller --audience=zerog)" \\
       --json '{{}}' http://127.0.0.1:{port}/v1/jobs/SelfTest""")


def run(way: str, *, once: bool) -> int:
    """Start a cluster, run a job in it, and stay up if wanted."""
    say = Progress()
    images = ensure_images()
    say(f"a cluster starts: {'kind' if way == KIND else 'a control plane and a node'}")
    cluster = KindCluster("try") if way == KIND else RealCluster("try", say=say)
    with running(cluster):
        made = install(cluster, images, say)
        say("it POSTs a job, which no worker is there for yet, and waits for its result")
        answer = made.call("post", "/v1/jobs/SelfTest", "{}")
        say("the job's result:")
        print(json.dumps(answer, indent=2))
        with cluster.port_forward("service/zerog-api", 80, "-n", NAMESPACE) as port:
            show_what_next(cluster, port)
            if not once:
                print("\nThe cluster stays up. ^C removes it.", flush=True)
                with contextlib.suppress(KeyboardInterrupt):
                    while True:
                        time.sleep(1)
        print("the cluster ends", flush=True)
    return 0 if answer["resultCode"] == 200 else 1


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Start a cluster with ZeroG in it, run a job through it, and stay up until ^C."""
    parser = argparse.ArgumentParser(prog="zerog_tools.trial.command", description=main.__doc__)
    parser.add_argument("--way", action="store_true", help="only say how: kind or nodes")
    only_say: bool = parser.parse_args().way
    try:
        way = find_way()
    except NoWayError as error:
        print(error, file=sys.stderr)
        return 1
    if only_say:
        print(way)
        return 0
    signal.signal(signal.SIGTERM, _interrupt)
    once = bool(os.environ.get("RUN_ONCE")) or not sys.stdout.isatty()
    try:
        return run(way, once=once)
    except KeyboardInterrupt:
        return INTERRUPTED
    except FAILURES as error:
        print(f"the cluster did not come so far: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
