"""From settings to the gate: which authority, and whether it is safe to have none."""

from pathlib import Path

from zerog.model.errors import ConfigError
from zerog_api.auth.authority import Authority
from zerog_api.auth.gate import Gate
from zerog_api.auth.kubernetes import Kubernetes, ServiceAccount
from zerog_api.auth.tokens import TokenFile
from zerog_api.edge.hosts import is_local_only
from zerog_api.edge.limits import Buckets, InFlight
from zerog_api.settings import ApiSettings

#: So many tokens that are nobody's are looked at, of one address.
GUESSES_PER_SECOND, GUESSES_BURST = 10.0, 200.0


def open_gate(settings: ApiSettings) -> Gate | None:
    """Return the gate; None where everybody may call.

    Raises:
        ConfigError: The settings do not fit together, or would let strangers in unasked.
    """
    authority = _open_authority(settings)
    if authority is None:
        return None
    buckets = Buckets(settings.rate_per_second, settings.rate_burst)
    guesses = Buckets(GUESSES_PER_SECOND, GUESSES_BURST)
    return Gate(authority, buckets, InFlight(settings.max_in_flight), guesses)


def open_to_strangers(settings: ApiSettings) -> Buckets | None:
    """Return how often an address may call without a token; None: as often as it likes.

    Where everybody may call, an address is the client. Clients on this machine are one user's.
    """
    if settings.auth != "off":
        return Buckets(settings.anonymous_rate_per_second, settings.anonymous_rate_burst)
    if is_local_only(settings.host):
        return None
    return Buckets(settings.rate_per_second, settings.rate_burst)


def _open_authority(settings: ApiSettings) -> Authority | None:
    match settings.auth:
        case "off":
            if not is_local_only(settings.host) and not settings.allow_open:
                raise ConfigError(
                    f"the API would listen on {settings.host} and let everybody in: set ZEROG_AUTH "
                    "to kubernetes or tokens (docs/howto/secure-the-api.md), listen on 127.0.0.1, "
                    "or set ZEROG_ALLOW_OPEN=1 if the network keeps strangers out"
                )
            return None
        case "tokens":
            if settings.tokens is None:
                raise ConfigError("ZEROG_AUTH=tokens needs ZEROG_TOKENS, the path of the file")
            return TokenFile(settings.tokens)
        case "kubernetes":
            return Kubernetes(
                settings.kubernetes_url,
                ServiceAccount(Path(settings.service_account_path)),
                namespace=settings.kubernetes_namespace,
                audiences=settings.token_audiences,
                deadline_seconds=settings.deadline_seconds,
            )
