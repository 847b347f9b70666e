"""Whom the transports trust."""

import ssl
from functools import cached_property
from pathlib import Path

import certifi

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.fetcher.transport.sessions import ResumedObject

__all__ = ["LazyTls", "tls_context"]


class LazyTls:
    """The context of one transport, made when it is first asked for: it takes 50 ms, and many crawls need none.

    With a `ca_bundle` it is made at once, so that a bad one is told before the first page.
    """

    def __init__(self, config: CrawlConfig) -> None:
        self._config = config
        if config.ca_bundle is not None:
            _ = self.context

    @cached_property
    def context(self) -> ssl.SSLContext:
        """What `tls_context` gives for the configuration."""
        return tls_context(insecure=self._config.insecure, ca_bundle=self._config.ca_bundle)


def tls_context(*, insecure: bool = False, ca_bundle: Path | None = None) -> ssl.SSLContext:
    """Verify certificates and names, trusting the system's authorities and Mozilla's list (certifi).

    Both, because a small container has no system store and a company's own authority is not in Mozilla's.
    A name counts if it stands in subjectAltName: a certificate that has its name in the subject alone is for no name
    (RFC 9525 §6.3), as in browsers.
    Connections begin with the session that is offered to them (`transport.sessions`).
    `ca_bundle` is a PEM file of authorities that are trusted as well. `insecure` accepts every certificate: expired,
    for another name, signed by anybody. Raises `ConfigError` for a bundle that cannot be read or has no certificate.
    """
    context = ssl.create_default_context()
    context.sslobject_class = ResumedObject
    context.hostname_checks_common_name = False
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
