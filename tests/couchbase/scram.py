"""The server's side of SCRAM (RFC 5802) over SHA-1, SHA-256 and SHA-512: one exchange, no state.

A password is never sent: client and server prove to each other that they know it.
"""

import base64
import hashlib
import hmac
import secrets

from tests.couchbase.protocol import Status

_HASHES = {"SCRAM-SHA512": "sha512", "SCRAM-SHA256": "sha256", "SCRAM-SHA1": "sha1"}
MECHANISMS = (*_HASHES, "PLAIN")
#: The least that RFC 7677 allows: tests log in often.
ITERATIONS = 4096


class AuthError(Exception):
    """The client does not know the password, or does not speak SCRAM."""

    status = Status.AUTH_ERROR


def check_plain(message: bytes, users: dict[str, str]) -> None:
    """Check a PLAIN message.

    Raises:
        AuthError: User or password are wrong.
    """
    parts = message.split(b"\0")
    if len(parts) != 3 or users.get(parts[1].decode(errors="replace")) != parts[2].decode(
        errors="replace"
    ):
        raise AuthError("user or password are wrong")


class Exchange:
    """One login: `first` answers the client's first message, `final` its second."""

    def __init__(self, mechanism: str, users: dict[str, str]) -> None:
        if mechanism not in _HASHES:
            raise AuthError(f"mechanism {mechanism} is not offered")
        self._hash = _HASHES[mechanism]
        self._users = users
        self.user = ""
        self._salt = secrets.token_bytes(16)
        self._password = ""
        self._nonce = ""
        self._transcript = ""

    def first(self, message: bytes) -> bytes:
        """Return salt, iterations and the common nonce.

        Raises:
            AuthError: The user is not known, or the message is not one of SCRAM's.
        """
        header, separator, bare = message.decode(errors="replace").partition(",,")
        fields = _parse(bare)
        user = fields.get("n", "").replace("=2C", ",").replace("=3D", "=")
        if header != "n" or not separator or not fields.get("r") or user not in self._users:
            raise AuthError("the user is not known")
        self.user = user
        self._password = self._users[user]
        self._nonce = fields["r"] + secrets.token_hex(16)
        salt = base64.b64encode(self._salt).decode()
        answer = f"r={self._nonce},s={salt},i={ITERATIONS}"
        self._transcript = f"{bare},{answer}"
        return answer.encode()

    def final(self, message: bytes) -> bytes:
        """Return the server's proof once the client's is right.

        Raises:
            AuthError: The client does not know the password.
        """
        text = message.decode(errors="replace")
        without_proof, _, proof = text.rpartition(",p=")
        if _parse(without_proof).get("r") != self._nonce:
            raise AuthError("the nonce is not that of this login")
        salted = hashlib.pbkdf2_hmac(self._hash, self._password.encode(), self._salt, ITERATIONS)
        client_key = self._sign(salted, b"Client Key")
        transcript = f"{self._transcript},{without_proof}".encode()
        signature = self._sign(hashlib.new(self._hash, client_key).digest(), transcript)
        expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        if not hmac.compare_digest(base64.b64encode(expected).decode(), proof):
            raise AuthError("the password is wrong")
        server_key = self._sign(salted, b"Server Key")
        return b"v=" + base64.b64encode(self._sign(server_key, transcript))

    def _sign(self, key: bytes, text: bytes) -> bytes:
        return hmac.new(key, text, self._hash).digest()


def _parse(text: str) -> dict[str, str]:
    parts = (part.partition("=") for part in text.split(","))
    return {name: value for name, _, value in parts}
