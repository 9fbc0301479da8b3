"""Settings: everything wrong is listed at once, and a misspelt variable is not silently ignored."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from pydantic import ValidationError

from zerog import settings as settings_module
from zerog.model.errors import ConfigError
from zerog.privatefile import write_private
from zerog.settings import (
    OPEN,
    SECRET,
    ClientSettings,
    CouchbaseSettings,
    PlaceSettings,
    Settings,
    WorkerSettings,
    load,
    secret_paths,
    variable_of,
)
from zerog_api.settings import ApiSettings
from zerog_operator.settings import OperatorSettings

ROOT = Path(__file__).parents[4]
#: The entry points that the other parts declare.
PARTS = {
    name: value
    for part in ("api", "operator")
    for name, value in tomllib.loads((ROOT / part / "pyproject.toml").read_text())["project"][
        "entry-points"
    ][settings_module.GROUP].items()
}
ALL: list[type[Settings]] = [
    WorkerSettings, ClientSettings, CouchbaseSettings, PlaceSettings, ApiSettings, OperatorSettings
]  # fmt: skip


def install(monkeypatch: pytest.MonkeyPatch, *names: str, **broken: str) -> None:
    """Let it look as if just these parts were installed."""
    values = {name: PARTS[name] for name in names} | broken
    points = [EntryPoint(name, value, settings_module.GROUP) for name, value in values.items()]
    monkeypatch.setattr(settings_module, "entry_points", lambda *, group: points)
    for cached in (settings_module._other_parts, settings_module._doubt):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    yield
    for cached in (settings_module._other_parts, settings_module._doubt):
        cached.cache_clear()


@pytest.fixture
def everything_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, *PARTS)


def test_an_empty_environment_gives_the_defaults() -> None:
    assert load(WorkerSettings, {}) == WorkerSettings()
    assert load(ApiSettings, {}) == ApiSettings()
    assert load(ClientSettings, {}) == ClientSettings()


def test_the_defaults_are_one_machine_without_configuration() -> None:
    worker, api = load(WorkerSettings, {}), load(ApiSettings, {})

    assert worker.store == api.store == "sqlite:///.zerog/zerog.db"
    assert worker.queue == api.queue == "127.0.0.1:11300"
    assert (api.host, api.port) == ("127.0.0.1", 8080)


def test_each_field_is_read_from_its_variable_in_its_own_type() -> None:
    environ = {
        "ZEROG_STORE": "sqlite:////data/jobs.db",
        "ZEROG_QUEUE": "beanstalkd:11300",
        "ZEROG_SLOTS": "4",
        "ZEROG_GRACE_SECONDS": "2.5",
        "ZEROG_MAX_CHILD_BYTES": "1000000",
        "ZEROG_POD": "media-7",
        "ZEROG_NODE": "node-1",
        "ZEROG_IMAGE": "acme:1",
        "ZEROG_TEMPLATE_HASH": "0123456789",
    }

    settings = load(WorkerSettings, environ)

    assert settings == WorkerSettings(
        store="sqlite:////data/jobs.db",
        queue="beanstalkd:11300",
        slots=4,
        grace_seconds=2.5,
        max_child_bytes=1_000_000,
        pod="media-7",
        node="node-1",
        image="acme:1",
        template_hash="0123456789",
    )


@pytest.mark.parametrize(
    "text", ["acme.jobs acme.more", "acme.jobs,acme.more", " acme.jobs, acme.more "]
)
def test_a_list_may_be_separated_by_spaces_or_commas(text: str) -> None:
    assert load(WorkerSettings, {"ZEROG_JOBS": text}).jobs == ("acme.jobs", "acme.more")


def test_what_the_command_line_gives_wins_over_the_environment() -> None:
    settings = load(
        ApiSettings, {"ZEROG_PORT": "9000", "ZEROG_HOST": "0.0.0.0"}, port=7000, host=None
    )

    assert (settings.port, settings.host) == (7000, "0.0.0.0")


def test_a_given_zero_is_not_taken_for_an_absent_value() -> None:
    assert load(ApiSettings, {"ZEROG_PORT": "9000"}, port=0).port == 0


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load(ClientSettings, {"ZEROG_URL": ""}).url is None


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    write_private(secret, "s3cret\n")

    assert load(ClientSettings, {"ZEROG_TOKEN_FILE": str(secret)}).token == "s3cret"


def test_a_file_wins_over_a_value_beside_it(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    write_private(secret, "new")
    environ = {"ZEROG_TOKEN": "old", "ZEROG_TOKEN_FILE": str(secret)}

    assert load(ClientSettings, environ).token == "new"


def test_a_secret_file_that_is_missing_is_a_named_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ZEROG_TOKEN_FILE cannot be read: .*nowhere"):
        load(ClientSettings, {"ZEROG_TOKEN_FILE": str(tmp_path / "nowhere")})


def test_a_file_that_is_not_text_is_a_named_problem_and_is_not_shown(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    write_private(secret, "")
    secret.write_bytes(b"s3cret\xff")

    with pytest.raises(ConfigError, match="ZEROG_TOKEN_FILE cannot be read") as caught:
        load(ClientSettings, {"ZEROG_TOKEN_FILE": str(secret)})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("cls", [ClientSettings, CouchbaseSettings])
def test_secrets_are_in_no_representation(cls: type[Settings]) -> None:
    environ = {"ZEROG_TOKEN": "s3cret", "ZEROG_COUCHBASE_PASSWORD": "s3cret"}

    assert "s3cret" not in repr(load(cls, environ))


@pytest.mark.usefixtures("everything_installed")
@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("ZEROG_STOER", "ZEROG_STORE"),
        ("ZEROG_TOKEN_FIEL", "ZEROG_TOKEN_FILE"),
        ("ZEROG_MAX_IN_FLIHGT", "ZEROG_MAX_IN_FLIGHT"),  # of the API
        ("ZEROG_LEASE_NAMES", "ZEROG_LEASE_NAME"),  # of the operator
    ],
)
def test_a_variable_that_nobody_knows_is_an_error_with_the_nearest_name(
    variable: str, near: str
) -> None:
    told = f"{variable} is not a setting of ZeroG, did you mean {near}\\?"

    with pytest.raises(ConfigError, match=told):
        load(WorkerSettings, {variable: "sqlite:///x.db"})


@pytest.mark.usefixtures("everything_installed")
def test_variables_of_other_programs_are_left_alone() -> None:
    environ = {"HOME": "/h", "XZEROG_A": "1", "zerog_slots": "9"}

    assert load(WorkerSettings, environ) == WorkerSettings()


def test_where_a_part_is_not_installed_its_settings_stop_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # All pods may get the same variables, and a worker's image may hold nothing of the API.
    install(monkeypatch, "operator")

    assert load(WorkerSettings, {"ZEROG_MAX_IN_FLIGHT": "7", "ZEROG_LEASE_NAME": "x"}).slots == 1

    (line,) = caplog.messages
    assert line.startswith("ZEROG_MAX_IN_FLIGHT is not a setting of zerog (zerog-api not installed")


def test_where_a_part_is_not_installed_a_misspelt_variable_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(monkeypatch)

    for _ in range(2):  # as logins do, every few seconds
        load(WorkerSettings, {"ZEROG_SLOST": "2"})

    (line,) = caplog.messages
    assert line.endswith("(zerog-api and zerog-operator not installed), did you mean ZEROG_SLOTS?")


def test_a_part_that_does_not_load_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(monkeypatch, "operator", api="there_is_no_such_module:Settings")

    assert load(WorkerSettings, {"ZEROG_PORT": "1"}).slots == 1
    assert "there_is_no_such_module" in caplog.text


def test_nothing_is_looked_up_where_all_variables_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings_module, "entry_points", None)

    assert load(WorkerSettings, {"ZEROG_SLOTS": "2", "ZEROG_URL": "http://x"}).slots == 2


def test_to_know_the_settings_of_the_others_costs_none_of_their_libraries() -> None:
    script = (
        "import sys, zerog_api.settings, zerog_operator.settings\n"
        "assert not {'tornado', 'uvloop', 'kopf', 'kubernetes'} & sys.modules.keys()\n"
    )

    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.usefixtures("everything_installed")
def test_every_process_accepts_the_variables_of_the_others() -> None:
    # One pod's environment is shared by `zerog worker` and the client that its jobs may use.
    environ = {
        "ZEROG_SLOTS": "2",
        "ZEROG_PORT": "1",
        "ZEROG_URL": "http://127.0.0.1:1",
        "ZEROG_LEASE_NAME": "zerog",
        "ZEROG_COUCHBASE_LISTING": "kv",
    }

    assert load(WorkerSettings, environ).slots == 2
    assert load(ApiSettings, environ).port == load(OperatorSettings, environ).port == 1
    assert load(ClientSettings, environ).url == "http://127.0.0.1:1"
    assert load(PlaceSettings, environ) == PlaceSettings(couchbase_listing="kv")


@pytest.mark.usefixtures("everything_installed")
def test_everything_that_is_wrong_is_listed_at_once() -> None:
    environ = {
        "ZEROG_SLOTS": "many",
        "ZEROG_GRACE_SECONDS": "-1",
        "ZEROG_SPEED": "11",
        "ZEROG_NAME_FILE": "/nowhere",
    }

    with pytest.raises(ConfigError) as caught:
        load(WorkerSettings, environ)

    message = str(caught.value)
    assert "ZEROG_SLOTS: 'many' is not a whole number" in message
    assert "ZEROG_GRACE_SECONDS: -1 is less than 0" in message
    assert "ZEROG_SPEED is not a setting" in message
    assert "ZEROG_NAME_FILE cannot be read" in message


@pytest.mark.parametrize("text", ["many", "1.5", "-1", "0", "0x10", "1e3", "1001", "9" * 5000])
def test_a_number_of_slots_that_no_worker_can_have_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="ZEROG_SLOTS") as caught:
        load(WorkerSettings, {"ZEROG_SLOTS": text})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["soon", "-0.1", "inf", "nan", "1e300"])
@pytest.mark.parametrize("field", ["grace_seconds", "cancel_grace_seconds", "kill_grace_seconds"])
def test_a_span_of_time_that_cannot_be_waited_for_is_refused(field: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"{variable_of(field)}: '?{text}'? is"):
        load(WorkerSettings, {variable_of(field): text})


@pytest.mark.parametrize("cls", [ApiSettings, OperatorSettings])
@pytest.mark.parametrize("text", ["-1", "65536", "http"])
def test_a_port_that_there_cannot_be_is_refused(cls: type[Settings], text: str) -> None:
    with pytest.raises(ConfigError, match="ZEROG_PORT"):
        load(cls, {"ZEROG_PORT": text})


@pytest.mark.parametrize(
    ("cls", "field", "text"),
    [
        (ApiSettings, "auth", "on"),
        (ApiSettings, "allow_open", "2"),
        (ApiSettings, "max_body_bytes", "1e9"),
        (ApiSettings, "rate_per_second", "inf"),
        (OperatorSettings, "check_images", "perhaps"),
        (CouchbaseSettings, "couchbase_durability", "always"),
        (CouchbaseSettings, "couchbase_listing", "sql"),
        (CouchbaseSettings, "couchbase_telemetry", "sometimes"),
    ],
)
def test_a_value_that_means_nothing_is_refused(cls: type[Settings], field: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"{variable_of(field)}: '?{text}'? is"):
        load(cls, {variable_of(field): text})


def test_an_option_that_is_wrong_is_told_under_its_own_name() -> None:
    with pytest.raises(ConfigError, match=r"^slots: 0 is less than 1$"):
        load(WorkerSettings, {"ZEROG_SLOTS": "4"}, slots=0)


@pytest.mark.parametrize(("text", "meant"), [("0", False), ("1", True), ("", False)])
def test_a_switch_is_one_or_zero(text: str, meant: bool) -> None:
    assert load(ApiSettings, {"ZEROG_ALLOW_OPEN": text}).allow_open is meant


def test_an_instance_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEROG_SLOTS", "9")

    assert WorkerSettings().slots == 1
    assert load(WorkerSettings, {}).slots == 1


@pytest.mark.parametrize("cls", ALL)
def test_settings_are_frozen(cls: type[Settings]) -> None:
    settings = cls()

    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings, next(iter(cls.model_fields)), "changed")


@pytest.mark.parametrize("cls", ALL)
def test_no_setting_is_named_like_the_file_of_another(cls: type[Settings]) -> None:
    fields = cls.model_fields.keys()
    files = {name for name in fields if name.removesuffix("_file") in fields - {name}}

    # These files are read again when they change, so their paths are needed too.
    assert files <= {"token_file", "couchbase_password_file"}


def test_every_path_in_the_settings_says_whether_it_is_a_secret() -> None:
    paths = {
        f"{cls.__name__}.{name}"
        for cls in ALL
        for name, field in cls.model_fields.items()
        if name.endswith(("_file", "_path", "tokens")) and not {SECRET, OPEN} & set(field.metadata)
    }

    assert paths == set()


def test_secret_paths_are_those_that_exist_with_what_is_next_to_them(tmp_path: Path) -> None:
    for name in ("a/password", "a/ca.crt", "b/ready"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    settings = WorkerSettings(
        couchbase_password_file=f"{tmp_path}/a/password",
        couchbase_ca_path=f"{tmp_path}/a/ca.crt",
        couchbase_key_path=f"{tmp_path}/a/missing",
        ready_file=f"{tmp_path}/b/ready",
    )

    assert secret_paths(settings) == [f"{tmp_path}/a/password", f"{tmp_path}/a/ca.crt"]
