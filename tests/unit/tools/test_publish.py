"""What is signed is the digest that was pushed, and Debian's packages are those written down."""

import sys

import pytest

from zerog_tools.images import debian, lock
from zerog_tools.images.build import ImageError
from zerog_tools.release import publish

DIGEST = "sha256:" + "0a" * 32
LIBC = {"Package": "libc6", "Version": "0", "Architecture": "amd64"}


def test_the_digest_is_found_in_what_a_program_prints() -> None:
    said = f"Pushed: 127.0.0.1:5000/charts/zerog:1.2.3\nDigest: {DIGEST}\n"

    assert publish.find_digest(said) == DIGEST


@pytest.mark.parametrize("said", ["", "sha256:0a", f"{DIGEST} {DIGEST.replace('0a', '0b')}"])
def test_without_exactly_one_digest_nothing_is_signed(said: str) -> None:
    with pytest.raises(ImageError):
        publish.find_digest(said)


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--strict"], 1)])
def test_a_release_refuses_packages_that_are_not_written_down(
    monkeypatch: pytest.MonkeyPatch, options: list[str], code: int
) -> None:
    monkeypatch.setattr(sys, "argv", ["lock", *options])
    monkeypatch.setattr(lock, "ensure_images", lambda: None)
    monkeypatch.setattr(lock, "find_packages", lambda images: [LIBC])
    before = debian.LOCK.read_text()

    assert lock.main() == code
    assert debian.LOCK.read_text() == before
