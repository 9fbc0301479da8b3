"""What a job cannot get from the processes that run it: their secrets, their lives, other jobs."""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from zerog.child import landlock
from zerog.privatefile import write_private

from .conftest import DEADLINE_SECONDS, JOBS, System, running_system, until
from .test_authors_jobs import Done, does

pytestmark = pytest.mark.timeout(600)

AUTHORS = JOBS.with_name("jobs_of_authors.py")
IS_ROOT = os.geteuid() == 0
NOBODY_ID = 65534
AS_NOBODY = [f"--reuid={NOBODY_ID}", f"--regid={NOBODY_ID}", "--clear-groups"]
NOBODY = ["setpriv", *AS_NOBODY] if IS_ROOT else ["setpriv"]
UNSHARE = ["unshare", "--mount"] if IS_ROOT else ["unshare", "--user", "--map-root-user", "--mount"]
#: Mounts the root folder read-only, and two folders as a container has volumes.
READ_ONLY = (
    'mount --bind "$0/store" "$0/store" && mount --bind "$0/tmp" "$0/tmp"'
    " && mount -o remount,bind,ro /"
)
#: Lets everybody come to a Python that is installed in the home of root.
REACHABLE = (
    'mkdir -p "$0/python" && mount --bind "{prefix}" "$0/python"'
    ' && mount -t tmpfs -o mode=755 none "{home}" && mkdir -p "{prefix}"'
    ' && mount --move "$0/python" "{prefix}"'
)
#: What a datastore begins with.
DATASTORE = "SQLite format 3"


@dataclass(frozen=True)
class Place:
    """A system, and how its processes are kept."""

    system: System
    name: str
    folder: Path
    #: What is in the environment, and what is in the file.
    secret: str
    password: str

    @property
    def password_file(self) -> Path:
        return self.folder / "etc" / "password"


def _prefix(name: str, data: Path) -> list[str]:
    """Return a command that starts another one in the named way."""
    prefix, mounts = Path(sys.base_prefix), []
    closed = [each for each in prefix.parents if not each.stat().st_mode & 0o001]
    if closed and IS_ROOT and "root" not in name:
        mounts.append(REACHABLE.format(prefix=prefix, home=closed[-1]))
    if name.startswith("container"):
        mounts.append(READ_ONLY)
    user = [] if "root" in name else [*NOBODY, *["--no-new-privs"] * (name != "user")]
    if not mounts:
        return user
    return [*UNSHARE, "sh", "-c", " && ".join([*mounts, 'exec "$@"']), str(data), *user]


@contextlib.contextmanager
def _place(name: str) -> Iterator[Place]:
    if not IS_ROOT and name in ("root", "container of root"):
        pytest.skip("it is root's")
    secret, password = (f"opensesame-{secrets.token_hex(8)}" for _ in range(2))
    folder = Path(tempfile.mkdtemp(prefix="zerog-walls-"))
    try:
        folder.chmod(0o755)
        made = System(folder, cold=True)
        place = Place(made, name, folder, secret, password)
        place.password_file.parent.mkdir()
        write_private(place.password_file, password)
        if IS_ROOT and "root" not in name:
            os.chown(place.password_file, NOBODY_ID, NOBODY_ID)
        data = folder / "data"
        for path in (data, data / "store", data / "tmp"):
            path.mkdir()
            path.chmod(0o777)
        made.store = f"sqlite:///{data}/store/zerog.db"
        made.store_env = {
            # Once in a file, once in the environment.
            "ZEROG_COUCHBASE_PASSWORD_FILE": str(place.password_file),
            "ZEROG_COUCHBASE_PASSWORD": secret,
            "TMPDIR": str(data / "tmp"),
            "HOME": str(data / "tmp"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        made.prefix = _prefix(name, data)
        with running_system(made, ZEROG_JOBS=str(AUTHORS)):
            made.start_worker("--slots", "2", jobs=AUTHORS)
            yield place
    finally:
        shutil.rmtree(folder)


everywhere = pytest.mark.parametrize(
    "place",
    ["user", "user without new rights", "root", "container", "container of root"],
    indirect=True,
)
walled = pytest.mark.parametrize(
    "place", ["user without new rights", "root", "container", "container of root"], indirect=True
)
contained = pytest.mark.parametrize("place", ["container", "container of root"], indirect=True)


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A system of the named kind."""
    if request.param != "user" and not landlock.holds_signals():
        pytest.skip("no Landlock that holds signals")
    with _place(request.param) as made:
        yield made


#: What attacks begin with.
HEAD = """
import ctypes, re
libc = ctypes.CDLL(None, use_errno=True)
def parent(pid):
    return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
nursery = os.getppid()
worker = parent(nursery)
def siblings():
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and int(name) != os.getpid() and parent(name) == nursery:
                yield int(name)
        except OSError:
            pass
def memory(pid):
    found = set()
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            begin, end = (int(each, 16) for each in line.split()[0].split("-"))
            if "rw" in line and end - begin < 2**26:
                mem.seek(begin)
                found.update(re.findall(b"open" b"sesame-[0-9a-f]{16}", mem.read(end - begin)))
    return [each.decode() for each in found]
def outcome(result):
    return ctypes.get_errno() if result < 0 else 0
"""


def attack(place: Place, body: str) -> Done:
    """Run a job that tries something. `{password}` and such are where it is."""
    body = body.replace("{password}", str(place.password_file))
    body = body.replace("{store}", f"{place.folder}/data/store/zerog.db")
    return does(place.system, HEAD + body.replace("{tmp}", f"{place.folder}/data/tmp"))


def loot(place: Place, done: Done) -> list[str]:
    """Return what a job brought home of its own place.

    Root can read what a process was started with until that process has wiped it, so a job may find
    the secret of another place that starts at the same time.
    """
    assert done.code in (200, 500), done.message
    told = f"{done.data} {done.message} {done.events}"
    return [each for each in (place.secret, place.password, DATASTORE) if each in told]


READS = {
    "its environment": "return dict(os.environ)",
    "its own environ": "return open('/proc/self/environ').read()",
    "the environment of a program": "return subprocess.check_output(['env'], text=True)",
    "the nursery's environment": "return open(f'/proc/{nursery}/environ').read()",
    "the worker's environment": "return open(f'/proc/{worker}/environ').read()",
    "all environments": """
found = []
for name in filter(str.isdigit, os.listdir('/proc')):
    try:
        found += re.findall('open' 'sesame-[0-9a-f]{16}', open(f'/proc/{name}/environ').read())
    except (OSError, UnicodeDecodeError):
        pass
return found""",
    "the worker's memory": "return memory(worker)",
    "the nursery's memory": "return memory(nursery)",
    "the worker's open files": (
        "return [open(f'/proc/{worker}/fd/{fd}', 'rb').read(16).decode('latin-1')\n"
        "        for fd in os.listdir(f'/proc/{worker}/fd')\n"
        "        if os.readlink(f'/proc/{worker}/fd/{fd}').endswith('zerog.db')]"
    ),
    "the worker's root": "return open(f'/proc/{worker}/root{password}').read()",
}


@everywhere
@pytest.mark.parametrize("what", READS)
def test_a_job_cannot_read_what_its_supervisor_holds(place: Place, what: str) -> None:
    assert loot(place, attack(place, READS[what])) == []


FILES = {
    "by its path": "return open('{password}').read()",
    "by a program": "return subprocess.run(['cat', '{password}'], capture_output=True).stdout",
    "by a link": "os.symlink('{password}', '{tmp}/a'); return open('{tmp}/a').read()",
    "by a link to its folder": (
        "os.symlink(os.path.dirname('{password}'), '{tmp}/b')\n"
        "return open('{tmp}/b/password').read()"
    ),
    "by a hard link": "os.link('{password}', '{tmp}/c'); return open('{tmp}/c').read()",
    "by moving it": "os.rename('{password}', '{tmp}/d'); return open('{tmp}/d').read()",
    "by its folder's descriptor": (
        "folder = os.open(os.path.dirname('{password}'), os.O_PATH)\n"
        "return os.read(os.open('password', os.O_RDONLY, dir_fd=folder), 100).decode()"
    ),
    "by a path descriptor": (
        "fd = os.open('{password}', os.O_PATH)\nreturn open(f'/proc/self/fd/{fd}').read()"
    ),
    "by its root": "return open('/proc/self/root{password}').read()",
    "by a mount": (
        "os.mkdir('{tmp}/e')\n"
        "subprocess.run(['mount', '--bind', os.path.dirname('{password}'), '{tmp}/e'])\n"
        "return open('{tmp}/e/password').read()"
    ),
    "by a namespace": (
        "return subprocess.run(['unshare', '-rm', 'cat', '{password}'], capture_output=True)"
        ".stdout.decode()"
    ),
    "in another folder": "os.chdir('/'); return open('{password}'[1:]).read()",
    "the datastore": "return open('{store}', 'rb').read(16).decode()",
    "the datastore's log": "return 'SQLite format 3' * bool(open('{store}-wal', 'rb').read(16))",
    "a copy of the datastore": "os.link('{store}', '{store}2'); return open('{store}2').read(16)",
    "the moved datastore": (
        "os.rename('{store}', '{tmp}/f'); return open('{tmp}/f', errors='replace').read(16)"
    ),
}


@contained
@pytest.mark.parametrize("how", FILES)
def test_a_job_in_a_container_cannot_read_secret_files(place: Place, how: str) -> None:
    assert loot(place, attack(place, FILES[how])) == []


@contained
@pytest.mark.parametrize(
    "body",
    [
        "os.truncate('{store}', 0)",
        "open('{store}', 'r+b').write(b'x')",
        "os.unlink('{store}')",
        "os.rename('{store}', '{store}.gone')",
        "open('{store}-journal', 'w')",
    ],
)
def test_a_job_in_a_container_cannot_spoil_the_datastore(place: Place, body: str) -> None:
    done = attack(place, body)

    assert "PermissionError" in done.message


#: Each returns the error's number, 0 if it could.
ACTS = {
    "ptrace of the worker": "return outcome(libc.ptrace(0x4206, worker, None, None))",
    "ptrace of the nursery": "return outcome(libc.ptrace(0x4206, nursery, None, None))",
    "process_vm_readv": """
class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
buffer = ctypes.create_string_buffer(8)
here, there = Part(ctypes.addressof(buffer), 8), Part(id(None), 8)
return outcome(libc.process_vm_readv(worker, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))""",
    "pidfd_getfd": "return outcome(libc.syscall(438, os.pidfd_open(worker), 2, 0))",
}
#: SIGURG does nothing to a process that does not ask for it.
SIGNALS = {
    "the worker": "os.kill(worker, signal.SIGURG)",
    "the nursery": "os.kill(nursery, signal.SIGURG)",
    "the group": "os.killpg(os.getpgid(worker), signal.SIGURG)",
    "by a pidfd": "signal.pidfd_send_signal(os.pidfd_open(worker), signal.SIGURG)",
    "by a program": (
        "done = subprocess.run(['sh', '-c', f'kill -URG {worker}'], capture_output=True)\n"
        "if done.returncode: raise PermissionError(done.stderr)"
    ),
}


@everywhere
@pytest.mark.parametrize("what", ["ptrace of the worker", "process_vm_readv", "pidfd_getfd"])
def test_a_job_cannot_get_hold_of_its_worker(place: Place, what: str) -> None:
    assert attack(place, ACTS[what]).data == 1  # EPERM


@walled
def test_a_job_cannot_get_hold_of_its_nursery(place: Place) -> None:
    assert attack(place, ACTS["ptrace of the nursery"]).data == 1


@walled
@pytest.mark.parametrize("what", SIGNALS)
def test_a_job_behind_the_wall_cannot_signal_what_runs_it(place: Place, what: str) -> None:
    assert "PermissionError" in attack(place, SIGNALS[what]).message


@walled
def test_jobs_of_one_worker_cannot_read_each_other(place: Place) -> None:
    hold = place.folder / "data" / "tmp" / "hold"
    body = f"ctx.info('runs')\nwhile not os.path.exists({str(hold)!r}): time.sleep(0.05)"
    uuid = place.system.client.submit("Does", {"body": f"mine = {place.secret!r}\n{body}"})
    place.system.running(uuid)

    try:
        done = attack(place, "return [len(pids := list(siblings())), *map(memory, pids)]")
        signalled = attack(place, "os.kill(next(siblings()), signal.SIGURG)")
    finally:
        hold.touch()

    assert loot(place, done) == []
    assert "PermissionError" in done.message + signalled.message
    assert place.system.client.wait(uuid, DEADLINE_SECONDS)["state"] == "succeeded"
    hold.unlink()


#: What authors do in jobs, with the result.
LIVES = {
    "signals to its own processes": (
        "child = subprocess.Popen(['sleep', '60']); child.terminate(); return child.wait()", -15,
    ),
    "signals to itself": "os.kill(os.getpid(), signal.SIGURG); return 1",
    "a pool of processes": (
        "with multiprocessing.get_context('spawn').Pool(2) as pool:\n  return pool.map(abs, [-1])",
        [1],
    ),
    "a pool of forks": (
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n  return pool.map(abs, [-1])",
        [1],
    ),
    "its own files": (
        "for name in ('x', 'y'): os.makedirs(f'{tmp}/{name}', exist_ok=True)\n"
        "open('{tmp}/x/file', 'w').write('text')\n"
        "os.rename('{tmp}/x/file', '{tmp}/y/file')\n"
        "os.truncate('{tmp}/y/file', 2)\n"
        "with tempfile.TemporaryDirectory() as it: open(f'{it}/a', 'w').write('a')\n"
        "return open('{tmp}/y/file').read()", "te",
    ),
    "files of the system": "return bool(open('/etc/passwd').read()) + os.path.exists('/dev/null')",
    "its own open files": "return 2 in map(int, os.listdir('/proc/self/fd'))",
    "an anonymous file": "return os.write(os.memfd_create('x'), b'xy')",
    "shared memory": (
        "from multiprocessing import shared_memory\n"
        "it = shared_memory.SharedMemory(create=True, size=8)\nit.close(); it.unlink(); return 1"
    ),
    "a debugger on its own process": (
        "child = subprocess.Popen(['sleep', '60'])\n"
        "seized = libc.ptrace(0x4206, child.pid, None, None)\nchild.kill()\nreturn 1 + seized"
    ),
}  # fmt: skip


@everywhere
@pytest.mark.parametrize("what", LIVES)
def test_a_job_can_do_what_it_could(place: Place, what: str) -> None:
    body, result = LIVES[what] if isinstance(LIVES[what], tuple) else (LIVES[what], None)
    done = attack(place, str(body))

    assert done.code == 200, (done.message, done.events)
    assert done.data == (result if result is not None else done.data)
    assert done.data


@everywhere
def test_the_worker_says_at_its_start_what_jobs_can_do(place: Place) -> None:
    text = "".join(path.read_text() for path in place.folder.glob("*-worker.log"))
    line = next(line for line in text.splitlines() if " jobs can" in line)

    etc, store = place.password_file.parent, place.folder / "data" / "store"
    signals, memory = "nor stop it", "jobs cannot read this process's memory"
    why = f"({place.folder} is not mounted read-only)"
    open_files = (
        f"{memory}, {signals}; they can read {etc}/password {why}, and read {store}/zerog.db"
    )
    hidden = f"{memory}, nor read {store}, nor read {etc}, {signals}"
    expected = {
        "user": f"jobs can stop this process (it runs without no_new_privs), and read {etc}/",
        "user without new rights": open_files,
        "root": open_files,
        "container": hidden,
        "container of root": hidden,
    }
    assert expected[place.name] in line


def test_no_setting_but_the_clients_reaches_jobs(tmp_path: Path) -> None:
    with running_system(System(tmp_path, cold=True)) as system:
        system.start_worker(jobs=AUTHORS, ZEROG_TOKEN="for-jobs", ZEROG_GRACE_SECONDS="7",
                            ACME_KEY="mine")  # fmt: skip
        names = does(system, "return sorted(os.environ)").data
        listed = does(system, "return subprocess.check_output([sys.executable, '-m', 'zerog', "
                      "'list', '--json'], text=True)")  # fmt: skip

    assert [name for name in names if name.startswith("ZEROG_")] == ["ZEROG_TOKEN", "ZEROG_URL"]
    assert "ACME_KEY" in names
    assert "running" in listed.data


def test_validators_beside_the_api_get_nothing_either(tmp_path: Path) -> None:
    module = tmp_path / "curious.py"
    module.write_text(
        "import os, zerog\nfrom pydantic import model_validator\n"
        "class Curious(zerog.Job):\n"
        "    @model_validator(mode='after')\n"
        "    def look(self):\n"
        "        found = sorted(name for name in os.environ if name.startswith('ZEROG_'))\n"
        "        try:\n"
        "            parent = open(f'/proc/{os.getppid()}/stat').read().rpartition(')')[2]\n"
        "            os.kill(int(parent.split()[1]), 0)\n"
        "        except PermissionError:\n"
        "            raise ValueError(f'refused {found}')\n"
        "        raise ValueError(f'open {found}')\n"
        "    def run(self, ctx): pass\n"
    )
    system = System(tmp_path, cold=True)
    system.prefix = ["setpriv", "--no-new-privs"]
    with running_system(system, ZEROG_JOBS=str(module), ZEROG_COUCHBASE_PASSWORD="secret"):
        system.start_worker(jobs=module)
        answer = until(lambda: _refusal(system), what="the class is asked")

    assert answer == "refused ['ZEROG_URL']"


def test_a_module_that_is_described_gets_nothing_either(tmp_path: Path) -> None:
    module = tmp_path / "curious.py"
    module.write_text(
        "import os, sys, zerog\n"
        "print('imported', dict(os.environ))\n"
        "try: print(open(f'/proc/{os.getppid()}/environ').read())\n"
        "except OSError: pass\n"
        "class Curious(zerog.Job):\n"
        "    def run(self, ctx): pass\n"
    )
    env = {**os.environ, "ZEROG_COUCHBASE_PASSWORD": "opensesame"}

    done = subprocess.run(
        [sys.executable, "-m", "zerog", "describe", str(module)],
        env=env, capture_output=True, text=True, timeout=DEADLINE_SECONDS,
    )  # fmt: skip

    assert "Curious" in done.stdout
    assert "imported" in done.stderr
    assert "opensesame" not in done.stderr


def _refusal(system: System) -> str | None:
    import httpx

    answer = httpx.post(f"http://127.0.0.1:{system.port}/v1/jobs/Curious", json={}).json()
    return answer["errors"][0]["message"] if "errors" in answer else None


def descriptors(pid: int) -> list[str]:
    found = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # it is closed by now
            found.append(os.readlink(fd))
    return found


def test_neither_nursery_nor_job_has_a_descriptor_of_the_worker(tmp_path: Path) -> None:
    with running_system(System(tmp_path, cold=True)) as system:
        worker = system.start_worker("--slots", "4", jobs=AUTHORS)
        (nursery,) = psutil.Process(worker.pid).children()
        of_job = does(
            system,
            "fds = [f'/proc/self/fd/{fd}' for fd in os.listdir('/proc/self/fd')]\n"
            "return [os.readlink(fd) for fd in fds if os.path.lexists(fd)]",
        ).data
        # While it forks a child it has that one's pipe, too.
        until(
            lambda: sum(name.startswith("socket:") for name in descriptors(nursery.pid)) == 3,
            what="its connection to the worker and what wakes it",
        )
        of_nursery = descriptors(nursery.pid)

    files = {name for name in of_nursery + of_job if name.startswith("/")}
    assert {name for name in files if not name.endswith("-worker.log")} == {"/dev/null"}
    # Its pipe to the worker.
    assert sum(name.startswith("socket:") for name in of_job) == 1
