"""Whom the transports trust."""

import ssl
from pathlib import Path

import certifi

from crawler.errors import ConfigError

__all__ = ["tls_context"]


def tls_context(*, insecure: bool = False, ca_bundle: Path | None = None) -> ssl.SSLContext:
    """Verify certificates and names, trusting the system's authorities and Mozilla's list (certifi).

    Both, because a small container has no system store and a company's own authority is not in Mozilla's.
    `ca_bundle` is a PEM file of authorities that are trusted as well. `insecure` accepts every certificate: expired,
    for another name, signed by anybody. Raises `ConfigError` for a bundle that cannot be read or has no certificate.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=certifi.where())
    if ca_bundle is not None:
        _check(ca_bundle)
        context.load_verify_locations(cafile=ca_bundle)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _check(bundle: Path) -> None:
    """Load it by itself first: OpenSSL does not say what it took, and a list of revocations is a PEM file too."""
    alone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    advice = "name a PEM file of certificates"
    try:
        alone.load_verify_locations(cafile=bundle)
    except ssl.SSLError as error:
        raise ConfigError(f"ca_bundle: {bundle} has no certificate that can be read; {advice}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"ca_bundle: cannot read {bundle}: {reason}; {advice}") from error
    if not alone.cert_store_stats()["x509"]:
        raise ConfigError(f"ca_bundle: {bundle} has no certificate in it; {advice}")
