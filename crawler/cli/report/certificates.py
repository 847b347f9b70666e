"""Which failures of TLS a setting of certificates could mend, and which say that there was no TLS at all: pure.

The names are those of `fetcher/transport/failures.py`: five of ours for certificates, else the words of OpenSSL.
"""

__all__ = ["NO_TLS", "TLS", "is_of_certificate", "is_without_tls"]

TLS = "failed: tls: "
"""How the outcomes of such failures begin."""

NO_TLS = "the server does not speak TLS on this port: is it http:// rather than https:// ?"
"""What to do about that."""

_OURS = ("expired", "not yet valid", "self-signed", "wrong name", "unknown issuer")
_IN_WORDS = ("cert", "issuer", "verif", "purpose", "path length")
_PLAIN_TEXT = ("wrong version number", "record layer failure", "packet length too long", "http request")
"""What OpenSSL says when it reads plain text: the first bytes of an answer of HTTP are no record of TLS."""


def is_of_certificate(kind: str) -> bool:
    """Whether a kind of outcome is a certificate that was not good enough."""
    what = kind.removeprefix(TLS)
    return kind.startswith(TLS) and (what in _OURS or any(word in what for word in _IN_WORDS))


def is_without_tls(kind: str) -> bool:
    """Whether a kind of outcome says that the server speaks plain text where TLS was expected."""
    return kind.startswith(TLS) and kind.removeprefix(TLS) in _PLAIN_TEXT
