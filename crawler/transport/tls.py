"""Whom the transports trust."""

import ssl

import certifi

__all__ = ["tls_context"]


def tls_context() -> ssl.SSLContext:
    """Verify certificates and names, trusting the system's authorities and Mozilla's list (certifi).

    Both, because a small container has no system store and a company's own authority is not in Mozilla's.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=certifi.where())
    return context
