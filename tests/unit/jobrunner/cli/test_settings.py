"""Settings: everything wrong is listed at once, and a misspelt variable is not silently ignored."""

from dataclasses import fields
from pathlib import Path

import pytest

from zerog.model.errors import ConfigError
from zerog.settings import ApiSettings, ClientSettings, WorkerSettings, load


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
    secret.write_text("s3cret\n")

    assert load(ClientSettings, {"ZEROG_TOKEN_FILE": str(secret)}).token == "s3cret"


def test_a_secret_file_that_is_missing_is_a_named_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ZEROG_TOKEN: .*nowhere"):
        load(ClientSettings, {"ZEROG_TOKEN_FILE": str(tmp_path / "nowhere")})


def test_a_variable_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(ConfigError, match="ZEROG_STOER is not a setting of ZeroG"):
        load(WorkerSettings, {"ZEROG_STOER": "sqlite:///x.db"})


def test_variables_of_other_programs_and_of_tests_are_left_alone() -> None:
    environ = {"HOME": "/h", "XZEROG_A": "1", "ZEROG_TEST_SEED": "1", "ZEROG_FUZZ_REQUESTS": "9"}

    assert load(WorkerSettings, environ) == WorkerSettings()


def test_every_process_accepts_the_variables_of_the_others() -> None:
    # One pod's environment is shared by `zerog worker` and the client that its jobs may use.
    environ = {"ZEROG_SLOTS": "2", "ZEROG_PORT": "1", "ZEROG_URL": "http://127.0.0.1:1"}

    assert load(WorkerSettings, environ).slots == 2
    assert load(ApiSettings, environ).port == 1
    assert load(ClientSettings, environ).url == "http://127.0.0.1:1"


def test_everything_that_is_wrong_is_listed_at_once() -> None:
    environ = {"ZEROG_SLOTS": "many", "ZEROG_GRACE_SECONDS": "-1", "ZEROG_SPEED": "11"}

    with pytest.raises(ConfigError) as caught:
        load(WorkerSettings, environ)

    message = str(caught.value)
    assert "ZEROG_SLOTS" in message
    assert "ZEROG_GRACE_SECONDS: -1 is negative" in message
    assert "ZEROG_SPEED is not a setting" in message


@pytest.mark.parametrize("text", ["many", "1.5", "-1", "0x10", "1e3"])
def test_a_count_that_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="ZEROG_SLOTS"):
        load(WorkerSettings, {"ZEROG_SLOTS": text})


@pytest.mark.parametrize("cls", [WorkerSettings, ApiSettings, ClientSettings])
def test_settings_are_frozen(cls: type) -> None:
    settings = cls()

    with pytest.raises(AttributeError):
        setattr(settings, fields(cls)[0].name, "changed")
