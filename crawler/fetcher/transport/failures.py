"""What the errors of sockets, TLS and resolvers mean: each becomes a `Failure` with one line of detail."""

import os
import socket
import ssl

from crawler.core.model import Failure
from crawler.fetcher.transport.headers import CONTROLS

__all__ = ["NO_ROOM", "STOOD_STILL", "connect_failure", "dns_failure", "one_line", "tls_failure"]

# Values of c-ares (ares.h, part of its ABI): no data, no such name, bad name.
_ARES_FINAL = frozenset({1, 4, 8})
_EAI_FINAL = frozenset(
    value
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY", "EAI_FAMILY")
    if (value := getattr(socket, name, None)) is not None
)

# Verification codes of OpenSSL (openssl/x509_vfy.h, part of its ABI).
_VERIFY_NAMES: dict[int | None, str] = {
    2: "unknown issuer",  # the issuer's certificate is not there
    9: "not yet valid",
    10: "expired",
    18: "self-signed",
    19: "unknown issuer",  # the chain ends in an authority that is not trusted
    20: "unknown issuer",
    21: "unknown issuer",
    62: "wrong name",
    63: "wrong name",  # an e-mail address
    64: "wrong name",  # an IP address
}

STOOD_STILL = Failure(
    "timeout", "the body stood still, and others waited", retryable=True, answered=True, gave_way=True
)
NO_ROOM = Failure("memory", "there was no room for the body", retryable=True, answered=True, gave_way=True)
"""What a download comes to that has to make room in the budget of bytes, and waited itself: not its server's fault."""


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
    # asyncio writes the address where the system's words stand: `Connect call failed ('127.0.0.1', 80)`.
    return Failure(kind, os.strerror(error.errno) if error.errno else str(error), retryable=True)


def tls_failure(error: Exception) -> Failure:
    """`Failure("tls: …")` with a short name of what is wrong; `detail` has OpenSSL's words, names and all.

    Names that are ours: `expired`, `not yet valid`, `self-signed`, `wrong name`, `unknown issuer`. Other ones are
    OpenSSL's constants, of which there are some hundreds: `wrong version number`, `unsupported protocol` and so on.
    """
    reason = one_line((getattr(error, "reason", None) or "").replace("_", " ").lower())
    code = getattr(error, "verify_code", None)
    message = one_line(getattr(error, "verify_message", None) or "")
    # A message about a certificate may quote the host's name, but not those that have no name of ours.
    what = _VERIFY_NAMES.get(code) or message.lower() or reason or "broken"
    broke_off = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return Failure(f"tls: {what}", message or reason or one_line(str(error)), retryable=broke_off)
