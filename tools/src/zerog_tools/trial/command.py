"""`make cluster`: a Kubernetes with ZeroG in it, one job through it, and what to try next.

The end-to-end tests install it by the same code. Everything is gone when it ends, however it ends.
"""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from zerog_tools.cluster.binaries import BuildError, ensure_binaries
from zerog_tools.cluster.go import GoMissingError
from zerog_tools.cluster.interface import KubectlError
from zerog_tools.cluster.process import ClusterError
from zerog_tools.images.build import ImageError, Images, ensure_images
from zerog_tools.kind.cluster import KindCluster
from zerog_tools.kind.engine import KindMissingError
from zerog_tools.repository import ROOT
from zerog_tools.trial.installation import ChartRelease

POOL = ROOT / "manifests" / "samples" / "selftest.yaml"
NAMESPACE = "zerog"
#: Images that the installation and its pool run.
IMAGES = ("api", "operator", "beanstalkd", "worker")
INTERRUPTED = 130
FAILURES = (
    BuildError, ClusterError, GoMissingError, ImageError, KindMissingError,
    KubectlError, subprocess.SubprocessError,
)  # fmt: skip


class Progress:
    """Tells what goes on, with the seconds since the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self, text: str) -> None:
        """Show a line at once."""
        print(f"[{time.monotonic() - self._started:4.0f} s] {text}", flush=True)


@contextlib.contextmanager
def running(cluster: KindCluster) -> Iterator[None]:
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


def install(cluster: KindCluster, images: Images, say: Progress) -> ChartRelease:
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


def show_what_next(cluster: KindCluster, port: int) -> None:
    """Print what the reader may type in another terminal."""
    # Who has no kubectl yet takes the one that was built.
    folder = shlex.quote(str(ensure_binaries(["kubectl"])["kubectl"].parent))
    print(f"""
Three things to try next, in another terminal:
  export KUBECONFIG={cluster.kubeconfig_path} PATH=$PATH:{folder}
  kubectl -n {NAMESPACE} get zwp,pods
  curl -H "Authorization: Bearer $(kubectl -n {NAMESPACE} create token caller --audience=zerog)" \\
       --json '{{}}' http://127.0.0.1:{port}/v1/jobs/SelfTest""")


def run(*, once: bool) -> int:
    """Start a cluster, run a job in it, and stay up if wanted."""
    say = Progress()
    images = ensure_images()
    say("a cluster of kind starts")
    cluster = KindCluster("try", say=say)
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
    signal.signal(signal.SIGTERM, _interrupt)
    once = bool(os.environ.get("RUN_ONCE")) or not sys.stdout.isatty()
    try:
        return run(once=once)
    except KeyboardInterrupt:
        return INTERRUPTED
    except FAILURES as error:
        print(f"the cluster did not come so far: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
