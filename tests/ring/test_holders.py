"""Who holds most of what hosts share."""

from crawler.core.stats import Holder
from crawler.parsers.busiest import Busiest
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


def test_the_hosts_are_known_at_whose_pages_parsers_are():
    """A page of 50 ms four times a second is a fifth of a parser, and forgotten after a minute."""
    busiest = Busiest()
    for tick in range(400):
        busiest.learn("slow.test", 0.05, tick / 4)
        busiest.learn("quick.test", 0.001, tick / 4)
    busiest.learn("once.test", 2.0, 100.0)
    found = busiest.first(100.0, 2)
    assert list(found) == ["slow.test", "once.test"]
    assert abs(found["slow.test"] - 0.2) < 0.02
    assert busiest.first(160.0)["slow.test"] < 0.01


def test_no_more_than_a_thousand_hosts_are_remembered():
    busiest = Busiest()
    for number in range(3_000):
        busiest.learn(f"{number}.test", 1.0, float(number))
    assert len(busiest.first(3_000.0, 5_000)) == 1_000
