"""How long a polite crawl takes: with its slowest host, with what all hosts share, or until a budget is used up."""

import pytest

from crawler.planning.schedule import HostWork, Machine, schedule

WIDE = Machine(concurrency=256, per_address=32, start_s=0.0)
SLOW = HostWork(requests=360, pages=360, seconds=3_600.0, latency_s=0.1)
QUICK = HostWork(requests=1_000, pages=1_000, seconds=100.0, latency_s=0.1, address="192.0.2.1")


def test_hosts_are_asked_side_by_side_so_the_slowest_one_says_how_long_it_takes():
    plan = schedule([SLOW, QUICK, QUICK], WIDE, max_pages=None, max_time_s=None)
    assert (plan.seconds, plan.pages, plan.limit) == (3_600.0, 2_360, "hosts")


@pytest.mark.parametrize(
    ("machine", "seconds", "limit"),
    [
        (Machine(concurrency=1, per_address=32, start_s=2.0), 302.0, "concurrency"),
        (Machine(concurrency=256, per_address=2, start_s=2.0), 152.0, "per-address"),
        (Machine(concurrency=256, per_address=32, page_s=0.05, start_s=2.0), 152.0, "machine"),
    ],
)
def test_what_all_hosts_share_may_take_longer_than_any_of_them(machine: Machine, seconds: float, limit: str):
    plan = schedule([QUICK] * 3, machine, max_pages=None, max_time_s=None)
    assert (plan.seconds, plan.limit) == (pytest.approx(seconds), limit)


def test_a_budget_of_pages_is_used_up_by_all_hosts_at_their_own_paces():
    """In 50 s the quick host brings 500 pages, and the slow one 5."""
    plan = schedule([SLOW, QUICK], WIDE, max_pages=505, max_time_s=None)
    assert (plan.seconds, plan.pages, plan.limit) == (pytest.approx(50.0), 505, "max-pages")
    assert schedule([SLOW, QUICK], WIDE, max_pages=5_000, max_time_s=None).limit == "hosts"


def test_a_budget_of_time_says_how_many_pages_come_of_it():
    plan = schedule([SLOW, QUICK], WIDE, max_pages=None, max_time_s=1_800.0)
    assert (plan.seconds, plan.pages, plan.limit) == (1_800.0, pytest.approx(1_180), "max-time")


def test_no_host_takes_no_time():
    assert schedule([], WIDE, max_pages=10, max_time_s=None).seconds == 0.0
