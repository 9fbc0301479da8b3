"""How the SDK is used: its options, and documents as JSON text."""

from datetime import timedelta
from typing import Any

from couchbase.exceptions import CouchbaseException
from couchbase.options import ClusterOptions, ClusterTimeoutOptions

from zerog.model import jsontext
from zerog.settings import CouchbaseSettings
from zerog.store.couchbase import failures
from zerog.store.couchbase.address import Address
from zerog.store.couchbase.login import Login, authenticator
from zerog.store.couchbase.telemetry import telemetry_options

#: The SDK's flags of a JSON document.
_JSON_FLAGS = 0x02000006


class JsonText:
    """The SDK's transcoder for us: bytes are JSON text already, values become our JSON text."""

    def encode_value(self, value: Any) -> tuple[bytes, int]:
        """Return what is stored for a value."""
        return (value if isinstance(value, bytes) else jsontext.dumps(value)), _JSON_FLAGS

    def decode_value(self, value: bytes, flags: int) -> bytes:
        """Return the text that is stored."""
        return value


def cluster_options(
    address: Address, settings: CouchbaseSettings, login: Login, deadline_seconds: float
) -> ClusterOptions:
    """Return the SDK's options for a login. `ConfigError`: one is refused."""
    timeout = timedelta(seconds=deadline_seconds)
    options: dict[str, Any] = {
        "timeout_options": ClusterTimeoutOptions(
            bootstrap_timeout=timeout,
            kv_timeout=timeout,
            kv_durable_timeout=timeout,
            query_timeout=timeout,
            management_timeout=timeout,
        ),
        "transcoder": JsonText(),
        "enable_orphan_reporting": False,
        "enable_app_telemetry": False,
        "log_redaction": True,
    }
    options |= telemetry_options(settings.couchbase_telemetry)
    try:
        return ClusterOptions(authenticator(address, settings, login), **options)
    except CouchbaseException as error:
        raise failures.at_start(error, address) from error
