"""Debian's packages are compared with what is written down, and each difference is shown."""

from zerog_tools.images.bill import parse_database
from zerog_tools.images.debian import HEADER, LOCK, find_differences, format_lock

LIBC = {"Package": "libc6", "Version": "2.36-9", "Architecture": "amd64"}
TZDATA = {"Package": "tzdata", "Version": "2026f-0", "Architecture": "all"}


def test_a_lock_has_a_line_for_each_package_once_and_in_order() -> None:
    lock = format_lock([TZDATA, LIBC, TZDATA])

    assert lock.splitlines() == [HEADER, "libc6 2.36-9 amd64", "tzdata 2026f-0 all"]


def test_what_is_written_down_does_not_differ() -> None:
    assert find_differences(format_lock([LIBC, TZDATA]), [TZDATA, LIBC, LIBC]) == []


def test_another_version_and_a_missing_and_an_unknown_package_differ() -> None:
    newer = {**LIBC, "Version": "2.36-10"}
    bash = {**LIBC, "Package": "bash", "Version": "5"}

    assert find_differences(format_lock([LIBC, TZDATA]), [newer, bash]) == [
        "Debian's bash is 5 amd64, in images/debian.lock it is missing",
        "Debian's libc6 is 2.36-10 amd64, in images/debian.lock 2.36-9 amd64",
        "Debian's tzdata is not in the images, in images/debian.lock 2026f-0 all",
    ]


def test_another_architecture_differs() -> None:
    assert find_differences(format_lock([LIBC]), [{**LIBC, "Architecture": "arm64"}])


def test_the_lock_is_written_as_the_program_writes_it() -> None:
    lock = LOCK.read_text()
    packages = [dict(zip(LIBC, line.split(" "), strict=True)) for line in lock.splitlines()[1:]]

    assert format_lock(packages) == lock
    assert {"beanstalkd", "libc6", "python3.11"} <= {item["Package"] for item in packages}


def test_packages_of_dpkg_have_what_a_lock_needs() -> None:
    text = "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n"

    assert format_lock(parse_database(text)).endswith("\na 1 all\n")
