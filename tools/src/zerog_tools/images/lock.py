"""Compare Debian's packages in the built images with `images/debian.lock`, or write the lock.

`make images` reports a difference and succeeds: Debian has an update, which images should have. A
release refuses it (`--strict`), so that the lock of its commit has what its images have.
"""

import argparse
import os
import sys
import time

from zerog_tools.images import bill, debian
from zerog_tools.images.build import ImageError, Images, ensure_images, say

#: Those that have packages which the image below has not.
WITH_PACKAGES = ("base", "beanstalkd")


def find_packages(images: Images) -> list[debian.Package]:
    """Return Debian's packages in the images."""
    databases = [bill.read_database(images.archive(name)) for name in WITH_PACKAGES]
    return [package for text in databases for package in bill.parse_database(text)]


def main() -> int:
    """Compare Debian's packages in the images with images/debian.lock."""
    parser = argparse.ArgumentParser(prog="zerog_tools.images.lock", description=main.__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--strict", action="store_true", help="fail if there is a difference")
    choice.add_argument("--write", action="store_true", help="build again and write the lock")
    arguments = parser.parse_args()
    if os.environ.get("IMAGE_BASE"):
        say("images/debian.lock is of our own base and says nothing about IMAGE_BASE")
        return int(arguments.strict or arguments.write)
    if arguments.write:
        # The lock is a part of the key of what is built: now everything is built from the archive.
        debian.LOCK.write_text(f"{debian.HEADER} Begun {time.time():.0f}.\n")
    try:
        packages = find_packages(ensure_images())
    except ImageError as error:
        say(f"no images: {error}")
        return 1
    if arguments.write:
        debian.LOCK.write_text(debian.format_lock(packages))
    differences = debian.find_differences(debian.LOCK.read_text(), packages)
    for text in differences:
        say(text)
    if differences:
        say("Debian's archive has moved on: `make image-lock` writes its versions down")
    return int(bool(differences) and arguments.strict)


if __name__ == "__main__":
    sys.exit(main())
