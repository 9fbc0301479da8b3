"""What is hidden from jobs, what is not, and the words for both."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zerog.child import landlock, secrecy, walls
from zerog.child.walls import Walls, plan
from zerog.settings import ClientSettings, variable_of
from zerog.store import make_place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder whose parents look as if they were mounted read-only."""
    monkeypatch.setattr(landlock, "version", lambda: 7)
    monkeypatch.setattr(landlock, "is_free", lambda: True)
    real = os.statvfs

    def statvfs(path: str) -> os.statvfs_result:
        found = list(real(path))
        is_above = tmp_path.is_relative_to(path)
        found[8] = found[8] | os.ST_RDONLY if is_above else found[8] & ~os.ST_RDONLY
        return os.statvfs_result(found)

    monkeypatch.setattr(os, "statvfs", statvfs)
    return tmp_path


def write(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return str(path)


def test_a_folder_with_nothing_but_secrets_is_hidden(place: Path) -> None:
    secrets = [write(place / "etc" / name) for name in ("password", "ca.crt")]

    assert plan(secrets) == Walls(True, hidden=(f"{place}/etc",))


def test_a_volume_of_kubernetes_is_hidden_with_its_next_version(place: Path) -> None:
    write(place / "etc" / "..2026_11_28" / "password")
    (place / "etc" / "..data").symlink_to("..2026_11_28")
    (place / "etc" / "password").symlink_to("..data/password")

    assert plan([f"{place}/etc/password"]).hidden == (f"{place}/etc",)


def test_a_link_hides_the_folder_that_the_file_is_in(place: Path) -> None:
    write(place / "real" / "password")
    (place / "links").mkdir()
    (place / "links" / "password").symlink_to("../real/password")

    assert plan([f"{place}/links/password"]).hidden == (f"{place}/real",)


def test_a_datastore_is_hidden_with_its_logs(place: Path) -> None:
    for name in ("zerog.db-wal", "zerog.db-shm", "lost+found/x"):
        write(place / "data" / name)

    assert plan([write(place / "data" / "zerog.db")]).hidden == (f"{place}/data",)


def test_a_folder_of_secrets_is_hidden_whatever_is_in_it(place: Path) -> None:
    write(place / "account" / "token")

    assert plan([f"{place}/account"]).hidden == (f"{place}/account",)


def test_a_folder_with_other_files_is_not_hidden(place: Path) -> None:
    path = write(place / "etc" / "password")
    write(place / "etc" / "smtp")

    assert plan([path]) == Walls(
        True, readable=((path, f"{place}/etc has other files, too: smtp"),)
    )


def test_a_folder_next_to_which_a_file_may_be_made_is_not_hidden(place: Path) -> None:
    path = write(place / "var" / "lib" / "password")

    assert plan([path]).readable == ((path, f"{place}/var is not mounted read-only"),)


def test_the_working_directory_is_not_hidden(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(place / "etc" / "password")
    monkeypatch.chdir(place / "etc")

    assert plan([path]).readable == ((path, f"{place}/etc has the working directory in it"),)


def test_a_datastore_that_is_not_there_yet_is_not_hidden(place: Path) -> None:
    path = f"{place}/data/zerog.db"

    assert plan([path]).readable == ((path, f"{place}/data: No such file or directory"),)


@pytest.mark.parametrize(("version", "is_free"), [(0, True), (1, True), (7, False)])
def test_without_landlock_nothing_is_hidden(
    monkeypatch: pytest.MonkeyPatch, version: int, is_free: bool
) -> None:
    monkeypatch.setattr(landlock, "version", lambda: version)
    monkeypatch.setattr(landlock, "is_free", lambda: is_free)

    made = plan(["/etc/zerog/password"])

    assert not made.stand
    assert made.missing
    assert made.readable == (("/etc/zerog/password", ""),)


MEMORY = "read this process's memory"


@pytest.mark.parametrize(
    ("walls_", "version", "uid", "text"),
    [
        (Walls(True), 6, 1, f"jobs cannot {MEMORY}, nor stop it"),
        (
            Walls(True, hidden=("/a", "/b")), 6, 1,
            f"jobs cannot {MEMORY}, nor read /a, nor read /b, nor stop it",
        ),
        (
            Walls(True, hidden=("/a",), readable=(("/b", "why"),)), 6, 1,
            f"jobs cannot {MEMORY}, nor read /a, nor stop it; they can read /b (why)",
        ),
        (
            Walls(True, readable=(("/b", "why"),)), 5, 1,
            f"jobs cannot {MEMORY}; they can stop this process (Linux before 6.12), "
            "and read /b (why)",
        ),
        (Walls(False, "why"), 0, 1, "jobs can stop this process (why)"),
        (
            Walls(False, "why", readable=(("/b", ""),)), 0, 0,
            f"jobs can {MEMORY} and stop it (why), and read /b",
        ),
    ],
)  # fmt: skip
def test_a_line_says_what_jobs_can_do(
    monkeypatch: pytest.MonkeyPatch, walls_: Walls, version: int, uid: int, text: str
) -> None:
    monkeypatch.setattr(landlock, "version", lambda: version)
    monkeypatch.setattr(walls, "_is_root", lambda: uid == 0)

    assert str(walls_) == text


def test_everything_but_the_hidden_folders_is_allowed(tmp_path: Path) -> None:
    for name in ("a/b/secret/x", "a/b/open", "a/c/x", "d/secret/x", "d/e"):
        write(tmp_path / name)
    (tmp_path / "link").symlink_to("a")

    found = landlock.allowed(str(tmp_path), [f"{tmp_path}/a/b/secret", f"{tmp_path}/d/secret"])

    assert sorted(found) == [f"{tmp_path}/{name}" for name in ("a/b/open", "a/c", "d/e")]


#: Behind the walls of an older kernel, one around the other: what can be read, and moved.
OLDER = """
import os, sys
from zerog.child import landlock
folder, known = sys.argv[1], int(sys.argv[2])
landlock.version = lambda: known
landlock.enter([f"{folder}/secret"])
landlock.enter(around=[f"{folder}/secret"])
def can(action):
    try:
        return bool(action()) or True
    except OSError:
        return False
print(
    can(lambda: open(f"{folder}/secret/file").read()),
    can(lambda: open(f"{folder}/open/file").read()),
    can(lambda: os.rename(f"{folder}/open/file", f"{folder}/open/to/file")),
    can(lambda: os.readlink(f"/proc/{os.getppid()}/exe")),
    can(lambda: open("/proc/self/environ").read()),
)
"""


@pytest.mark.skipif(not landlock.is_known(), reason="no Landlock")
@pytest.mark.parametrize("version", range(2, 8))
def test_the_wall_holds_with_every_version_of_landlock(tmp_path: Path, version: int) -> None:
    if version > landlock.version():
        pytest.skip("a newer kernel's")
    for name in ("secret/file", "open/file", "open/to/x"):
        write(tmp_path / name)

    done = subprocess.run(
        [sys.executable, "-c", OLDER, str(tmp_path), str(version)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.stdout.split() == ["False", "True", "True", "False", "True"], done.stderr


def test_jobs_get_the_clients_settings_and_what_is_not_zerogs() -> None:
    client = {variable_of(name) for name in ClientSettings.model_fields}
    environ = dict.fromkeys([*client, "ZEROG_COUCHBASE_PASSWORD", "ZEROG_NEW_SECRET", "ACME"], "x")

    assert secrecy.for_jobs(environ).keys() == client | {"ACME"}


def test_a_process_wipes_the_environment_that_others_could_read() -> None:
    look = (
        "import os; from zerog.child import secrecy\n"
        "for _ in range(2): secrecy.hide_process()\n"
        "print(os.environ['ZEROG_STORE'], open('/proc/self/environ').read().strip('\\0'))"
    )
    env = {"ZEROG_STORE": "mine", "PYTHONPATH": os.pathsep.join(sys.path), "ACME": "kept"}

    done = subprocess.run(
        [sys.executable, "-c", look], env=env, capture_output=True, text=True, timeout=60
    )

    own, _, seen = done.stdout.partition(" ")
    assert own == "mine"
    assert "kept" in seen
    assert "mine" not in seen


def test_at_a_first_start_the_datastores_folder_is_there_to_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landlock, "is_known", lambda: True)
    monkeypatch.setattr(landlock, "is_free", lambda: True)
    file = tmp_path / "new" / "zerog.db"

    make_place(f"sqlite:///{file}")

    assert "No such file" not in str(plan([str(file)]))
    assert file.parent.stat().st_mode & 0o777 == 0o700
