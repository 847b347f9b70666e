"""What pages cost the parsers: who is quick, who is doubtful, who waits for what its pages have cost."""

import pytest

from crawler.parsers.costs import Costs, Lately, neighbourhood


def parsed(costs: Costs, host: str, seconds: float, size: int = 0) -> float:
    """Have a page of a host come and go; return the seconds for which the host is not to be asked."""
    costs.entered(host)
    try:
        return costs.took(host, seconds, size)
    finally:
        costs.left(host)


def test_a_host_is_quick_once_a_page_of_its_own_was_and_no_longer_when_one_is_slow():
    costs = Costs(2)
    assert not costs.is_quick("a.test")
    parsed(costs, "a.test", 0.002)
    assert costs.is_quick("a.test")
    assert not costs.is_quick("a.test", 3_000_000)  # nobody knows what a page of that size takes
    parsed(costs, "a.test", 2.0)
    assert not costs.is_quick("a.test")
    for _ in range(20):
        parsed(costs, "a.test", 0.002)
    assert costs.is_quick("a.test")


def test_one_that_brings_large_pages_is_not_quick_whatever_they_take():
    costs = Costs(2)
    parsed(costs, "a.test", 0.05, 2_100_000)
    assert not costs.is_quick("a.test")


def test_a_host_that_has_the_parsers_to_itself_waits_for_nothing():
    costs = Costs(1)
    assert [parsed(costs, "a.test", seconds) for seconds in (0.3, 2.0, 20.0)] == [0.0, 0.0, 0.0]


def test_a_slow_page_counts_as_often_as_others_have_pages_here():
    costs = Costs(2)
    for number in range(10):
        costs.entered(f"h{number}.test")
    assert parsed(costs, "slow.test", 2.0) == pytest.approx(2.0 * 10 / 2)
    assert parsed(costs, "quick.test", 0.005) == 0.0
    for number in range(10):
        costs.left(f"h{number}.test")
    assert parsed(costs, "slow.test", 2.0) == 0.0


def test_a_host_of_slow_pages_has_few_of_them_in_the_pool_and_a_quick_one_many():
    costs = Costs(2)
    for host, seconds in (("slow.test", 2.0), ("quick.test", 0.002)):
        parsed(costs, host, seconds)
        for _ in range(4):
            costs.entered(host)
    assert costs.has_its_share("slow.test")
    assert not costs.has_its_share("quick.test")
    for _ in range(8):
        assert not costs.has_its_share("new.test")
        costs.entered("new.test")
    assert costs.has_its_share("new.test")


def test_each_page_that_kills_its_parser_makes_its_host_wait_for_twice_as_long_up_to_a_minute():
    costs = Costs(2)
    waits = []
    for _ in range(8):
        costs.entered("a.test")
        waits.append(costs.killed("a.test", 0.0))
        costs.left("a.test")
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    costs.entered("a.test")
    assert costs.has_its_share("a.test")
    for _ in range(40):
        costs.took("a.test", 0.002)
    assert costs.killed("a.test", 0.0) == 1


def test_as_long_as_nothing_is_known_of_a_host_its_neighbours_speak_for_it():
    costs = Costs(2)
    assert not costs.is_doubtful("h2.bad.test")
    parsed(costs, "h1.bad.test", 1.0)
    assert costs.is_doubtful("h2.bad.test")
    assert not costs.is_doubtful("h2.good.test")
    parsed(costs, "h2.bad.test", 0.002)
    assert not costs.is_doubtful("h2.bad.test")


def test_where_hosts_were_quick_and_then_killed_parsers_others_have_more_to_prove():
    costs = Costs(2)
    for host in ("h1.bad.test", "h2.bad.test", "h3.good.test"):
        parsed(costs, host, 0.002)
    costs.entered("h1.bad.test")
    costs.suspected("h1.bad.test")
    assert not costs.is_quick("h2.bad.test")
    assert costs.is_quick("h3.good.test")
    costs.took("h1.bad.test", 0.002)  # it was another page of that batch
    assert costs.is_quick("h2.bad.test")
    costs.suspected("h1.bad.test")
    costs.killed("h1.bad.test", 0.0)
    for _ in range(7):
        parsed(costs, "h2.bad.test", 0.002)
        assert not costs.is_quick("h2.bad.test")
    parsed(costs, "h2.bad.test", 0.002)
    assert costs.is_quick("h2.bad.test")


def test_when_pages_of_quick_hosts_wait_less_counts_as_quick():
    costs = Costs(2)
    parsed(costs, "a.test", 0.15)
    parsed(costs, "b.test", 0.005)
    for _ in range(10):
        costs.shorten()
    assert (costs.is_quick("a.test"), costs.is_quick("b.test")) == (False, True)
    for _ in range(10):
        costs.relax()
    assert costs.is_quick("a.test")


def test_what_is_known_of_hosts_is_bounded_but_for_those_with_pages_here():
    costs = Costs(1)
    costs.entered("first.test")
    for number in range(25_000):
        parsed(costs, f"h{number}.test", 0.3)
    assert len(costs._hosts) <= 10_001
    assert len(costs._near) <= 2_001
    costs.left("first.test")


def test_in_the_crawls_own_process_a_slow_page_counts_as_often_as_others_had_pages_lately():
    lately = Lately(1)
    assert lately.took("a.test", 2.0, 0.0) == 0.0
    for number in range(5):
        assert lately.took(f"h{number}.test", 0.01, 1.0) == 0.0
    assert lately.took("a.test", 2.0, 3.0) == pytest.approx(10.0)
    assert lately.took("a.test", 2.0, 30.0) == 0.0


def test_neighbours_share_a_network_or_a_domain():
    table = {
        "127.0.0.1": "127.0.0",
        "127.0.0.9:8080": "127.0.0",
        "h1.bad.test": "bad.test",
        "h1.bad.test:8080": "bad.test",
        "a.b.bad.test": "bad.test",
        "bad.test": "bad.test",
        "www.shop.co.uk": "shop.co.uk",
        "www.example.de": "example.de",
        "localhost:80": "localhost",
    }
    assert {host: neighbourhood(host) for host in table} == table
    assert neighbourhood("[2001:db8::1]:80") == neighbourhood("[2001:db8::ffff]")
    assert neighbourhood("[2001:db8::1]") != neighbourhood("[2001:db8:0:1::1]")
    assert neighbourhood("[nonsense]") == "[nonsense]"
