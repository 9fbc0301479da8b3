"""Pack a chart again so that the same files give the same bytes: helm writes the time into each."""

import gzip
import io
import sys
import tarfile
from pathlib import Path

from zerog_tools.images.build import EPOCH


def repack(archive: bytes) -> bytes:
    """Return the archive with its files in their order, and nothing of who packed it or when."""
    packed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as old,
        gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=EPOCH) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for entry in old:
            clean = tarfile.TarInfo(entry.name)
            clean.size, clean.mode, clean.mtime = entry.size, 0o644, EPOCH
            new.addfile(clean, old.extractfile(entry))
    return packed.getvalue()


def main() -> int:
    """Pack each archive named on the command line again."""
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_bytes(repack(path.read_bytes()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
