"""Which IP addresses may be connected to. Pure: the transports ask where they make a socket.

Only there, not at the URL and not at the name: an IP literal never passes a resolver, a name may resolve to
anything, and to something else the next time. The address asked about is the one that is connected to.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from crawler.fetcher.transport.address_block import inner_ipv4

__all__ = ["LOOPBACK_ADDRESSES", "AddressGuard", "is_localhost"]

LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")
"""What the name `localhost`, and every name below it, stands for."""

# IANA's special-purpose registries (RFC 6890 and its updates, as of 2026). Written out because `is_global` of Python
# 3.11 calls several of these public, multicast among them. Most likely reasons first.
_IPV4 = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        ("127.0.0.0/8", "loopback address"),
        ("10.0.0.0/8", "private address"),
        ("172.16.0.0/12", "private address"),
        ("192.168.0.0/16", "private address"),
        ("169.254.0.0/16", "link-local address"),
        ("100.64.0.0/10", "carrier-grade NAT address"),
        ("0.0.0.0/8", "unspecified address"),
        ("168.63.129.16/32", "cloud host address"),  # public by number, but answered by the hypervisor (Azure)
        ("192.0.0.0/24", "reserved address"),
        ("192.0.2.0/24", "documentation address"),
        ("192.88.99.0/24", "reserved address"),
        ("198.18.0.0/15", "benchmarking address"),
        ("198.51.100.0/24", "documentation address"),
        ("203.0.113.0/24", "documentation address"),
        ("224.0.0.0/4", "multicast address"),
        ("255.255.255.255/32", "broadcast address"),
        ("240.0.0.0/4", "reserved address"),
    )
)
_IPV6 = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        ("::1/128", "loopback address"),
        ("::/128", "unspecified address"),
        ("fe80::/10", "link-local address"),
        ("fc00::/7", "unique local address"),
        ("fec0::/10", "site-local address"),
        ("ff00::/8", "multicast address"),
        ("64:ff9b:1::/48", "local NAT64 address"),  # RFC 8215: leads into a private network by definition
        ("2001:db8::/32", "documentation address"),
        ("3fff::/20", "documentation address"),
        ("2001::/23", "reserved address"),  # Teredo and other protocol assignments
    )
)
_IPV6_GLOBAL = IPv6Network("2000::/3")


class AddressGuard:
    """Refuses every address that is not on the public Internet, but those that `allow_private` opens.

    `allow_private`: all of them (True), none (False), or those in these networks (`10.0.0.0/8`, `fd00::/8`). An IPv6
    address that leads to an IPv4 address inside it (mapped, NAT64, 6to4) is judged by that one alone.
    """

    def __init__(self, allow_private: bool | tuple[str, ...] = False) -> None:
        self._open_to_all = allow_private is True
        self._networks = () if isinstance(allow_private, bool) else tuple(ip_network(name) for name in allow_private)

    def refuses(self, address: str) -> str | None:
        """Why `address` (IP text, an IPv6 zone allowed) must not be connected to, or None if it may be."""
        if self._open_to_all:
            return None
        try:
            ip = ip_address(address)
        except ValueError:
            return "not an IP address"
        inner = None if isinstance(ip, IPv4Address) else inner_ipv4(ip)
        target = inner or ip
        # A 6to4 relay or translator may forward it: no worse than the IPv4 address within.
        reason = _refusal4(target) if isinstance(target, IPv4Address) else _refusal6(target)
        if reason is None or any(target in network for network in self._networks):
            return None
        return reason if inner is None else f"{reason} ({inner} inside {ip})"


def _refusal4(ip: IPv4Address) -> str | None:
    for network, reason in _IPV4:
        if ip in network:
            return reason
    return None


def _refusal6(ip: IPv6Address) -> str | None:
    for network, reason in _IPV6:
        if ip in network:
            return reason
    return None if ip in _IPV6_GLOBAL else "reserved address"


def is_localhost(host: str) -> bool:
    """Whether a name is `localhost` or below it: loopback without asking any server (RFC 6761 §6.3)."""
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")
