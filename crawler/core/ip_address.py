"""IP addresses as they are kept: packed, 4 or 16 bytes. Pure."""

import socket

__all__ = ["address_text", "packed_address"]


def packed_address(text: str | None) -> bytes:
    """Return an IP address (text, with or without a zone) as 4 or 16 bytes; b"" for None and for what is none."""
    if not text:
        return b""
    try:
        return socket.inet_pton(socket.AF_INET6, text.partition("%")[0]) if ":" in text else socket.inet_aton(text)
    except OSError:
        return b""


def address_text(packed: bytes) -> str:
    """Return a packed IP address as text; "" for b""."""
    if not packed:
        return ""
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
