"""A holder asks nobody once its lease can have run out, whatever answers come late, twice or in any order."""

from crawler.shards.lease import Lease, boot_time
from crawler.shards.messages import Orders

GIVEN = Orders(lease_s=10.0)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_lease_lasts_from_when_the_report_was_sent_not_from_when_it_was_answered():
    clock = Clock()
    lease = Lease(10.0, clock)
    assert not lease.may_ask()
    sent = lease.sending()
    clock.now += 8
    lease.renew(sent, GIVEN)
    assert lease.may_ask()
    assert lease.left_s == 2
    clock.now += 2
    assert not lease.may_ask()
    assert lease.left_s == 0


def test_an_older_answer_that_comes_later_shortens_nothing():
    clock = Clock()
    lease = Lease(10.0, clock)
    first, clock.now = lease.sending(), clock.now + 5
    second = lease.sending()
    lease.renew(second, GIVEN)
    lease.renew(first, GIVEN)
    assert lease.left_s == 10


def test_an_answer_that_renews_nothing_leaves_what_there_is_and_says_that_somebody_is_there():
    clock = Clock()
    lease = Lease(10.0, clock)
    lease.renew(lease.sending(), GIVEN)
    clock.now += 25
    lease.renew(lease.sending(), Orders(lease_s=0.0))
    assert not lease.may_ask()
    clock.now += 29
    assert not lease.is_lost
    clock.now += 2
    assert lease.is_lost


def test_what_was_lost_or_given_back_does_not_come_back():
    clock = Clock()
    lost, given_back = Lease(10.0, clock), Lease(10.0, clock)
    for lease in (lost, given_back):
        lease.renew(lease.sending(), GIVEN)
    lost.renew(lost.sending(), Orders(do="end"))
    given_back.give_back()
    for lease in (lost, given_back):
        lease.renew(lease.sending(), GIVEN)
        assert not lease.may_ask()
    assert lost.is_lost
    assert not given_back.is_lost


def test_the_clock_goes_on():
    before = boot_time()
    assert boot_time() >= before
