"""Push the images and the chart of a release, and write down what exactly was pushed.

`dist/subjects.json` has the name and the digest of each, `dist/bills` the bills of materials. A
digest is signed, never a tag, which somebody may move in between. This program has no identity to
sign with. The workflow signs in another job, which runs no code of this repository.

`IMAGE_PREFIX` is where images go, `CHARTS` where the chart goes (`oci://…`), `REGISTRY_AUTH_FILE`
has the passwords. The builder is buildah, whose images can be built again to the same bytes.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from typing import NotRequired, TypedDict

from zerog_tools.cluster.binaries import ensure_binaries
from zerog_tools.images.build import ImageError, Images, cache_folder, ensure_images
from zerog_tools.repository import ROOT

#: Those that somebody runs; base and example are for builds.
RELEASED = ("api", "operator", "worker", "beanstalkd")
DIST = ROOT / "dist"
#: Hundreds of megabytes may go over a slow line.
PUSH_SECONDS = 1800.0
_DIGEST = re.compile(r"\bsha256:[0-9a-f]{64}\b")


class Subject(TypedDict):
    """Something that is signed: its name in the registry, its digest, the file of its bill."""

    name: str
    digest: str
    bill: NotRequired[str]


def find_digest(text: str) -> str:
    """Return the one digest that a program has printed."""
    found = set(_DIGEST.findall(text))
    if len(found) != 1:
        raise ImageError(f"one digest was expected in:\n{text}")
    (digest,) = found
    return str(digest)


def push_image(images: Images, name: str) -> Subject:
    """Push an image and copy its bill."""
    target = images.name(name)
    storage = [f"--root={cache_folder()}/storage", f"--runroot={cache_folder()}/run"]
    note = DIST / "digest"
    # What was built is in the archive; the storage may have another build of the same name.
    _run(["buildah", *storage, "pull", "-q", f"docker-archive:{images.archive(name)}"])
    _run(["buildah", *storage, "push", "-q", f"--digestfile={note}", target, f"docker://{target}"])
    bill = f"{name}.cdx.json"
    shutil.copy(images.folder / bill, DIST / "bills" / bill)
    digest = find_digest(note.read_text())
    note.unlink()
    return {"name": target.rpartition(":")[0], "digest": digest, "bill": bill}


def push_chart(charts: str) -> Subject:
    """Push the chart that `make package` has made."""
    (chart,) = (DIST / "chart").glob("*.tgz")
    helm = ensure_binaries(["helm"])["helm"]
    options = (
        [f"--registry-config={path}"] if (path := os.environ.get("REGISTRY_AUTH_FILE")) else []
    )
    said = _run([str(helm), "push", *options, str(chart), charts])
    return {"name": f"{charts.removeprefix('oci://')}/zerog", "digest": find_digest(said)}


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PUSH_SECONDS)
    if done.returncode:
        raise ImageError(f"{' '.join(command)}: code {done.returncode}\n{done.stderr}")
    return done.stdout + done.stderr


def main() -> int:
    """Push what a release has."""
    shutil.rmtree(DIST / "bills", ignore_errors=True)
    (DIST / "bills").mkdir(parents=True)
    try:
        images = ensure_images()
        subjects = [push_image(images, name) for name in RELEASED]
        subjects.append(push_chart(os.environ["CHARTS"]))
    except ImageError as error:
        print(f"not everything was pushed: {error}", file=sys.stderr)
        return 1
    (DIST / "subjects.json").write_text(json.dumps(subjects) + "\n")
    for subject in subjects:
        print(f"{subject['name']}@{subject['digest']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
