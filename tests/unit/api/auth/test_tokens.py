"""The file of tokens: what is accepted, what is refused and how it is told."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from zerog.model.errors import ConfigError
from zerog.privatefile import write_private
from zerog_api.auth import tokens
from zerog_api.auth.access import Verb
from zerog_api.auth.authority import Known, fingerprint
from zerog_api.auth.tokens import TokenFile, read_grants

SECRET = "correct-horse-battery-staple"
SHOP: dict[str, Any] = {
    "name": "shop",
    "token": SECRET,
    "verbs": ["create", "get"],
    "queues": ["mail"],
}


def text(*entries: Any) -> str:
    return json.dumps({"tokens": list(entries)})


def test_a_grant_allows_its_verbs_in_its_queues_and_nothing_else() -> None:
    grant = read_grants(text(SHOP))[fingerprint(SECRET)]

    assert grant.allows(Verb.CREATE, "mail")
    assert not grant.allows(Verb.DELETE, "mail")
    assert not grant.allows(Verb.CREATE, "media")
    assert not grant.allows(Verb.CREATE, None)


def test_a_star_is_every_queue() -> None:
    grant = read_grants(text({**SHOP, "queues": ["*"]}))[fingerprint(SECRET)]

    assert grant.allows(Verb.GET, "any")
    assert grant.allows(Verb.GET, None)


def test_metrics_are_of_no_queue() -> None:
    grant = read_grants(text({**SHOP, "verbs": ["metrics"], "queues": []}))[fingerprint(SECRET)]

    assert grant.allows(Verb.METRICS, None)
    assert not grant.allows(Verb.GET, None)


def test_a_token_may_be_given_by_its_hash() -> None:
    entry = {**SHOP, "sha256": fingerprint(SECRET)}
    del entry["token"]

    assert fingerprint(SECRET) in read_grants(text(entry))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("{", "no JSON"),
        ("[]", "have to be"),
        ('{"tokens": {}}', "have to be"),
        ('{"tokens": [], "more": 1}', "have to be"),
        (text("x"), "is no object"),
        (text({**SHOP, "name": ""}), "has no name"),
        (text({**SHOP, "token": "short"}), "20 characters"),
        (text({**SHOP, "sha256": "0" * 64}), "not both"),
        (text({"name": "x", "verbs": [], "queues": []}), "token or sha256"),
        (text({"name": "x", "sha256": "XYZ", "verbs": [], "queues": []}), "hexadecimal"),
        (text({**SHOP, "verbs": ["write"]}), "verbs have to be of create"),
        (text({**SHOP, "verbs": "create"}), "list of texts"),
        (text({**SHOP, "queues": [1]}), "list of texts"),
        (text({**SHOP, "tokn": "x"}), "tokn is no field"),
        (text(SHOP, {**SHOP, "name": "other"}), "same token"),
        (text(SHOP, {**SHOP, "token": SECRET + "2"}), "shop is used twice"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_reason_and_without_a_token(
    given: str, told: str
) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        read_grants(given)

    assert SECRET not in str(caught.value)


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read_grants(text({**SHOP, "name": 1}, {**SHOP, "verbs": ["x"]}))

    assert "tokens[0]" in str(caught.value)
    assert "tokens[1]" in str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "tokens.json"
    write_private(made, text(SHOP))
    return made


async def test_only_a_known_token_has_a_caller(path: Path) -> None:
    authority = TokenFile(str(path))

    caller = await authority.identify(SECRET)

    assert caller is not None
    assert caller.name == "shop"
    assert authority.recall("x" * 30) == Known(None)
    assert await authority.may(caller, Verb.CREATE, "mail")


async def test_a_changed_file_counts_without_a_restart(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "LOOK_SECONDS", 0.0)
    authority = TokenFile(str(path))
    caller = await authority.identify(SECRET)
    assert caller is not None

    path.write_text(text({**SHOP, "token": "another-long-enough-token", "verbs": []}))

    assert await authority.identify(SECRET) is None
    assert not await authority.may(caller, Verb.CREATE, "mail")


async def test_a_file_that_breaks_leaves_the_tokens_as_they_were(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tokens, "LOOK_SECONDS", 0.0)
    authority = TokenFile(str(path))

    path.write_text("{")

    assert await authority.identify(SECRET) is not None
    assert "not used" in caplog.text


async def test_a_file_that_others_may_read_from_now_on_is_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tokens, "LOOK_SECONDS", 0.0)
    authority = TokenFile(str(path))

    path.chmod(0o644)

    assert await authority.identify(SECRET) is not None
    assert f"`chmod 600 {path}`" in caplog.text


async def test_a_file_that_cannot_be_reached_ends_its_tokens(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tokens, "LOOK_SECONDS", 0.0)
    authority = TokenFile(str(path))
    monkeypatch.setattr(Path, "stat", unreachable)

    assert await authority.identify(SECRET) is None
    assert "out of reach" in caplog.text


def unreachable(path: Path) -> None:
    raise PermissionError(errno.EACCES, "Permission denied", str(path))


async def test_a_file_that_is_deleted_ends_its_tokens(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "LOOK_SECONDS", 0.0)
    authority = TokenFile(str(path))
    kept = path.read_text()

    path.unlink()
    assert await authority.identify(SECRET) is None
    write_private(path, kept)
    assert await authority.identify(SECRET) is not None


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        TokenFile(str(tmp_path / "none"))
