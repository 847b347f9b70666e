"""What the errors of sockets, TLS and resolvers mean: each becomes a `Failure` with one line of detail."""

import socket
import ssl

from crawler.model import Failure
from crawler.transport.headers import CONTROLS

__all__ = ["connect_failure", "dns_failure", "one_line", "tls_failure"]

# Values of c-ares (ares.h, part of its ABI): no data, no such name, bad name.
_ARES_FINAL = frozenset({1, 4, 8})
_EAI_FINAL = frozenset(
    value
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY", "EAI_FAMILY")
    if (value := getattr(socket, name, None)) is not None
)


def one_line(text: str) -> str:
    """A library's message, fit for `Failure.detail`."""
    whole = text.encode("utf-8", "replace").decode("utf-8")  # no lone surrogates
    return " ".join(CONTROLS.sub("", whole).split())[:200]


def dns_failure(host: str, error: BaseException) -> Failure:
    """`Failure("dns")` for a look-up by the C library or c-ares; trying again helps unless the name is unknown."""
    code = error.args[0] if error.args else None
    final = _EAI_FINAL if isinstance(error, socket.gaierror) else _ARES_FINAL
    text = str(error.args[-1]) if error.args else str(error)
    return Failure("dns", f"{host}: {text}", retryable=not isinstance(error, UnicodeError) and code not in final)


def connect_failure(error: OSError) -> Failure:
    """`Failure("reset")` for a connection that the server broke off at once, else `Failure("connect")`."""
    kind = "reset" if isinstance(error, ConnectionResetError) else "connect"
    return Failure(kind, error.strerror or str(error), retryable=True)


def tls_failure(error: ssl.SSLError | ssl.CertificateError) -> Failure:
    """`Failure("tls")` with OpenSSL's reason: "certificate has expired", "self-signed certificate" and so on."""
    reason = getattr(error, "reason", None) or ""
    detail = getattr(error, "verify_message", None) or reason.replace("_", " ").lower() or str(error)
    broke_off = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return Failure("tls", str(detail), retryable=broke_off)
