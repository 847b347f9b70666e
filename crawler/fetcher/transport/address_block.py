"""What an IP address counts as for the limit per address: one network's machine, however it is written. Pure."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

__all__ = ["address_block", "inner_ipv4"]

_BLOCK_BITS: Final = 64
_NAT64: Final = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE: Final = IPv6Network("::/96")


def address_block(address: str) -> str:
    """Return what `address` (IP text) counts as: an IPv4 address for itself, an IPv6 address for its /64.

    A /64 is the least that anybody is given (RFC 4291 §2.5.4, RFC 6177): one machine may answer at all of its 2⁶⁴
    addresses. An IPv6 address that leads to an IPv4 address counts as that one. Other text counts for itself.
    """
    if ":" not in address:
        return address
    try:
        ip = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    inner = inner_ipv4(ip)
    return str(inner or IPv6Network((int(ip), _BLOCK_BITS), strict=False))


def inner_ipv4(ip: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that a packet to `ip` ends up at, where the format says so; else None."""
    if ip.ipv4_mapped is not None:  # RFC 4291 §2.5.5.2
        return ip.ipv4_mapped
    if ip.sixtofour is not None:  # RFC 3056
        return ip.sixtofour
    if ip in _NAT64:  # RFC 6052
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip in _IPV4_COMPATIBLE and int(ip) > 1:  # RFC 4291 §2.5.5.1, deprecated
        return IPv4Address(int(ip))
    return None
