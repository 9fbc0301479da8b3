"""Files with secrets: others must not read them, and Kubernetes' mounted Secrets still can be."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from zerog.client.bearer import Bearer
from zerog.model.errors import ConfigError
from zerog.privatefile import is_exposed, make_folder, read_secret, write_private
from zerog.settings import ClientSettings, CouchbaseSettings, load

READ = "import sys; from zerog.privatefile import read_secret; print(read_secret(sys.argv[1]))"


@pytest.mark.parametrize(
    ("mode", "is_mine", "read_only", "exposed"),
    [
        (0o600, True, False, False),
        (0o400, True, False, False),
        (0o640, True, False, True),
        (0o604, True, False, True),
        (0o644, True, False, True),
        (0o620, True, False, True),
        # Root's, for the group of the service.
        (0o640, False, False, False),
        (0o440, False, False, False),
        (0o644, False, False, True),
        (0o602, False, False, True),
        # Kubernetes: root's with fsGroup, or everybody's in the container, on a read-only mount.
        (0o440, False, True, False),
        (0o644, False, True, False),
        (0o644, True, True, False),
    ],
)
def test_who_may_read_a_secret(mode: int, is_mine: bool, read_only: bool, exposed: bool) -> None:
    assert is_exposed(mode, is_mine=is_mine, is_mounted_read_only=read_only) is exposed


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604])
def test_a_secret_that_others_may_read_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret")
    path.chmod(mode)

    with pytest.raises(ConfigError, match=f"`chmod 600 {path}`") as caught:
        read_secret(path)
    assert "s3cret" not in str(caught.value)

    path.chmod(0o600)
    assert read_secret(path) == b"s3cret"


def test_every_reader_of_a_secret_refuses_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret")
    path.chmod(0o644)

    with pytest.raises(ConfigError, match="chmod 600"):
        load(ClientSettings, {"ZEROG_TOKEN_FILE": str(path)})
    with pytest.raises(ConfigError, match="chmod 600"):
        load(CouchbaseSettings, {"ZEROG_COUCHBASE_PASSWORD_FILE": str(path)})
    with pytest.raises(ConfigError, match="chmod 600"):
        Bearer(token_file=str(path)).token()


def test_a_token_file_that_is_opened_to_others_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    write_private(path, "first")
    bearer = Bearer(token_file=str(path))
    assert bearer.token() == "first"

    path.write_text("second, longer")
    os.utime(path, ns=(1, 1))
    path.chmod(0o644)

    with pytest.raises(ConfigError, match="chmod 600"):
        bearer.token()


def test_a_pipe_is_nobodys_file(tmp_path: Path) -> None:
    """`ZEROG_TOKEN_FILE=<(pass show zerog)`"""
    done = subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -c '{READ}' <(echo s3cret)"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.stdout == "b's3cret\\n'\n", done.stderr


def test_a_secret_on_a_read_only_mount_is_read_as_kubernetes_mounts_it(tmp_path: Path) -> None:
    if subprocess.run([shutil.which("unshare") or "false", "-rm", "true"], check=False).returncode:
        pytest.skip("no namespaces for mounts here")
    mounted = tmp_path / "mounted"
    (mounted / "..2026").mkdir(parents=True)
    (mounted / "..2026/token").write_text("s3cret")
    (mounted / "..2026/token").chmod(0o644)
    (mounted / "..data").symlink_to("..2026")
    (mounted / "token").symlink_to("..data/token")
    script = (
        f"mount --bind '{mounted}' '{mounted}' && mount -o remount,bind,ro '{mounted}' && "
        f"'{sys.executable}' -c '{READ}' '{mounted}/token'"
    )

    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, timeout=60
    )

    assert done.stdout == "b's3cret'\n", done.stderr
    with pytest.raises(ConfigError, match="chmod 600"):
        read_secret(mounted / "token")


def test_what_is_made_is_for_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_folder(tmp_path / "a" / "b")
        write_private(tmp_path / "a" / "b" / "file", "text")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "b" / "file").stat().st_mode) == 0o600


def test_a_link_in_the_place_of_a_private_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "file").symlink_to(victim)

    write_private(tmp_path / "file", "text")

    assert victim.read_text() == "precious"
    assert (tmp_path / "file").read_text() == "text"
