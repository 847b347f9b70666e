"""The address guard: nothing but the public Internet, whatever the notation."""

from crawler.fetcher.transport.guard import AddressGuard, is_localhost
from tests.support.table import table

REFUSED = [
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("10.1.2.3", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("169.254.169.254", "link-local"),
    ("100.64.0.1", "carrier-grade NAT"),
    ("100.100.100.200", "carrier-grade NAT"),
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "unspecified"),
    ("168.63.129.16", "cloud host"),
    ("192.0.0.192", "reserved"),
    ("192.0.2.1", "documentation"),
    ("198.18.0.1", "benchmarking"),
    ("198.51.100.1", "documentation"),
    ("203.0.113.1", "documentation"),
    ("192.88.99.1", "reserved"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.250", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("::1", "loopback"),
    ("::", "unspecified"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("fc00::1", "unique local"),
    ("fd00:ec2::254", "unique local"),
    ("fec0::1", "site-local"),
    ("ff02::1", "multicast"),
    ("2001:db8::1", "documentation"),
    ("3fff::1", "documentation"),
    ("100::1", "reserved"),
    ("5f00::1", "reserved"),
    ("4000::1", "reserved"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:7f00:1", "loopback"),
    ("::ffff:10.0.0.1", "private"),
    ("::ffff:169.254.169.254", "link-local"),
    ("::127.0.0.1", "loopback"),
    ("64:ff9b::7f00:1", "loopback"),
    ("64:ff9b::10.0.0.1", "private"),
    ("64:ff9b:1::808:808", "local NAT64"),
    ("2002:7f00:1::1", "loopback"),
    ("2002:a00:1::1", "private"),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "reserved"),
    ("", "not an IP"),
    ("localhost", "not an IP"),
    ("0x7f.1", "not an IP"),
    ("2130706433", "not an IP"),
    ("127.1", "not an IP"),
]

ALLOWED = [
    "8.8.8.8",
    "1.1.1.1",
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "169.253.1.1",
    "192.167.1.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:82a::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]


@table(("address", "reason"), REFUSED)
def test_an_address_off_the_public_internet_is_refused_with_its_reason(address, reason):
    refusal = AddressGuard(False).refuses(address)
    assert refusal is not None
    assert refusal.startswith(reason)


@table("address", ALLOWED)
def test_a_public_address_passes(address):
    assert AddressGuard(False).refuses(address) is None


@table("address", [address for address, _ in REFUSED])
def test_allow_private_opens_everything(address):
    assert AddressGuard(True).refuses(address) is None


NETWORKS = ("10.1.0.0/16", "127.0.0.2", "fd00::/8", "fe80::/10", "64:ff9b::/96", "2002::/16", "::/96")


@table(
    ("address", "reason"),
    [
        ("10.1.2.3", None),
        ("10.2.0.1", "private"),
        ("127.0.0.2", None),
        ("127.0.0.1", "loopback"),
        ("169.254.169.254", "link-local"),
        ("fd12::1", None),
        ("fe80::1%eth0", None),
        ("fc00::1", "unique local"),
        # An address with an IPv4 address inside leads there, so that one decides, whatever network holds the outer one.
        ("::ffff:10.1.2.3", None),
        ("::ffff:10.2.0.1", "private address (10.2.0.1 inside"),
        ("64:ff9b::10.1.2.3", None),
        ("64:ff9b::127.0.0.1", "loopback address (127.0.0.1 inside"),
        ("2002:a01:203::1", None),
        ("2002:a02:1::1", "private address (10.2.0.1 inside"),
        ("::127.0.0.1", "loopback"),
        ("::1", None),
        ("8.8.8.8", None),
        ("::ffff:8.8.8.8", None),
        ("2606:4700:4700::1111", None),
        ("10.1.2", "not an IP"),
    ],
)
def test_networks_open_their_own_addresses_and_no_other(address, reason):
    refusal = AddressGuard(NETWORKS).refuses(address)
    assert refusal is None if reason is None else refusal is not None and refusal.startswith(reason)


@table(("address", "reason"), REFUSED)
def test_no_network_opens_nothing(address, reason):
    assert AddressGuard(()).refuses(address) == AddressGuard().refuses(address) is not None


@table(
    ("name", "is_it"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("site07.localhost", True),
        ("a.b.localhost.", True),
        ("localhost.example", False),
        ("notlocalhost", False),
        ("127.0.0.1", False),
    ],
)
def test_localhost_and_all_names_below_it_are_loopback(name, is_it):
    assert is_localhost(name) is is_it
