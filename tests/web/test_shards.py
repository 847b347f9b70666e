"""A registrable domain has one owner, whatever host, port and scheme, and it stays the same for good."""

import pytest

from crawler.web.shards import Owners, owner


@pytest.mark.parametrize(
    "urls",
    [
        ("http://example.co.uk/", "https://www.example.co.uk:8443/a?b=c", "http://deep.down.example.co.uk/x"),
        ("http://one.github.io/", "http://two.github.io/"),
        ("http://a.demo.localhost:8000/", "http://b.demo.localhost:8001/", "http://demo.localhost/"),
        ("http://192.0.2.7/", "https://192.0.2.7:8443/a"),
        ("http://[2001:db8::1]/", "http://[2001:db8::1]:8080/"),
        ("http://intranet/", "http://intranet:81/"),
    ],
)
def test_all_of_a_domain_has_one_owner(urls):
    for of in (1, 2, 7, 64):
        owners = Owners(of)
        assert len({owners.owner(url) for url in urls}) == 1
        assert [owners.owner(url) for url in urls] == [owner(url, of) for url in urls]


def test_owners_are_the_same_on_every_machine_and_for_good():
    """A job that was begun goes on with the owners that it had: another hash here would break it."""
    assert [owner(f"http://site-{number}.example/", 64) for number in range(6)] == [15, 4, 57, 16, 33, 59]


def test_domains_are_dealt_out_evenly():
    owners = Owners(8)
    dealt = [owners.owner(f"https://www.shop{number}.test/") for number in range(8_000)]
    assert all(850 < dealt.count(number) < 1_150 for number in range(8))
