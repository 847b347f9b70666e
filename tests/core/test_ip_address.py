"""IP addresses, packed and as text."""

from crawler.core.ip_address import address_text, packed_address


def test_an_address_is_packed_into_as_many_bytes_as_it_has():
    cases = {
        "192.0.2.7": "192.0.2.7",
        "2001:db8::1": "2001:db8::1",
        "2001:0DB8:0::1": "2001:db8::1",
        "fe80::1%eth0": "fe80::1",
        "": "",
        "no address": "",
    }
    assert {text: address_text(packed_address(text)) for text in cases} == cases
    assert packed_address(None) == b""
    assert [len(packed_address(text)) for text in ("192.0.2.7", "::1", "")] == [4, 16, 0]
