"""Who holds most of what hosts share."""

from crawler.core.stats import Holder
from crawler.ring.holders import Held, Shared, holders


def test_the_hosts_with_the_largest_part_of_anything_are_named_with_all_that_they_hold():
    urls = [f"https://a.test:8443/{n}" for n in range(40)] + ["http://b.test/", "http://c.test/", "http://d.test/x"]
    held = Held(urls, {"b.test": 32_000_000, "d.test": 1_000}, {"c.test": 1.9, "b.test": 0.1})
    assert holders(held, Shared(256, 64_000_000, 2)) == (
        Holder("c.test", 1, 0, 1.9),
        Holder("b.test", 1, 32_000_000, 0.1),
        Holder("a.test:8443", 40, 0, 0.0),
    )
    assert holders(Held([], {}, {}), Shared(0, 0, 0)) == ()
