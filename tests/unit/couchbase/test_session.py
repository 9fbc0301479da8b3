"""A client's way from connecting to its documents, in bytes: what the SDK's core counts on.

The core ends its process over some malformed answers, so these tests know more of the
layout than a client would need.
"""

import base64
import hashlib
import hmac
import json
import struct
from collections.abc import Callable

import pytest
from tests.couchbase.commands import Durability
from tests.couchbase.engine import Address
from tests.couchbase.frames import Request
from tests.couchbase.protocol import Feature, FrameId, Opcode, Status
from tests.couchbase.session import Bucket
from tests.unit.couchbase.conftest import START, Client

NO_EXPIRY = bytes(8)


def log_in(client: Client, mechanism: str, digest: str, password: str) -> int:
    """Go through SCRAM as a client does, checking the server's proof; return the last status."""
    bare = "n=zerog,r=client-nonce"
    first = client.send(
        Opcode.SASL_AUTH, Request(0, mechanism.encode(), value=f"n,,{bare}".encode())
    )
    assert first.status == Status.AUTH_CONTINUE
    fields = dict(part.split("=", 1) for part in first.value.decode().split(","))
    assert fields["r"].startswith("client-nonce")
    salted = hashlib.pbkdf2_hmac(
        digest, password.encode(), base64.b64decode(fields["s"]), int(fields["i"])
    )
    without_proof = f"c=biws,r={fields['r']}"
    transcript = f"{bare},{first.value.decode()},{without_proof}".encode()
    key = hmac.digest(salted, b"Client Key", digest)
    signature = hmac.digest(hashlib.new(digest, key).digest(), transcript, digest)
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
    last = client.send(
        Opcode.SASL_STEP,
        Request(0, mechanism.encode(), value=f"{without_proof},p={proof}".encode()),
    )
    if last.status == 0:
        server_key = hmac.digest(salted, b"Server Key", digest)
        expected = base64.b64encode(hmac.digest(server_key, transcript, digest))
        assert last.value == b"v=" + expected
    return last.status


SCRAM = [("SCRAM-SHA512", "sha512"), ("SCRAM-SHA256", "sha256"), ("SCRAM-SHA1", "sha1")]


@pytest.mark.parametrize(("mechanism", "digest"), SCRAM)
def test_the_right_password_opens(stranger: Client, mechanism: str, digest: str) -> None:
    assert log_in(stranger, mechanism, digest, "secret") == Status.SUCCESS
    assert stranger.send(Opcode.SELECT_BUCKET, Request(0, b"zerog")).status == Status.SUCCESS


@pytest.mark.parametrize(("mechanism", "digest"), SCRAM)
def test_a_wrong_password_does_not(stranger: Client, mechanism: str, digest: str) -> None:
    assert log_in(stranger, mechanism, digest, "wrong") == Status.AUTH_ERROR
    assert stranger.send(Opcode.SELECT_BUCKET, Request(0, b"zerog")).status == Status.NO_ACCESS


def test_a_user_who_is_not_known_does_not_get_in(stranger: Client) -> None:
    for request in (
        Request(0, b"SCRAM-SHA1", value=b"n,,n=nobody,r=x"),
        Request(0, b"PLAIN", value=b"\0nobody\0secret"),
        Request(0, b"OTHER", value=b"x"),
    ):
        assert stranger.send(Opcode.SASL_AUTH, request).status == Status.AUTH_ERROR


def test_hello_grants_what_is_known_in_the_clients_order(stranger: Client) -> None:
    asked = struct.pack(">4H", Feature.COLLECTIONS, 0x0A, 0x0C, Feature.XERROR)

    granted = stranger.send(Opcode.HELLO, Request(0, value=asked)).value

    assert granted == struct.pack(">2H", Feature.COLLECTIONS, Feature.XERROR)


def test_the_error_map_has_what_the_core_reads(client: Client) -> None:
    found = json.loads(client.send(Opcode.GET_ERROR_MAP).value)

    assert found["version"] == 2
    assert found["revision"] >= 1
    for code, error in found["errors"].items():
        assert int(code, 16) in set(Status)
        assert {"name", "desc", "attrs"} <= error.keys()


def test_the_map_names_the_services_with_and_without_a_bucket(stranger: Client) -> None:
    stranger.send(Opcode.SASL_AUTH, Request(0, b"PLAIN", value=b"\0zerog\0secret"))
    before = json.loads(stranger.send(Opcode.GET_CLUSTER_CONFIG).value)
    stranger.send(Opcode.SELECT_BUCKET, Request(0, b"zerog"))
    after = json.loads(stranger.send(Opcode.GET_CLUSTER_CONFIG).value)

    for found in (before, after):
        assert found["rev"] >= 1
        (node,) = found["nodesExt"]
        assert node["services"] == {"kv": 1001, "mgmt": 1002, "n1ql": 1003}
        assert node["hostname"] == "127.0.0.1"
    assert "name" not in before
    assert after["name"] == "zerog"
    assert "collections" in after["bucketCapabilities"]
    assert after["vBucketServerMap"]["vBucketMap"] == [[0]] * 16


def test_another_bucket_is_not_accessible(stranger: Client) -> None:
    stranger.send(Opcode.SASL_AUTH, Request(0, b"PLAIN", value=b"\0zerog\0secret"))

    assert stranger.send(Opcode.SELECT_BUCKET, Request(0, b"x")).status == Status.NO_ACCESS
    assert stranger.on(Opcode.GET, b"a").status == Status.NO_BUCKET


def test_a_collection_is_found_by_name(client: Client, named: Callable[[bytes], Address]) -> None:
    found = client.send(Opcode.GET_COLLECTION_ID, Request(0, value=b"zerog.jobs"))

    uid, number = struct.unpack(">QI", found.extras)
    assert number == named(b"").collection
    assert uid > 1


@pytest.mark.parametrize(
    ("path", "status"),
    [(b"zerog.nope", Status.UNKNOWN_COLLECTION), (b"nope.jobs", Status.UNKNOWN_SCOPE)],
)
def test_a_collection_that_is_not_there_has_its_own_status(
    client: Client, named: Callable[[bytes], Address], path: bytes, status: Status
) -> None:
    found = client.send(Opcode.GET_COLLECTION_ID, Request(0, value=path))

    assert found.status == status
    assert json.loads(found.value)["manifest_uid"]


def test_a_document_comes_back_with_flags_cas_and_datatype(client: Client) -> None:
    stored = client.on(
        Opcode.INSERT, b"a", extras=struct.pack(">II", 0x2000006, 60), value=b'{"x":1}'
    )
    uuid, seqno = struct.unpack(">QQ", stored.extras)
    found = client.on(Opcode.GET, b"a")
    meta = client.on(Opcode.GET_META, b"a", extras=b"\x02")

    assert uuid > 0
    assert seqno == 1
    assert found.extras == struct.pack(">I", 0x2000006)
    assert found.value == b'{"x":1}'
    assert found.cas == stored.cas == meta.cas
    assert found.datatype == 1
    assert struct.unpack(">IIIQB", meta.extras) == (0, 0x2000006, int(START) + 60, 1, 1)


def test_without_the_feature_there_is_no_token_and_no_datatype(stranger: Client) -> None:
    stranger.enter((Feature.COLLECTIONS,))

    stored = stranger.on(Opcode.UPSERT, b"a", extras=NO_EXPIRY, value=b"{}")

    assert stored.extras == b""
    assert stranger.on(Opcode.GET, b"a").datatype == 0


def test_a_counter_answers_with_eight_bytes(client: Client) -> None:
    extras = struct.pack(">QQI", 2, 40, 0)

    assert client.on(Opcode.INCREMENT, b"n", extras=extras).value == struct.pack(">Q", 40)
    assert client.on(Opcode.INCREMENT, b"n", extras=extras).value == struct.pack(">Q", 42)


def test_a_locked_document_is_read_with_all_ones(client: Client) -> None:
    client.on(Opcode.UPSERT, b"a", extras=NO_EXPIRY, value=b"1")
    held = client.on(Opcode.GET_AND_LOCK, b"a", extras=struct.pack(">I", 15))

    assert client.on(Opcode.GET, b"a").cas == 0xFFFF_FFFF_FFFF_FFFF
    assert client.on(Opcode.UNLOCK, b"a", cas=held.cas + 1).status == Status.LOCKED
    assert client.on(Opcode.UNLOCK, b"a", cas=held.cas).status == Status.SUCCESS


def durable(level: int) -> tuple[tuple[int, bytes], ...]:
    return ((FrameId.DURABILITY, bytes([level])),)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_durability_is_accepted_on_writes(client: Client, level: int) -> None:
    stored = client.on(Opcode.UPSERT, b"a", extras=NO_EXPIRY, value=b"1", frames=durable(level))

    assert stored.status == Status.SUCCESS


@pytest.mark.parametrize(
    ("opcode", "frames", "status"),
    [
        (Opcode.UPSERT, durable(4), Status.DURABILITY_INVALID_LEVEL),
        (Opcode.UPSERT, durable(0), Status.DURABILITY_INVALID_LEVEL),
        (Opcode.UPSERT, ((FrameId.DURABILITY, b"\1\0"),), Status.INVALID),
        (Opcode.GET, durable(1), Status.INVALID),
        (Opcode.GET, ((FrameId.PRESERVE_TTL, b""),), Status.INVALID),
        (Opcode.UPSERT, ((9, b""),), Status.UNKNOWN_FRAME_INFO),
    ],
)
def test_frames_that_make_no_sense_are_refused(
    client: Client, opcode: Opcode, frames: tuple[tuple[int, bytes], ...], status: Status
) -> None:
    extras = NO_EXPIRY if opcode is Opcode.UPSERT else b""

    assert client.on(opcode, b"a", extras=extras, value=b"", frames=frames).status == status


def test_durability_may_be_impossible(client: Client, bucket: Bucket) -> None:
    bucket.durability = Durability(possible=False)

    stored = client.on(Opcode.UPSERT, b"a", extras=NO_EXPIRY, value=b"1", frames=durable(1))

    assert stored.status == Status.DURABILITY_IMPOSSIBLE
    assert client.on(Opcode.GET, b"a").status == Status.NOT_FOUND


def test_the_wrong_vbucket_is_answered_with_the_map(client: Client) -> None:
    found = client.on(Opcode.GET, b"a", vbucket=16)

    assert found.status == Status.NOT_MY_VBUCKET
    assert json.loads(found.value)["nodesExt"]
