import heapq
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crawler.fetcher.clock import MAX_DELAY_S
from crawler.fetcher.politeness import Politeness
from crawler.web.host_state import HostClock


def fetch(clocks, host, now, latency_s=0.0, answer="answered", wait_s=None):
    """One request, start to end."""
    assert clocks.ready_at(host, now) == now
    clocks.started(host, now)
    clocks.finished(host, now + latency_s, latency_s, answer, wait_s)
    return now + latency_s


def test_unknown_host_may_start_at_once():
    clocks = Politeness(2, 32, None)
    assert clocks.ready_at("a", 5.0) == 5.0
    assert clocks.delay_s("a") == 0.1
    assert clocks.snapshot("a", 5.0) is None
    assert clocks.forget("a", 5.0)


def test_what_holds_a_host_is_named():
    clocks = Politeness(2, 3, None)
    assert clocks.held_by("a", 0.0) == ""
    for host in ("a", "b", "c"):
        clocks.set_address(host, "192.0.2.1")
    clocks.started("a", 0.0)
    assert clocks.held_by("a", 0.05) == "delay"
    clocks.started("a", 1.0)
    assert clocks.held_by("a", 9.0) == "per-host"
    clocks.started("b", 1.0)
    clocks.ready_at("c", 9.0)
    assert (clocks.held_by("b", 9.0), clocks.held_by("c", 9.0)) == ("", "per-address")
    clocks.set_crawl_delay("b", 20.0)
    assert clocks.held_by("b", 9.0) == "Crawl-delay"
    clocks.finished("b", 9.0, 0.1, "slow_down", 60.0)
    assert clocks.held_by("b", 10.0) == "Retry-After or back-off"


def test_a_host_waits_for_what_its_pages_cost_one_after_the_other_for_a_minute_at_most():
    clocks = Politeness(2, 32, None)
    clocks.clock("a").charge(10.0, 5.0)
    assert (clocks.ready_at("a", 10.0), clocks.held_by("a", 10.0)) == (15.0, "parsers")
    clocks.clock("a").charge(11.0, 5.0)
    assert clocks.ready_at("a", 11.0) == 20.0
    assert not clocks.forget("a", 11.0)
    assert clocks.snapshot("a", 11.0).wait_s == 9.0
    clocks.clock("a").charge(12.0, 1e9)
    assert clocks.ready_at("a", 12.0) == 72.0
    assert clocks.ready_at("a", 80.0) == 80.0
    assert clocks.held_by("a", 80.0) == ""


@pytest.mark.parametrize(("latency_s", "expected"), [(0.001, 0.1), (0.1, 0.1), (2.0, 2.0), (25.0, 10.0)])
def test_auto_delay_is_the_latency_within_bounds(latency_s, expected):
    clocks = Politeness(2, 32, None)
    fetch(clocks, "a", 0.0, latency_s)
    assert clocks.delay_s("a") == expected
    assert clocks.ready_at("a", 0.0) == expected


def test_auto_delay_follows_the_latency_smoothly():
    clocks = Politeness(2, 32, None)
    now = fetch(clocks, "a", 0.0, 1.0)
    fetch(clocks, "a", now, 5.0)
    assert clocks.delay_s("a") == 2.0


def test_fixed_delay_does_not_follow_the_latency():
    clocks = Politeness(2, 32, 3.0)
    fetch(clocks, "a", 0.0, 9.0)
    assert clocks.ready_at("a", 1.0) == 3.0


def test_no_delay_still_backs_off_and_keeps_crawl_delay_and_retry_after():
    clocks = Politeness(1, 32, 0.0)
    now = fetch(clocks, "a", 0.0)
    assert clocks.ready_at("a", now) == now
    fetch(clocks, "a", now, answer="slow_down")
    assert clocks.ready_at("a", now) == now + 1.0
    fetch(clocks, "b", 0.0, wait_s=100.0)
    assert clocks.ready_at("b", 0.0) == 100.0
    clocks.set_crawl_delay("c", 7.0)
    fetch(clocks, "c", 0.0)
    assert clocks.ready_at("c", 0.0) == 7.0


@pytest.mark.parametrize("answer", ["slow_down", "unanswered"])
def test_back_off_doubles_to_a_bound_and_good_answers_decay_it(answer):
    clocks = Politeness(1, 32, None)
    now = 0.0
    delays = []
    for _ in range(9):
        fetch(clocks, "a", now, answer=answer)
        delays.append(clocks.delay_s("a"))
        now = clocks.ready_at("a", now)
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    for _ in range(40):
        before = clocks.delay_s("a")
        fetch(clocks, "a", now, 0.05)
        assert clocks.delay_s("a") < before or before == 0.1
        now = clocks.ready_at("a", now)
    assert clocks.delay_s("a") == 0.1


def test_a_burst_that_fails_together_doubles_once():
    clocks = Politeness(32, 32, 0.0)
    for _ in range(32):
        clocks.started("a", 0.0)
    for _ in range(31):
        clocks.finished("a", 0.1, 0.1, "slow_down")
    clocks.finished("a", 0.1, 0.1, "answered")
    assert clocks.delay_s("a") == 1.0
    assert clocks.ready_at("a", 0.1) == 1.1


def test_the_largest_crawl_delay_wins_and_nonsense_is_ignored():
    clocks = Politeness(1, 32, 2.0)
    for delay_s, expected in ((1.0, 2.0), (9.0, 9.0), (5.0, 9.0), (-1.0, 9.0), (float("nan"), 9.0)):
        clocks.set_crawl_delay("a", delay_s)
        assert clocks.delay_s("a") == expected


def test_crawl_delay_may_be_longer_than_back_off_ever_gets():
    clocks = Politeness(1, 32, None)
    clocks.set_crawl_delay("a", 600.0)
    fetch(clocks, "a", 0.0, answer="slow_down")
    assert clocks.delay_s("a") == 600.0


def test_a_broken_connection_changes_no_delay():
    """A reset says nothing about speed: with --delay 0 the next request may start at once."""
    clocks = Politeness(1, 32, 0.0)
    fetch(clocks, "a", 0.0, answer="broken")
    assert clocks.ready_at("a", 0.0) == 0.0
    assert clocks.delay_s("a") == 0.0


def test_what_is_in_flight_joins_the_address_once_it_is_known():
    clocks = Politeness(2, 2, 0.0)
    clocks.started("a", 0.0)
    clocks.started("a", 0.0)
    assert clocks.ready_at("b", 0.0) == 0.0
    clocks.set_address("a", "ip")
    clocks.set_address("b", "ip")
    assert clocks.ready_at("b", 0.0) is None
    clocks.finished("a", 0.0, 0.0, "answered")
    assert clocks.called(0.0) == ["b"]
    assert clocks.ready_at("b", 0.0) == 0.0


def test_a_host_that_moves_to_another_address_frees_the_old_one():
    clocks = Politeness(2, 1, 0.0)
    for host in ("a", "b"):
        clocks.set_address(host, "ip")
    clocks.started("a", 0.0)
    assert clocks.ready_at("b", 0.0) is None
    clocks.set_address("a", "other")
    assert clocks.called(0.0) == ["b"]
    clocks.set_address("c", "other")
    assert clocks.ready_at("c", 0.0) is None


def test_nobody_in_line_for_an_address_is_overtaken():
    clocks = Politeness(1, 1, 0.0)
    for host in "abc":
        clocks.set_address(host, "ip")
    clocks.started("a", 0.0)
    assert clocks.ready_at("b", 0.0) is None
    assert clocks.ready_at("c", 0.0) is None
    clocks.finished("a", 1.0, 0.0, "answered")
    assert clocks.ready_at("a", 1.0) is None, "b and c came first"
    assert clocks.called(1.0) == ["b"]
    assert clocks.ready_at("a", 1.0) is None
    assert clocks.ready_at("b", 1.0) == 1.0
    clocks.started("b", 1.0)
    assert clocks.called(1.0) == []
    clocks.finished("b", 2.0, 0.0, "answered")
    assert clocks.called(2.0) == ["c"]


def test_a_host_that_does_not_use_its_turn_delays_nobody():
    clocks = Politeness(1, 1, 0.0)
    for host in "abc":
        clocks.set_address(host, "ip")
    clocks.started("a", 0.0)
    assert clocks.ready_at("b", 0.0) is None
    clocks.finished("a", 1.0, 0.0, "answered")
    assert clocks.called(1.0) == ["b"]
    assert clocks.ready_at("c", 1.0) is None
    assert clocks.called(1.0) == ["c"]
    assert clocks.called(1.0) == []
    assert clocks.ready_at("a", 1.0) == 1.0


def test_a_host_whose_own_clock_moved_on_in_line_gives_its_turn_to_the_next():
    clocks = Politeness(2, 2, 0.0)
    for host in "abc":
        clocks.set_address(host, "ip")
    clocks.started("a", 0.0)
    clocks.started("b", 0.0)
    assert clocks.ready_at("b", 0.0) is None
    assert clocks.ready_at("c", 0.0) is None
    clocks.finished("b", 1.0, 0.0, "slow_down", 500.0)
    assert clocks.called(1.0) == ["b", "c"]
    assert clocks.ready_at("b", 1.0) == 501.0
    assert clocks.ready_at("c", 1.0) == 1.0


def test_hosts_with_their_own_limit_reached_do_not_stand_in_line():
    clocks = Politeness(1, 1, 0.0)
    clocks.set_address("a", "ip")
    clocks.started("a", 0.0)
    assert clocks.ready_at("a", 0.0) is None
    clocks.finished("a", 0.0, 0.0, "answered")
    assert clocks.called(0.0) == []
    assert clocks.ready_at("a", 0.0) == 0.0


def test_forget_keeps_what_still_matters():
    clocks = Politeness(1, 1, 2.0)
    for host in "ab":
        clocks.set_address(host, "ip")
    clocks.started("a", 0.0)
    assert not clocks.forget("a", 9.0), "in flight"
    assert clocks.ready_at("b", 0.0) is None
    assert not clocks.forget("b", 9.0), "in line"
    clocks.finished("a", 1.0, 1.0, "answered")
    assert not clocks.forget("a", 1.0), "delay"
    assert clocks.forget("a", 2.0)
    assert clocks.called(2.0) == ["b"]
    assert clocks.forget("b", 2.0)
    assert repr(clocks) == "Politeness(0 hosts, 0 addresses, 0 in flight)"


def test_snapshot_is_only_of_what_is_out_of_the_ordinary():
    clocks = Politeness(1, 32, None)
    fetch(clocks, "a", 0.0)
    assert clocks.snapshot("a", 0.0) is None
    fetch(clocks, "b", 0.0, wait_s=50.0)
    assert clocks.snapshot("b", 10.0) == HostClock(0.1, 40.0)
    assert clocks.snapshot("b", 50.0) is None
    fetch(clocks, "c", 0.0, answer="slow_down")
    assert clocks.snapshot("c", 9.0) == HostClock(1.0, 0.0)


def test_a_restored_host_waits_and_is_backed_off_as_before():
    old = Politeness(1, 32, None)
    fetch(old, "a", 0.0, answer="slow_down", wait_s=100.0)
    clock = old.snapshot("a", 10.0)
    clocks = Politeness(1, 32, None)
    clocks.restore("a", clock.aged(30.0), 1000.0)
    assert clocks.ready_at("a", 1000.0) == 1060.0
    assert clocks.delay_s("a") == 1.0
    assert clock.aged(1e6).wait_s == 0.0
    assert clock.aged(-5.0) == clock


HOSTS = [f"h{n}" for n in range(6)]
ADDRESSES = {host: f"ip{n % 2}" for n, host in enumerate(HOSTS)}
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["answered", "answered", "slow_down", "unanswered", "broken"]),
        st.floats(0, 5),
        st.none() | st.floats(0, 30),
    ),
    min_size=1,
    max_size=12,
)


class Simulation:
    """A fetcher as the class docstring describes it, on a fake clock; checks every start."""

    def __init__(self, per_host, per_address, delay_s, scripts, requests):
        self.clocks = Politeness(per_host, per_address, delay_s)
        self.per_host, self.per_address = per_host, per_address
        self.scripts, self.left = scripts, dict.fromkeys(scripts, requests)
        self.in_flight, self.starts, self.held = Counter(), {host: [] for host in scripts}, {}
        self.now, self.sequence, self.events = 0.0, 0, []
        for host in scripts:
            self.clocks.set_address(host, ADDRESSES[host])
            self.push(0.0, "ask", host)

    def push(self, at, what, host, script=None):
        self.sequence += 1
        heapq.heappush(self.events, (at, self.sequence, what, host, script))

    def on_address(self, host):
        return sum(self.in_flight[other] for other in self.scripts if ADDRESSES[other] == ADDRESSES[host])

    def ask(self, host):
        while self.left[host]:
            ready = self.clocks.ready_at(host, self.now)
            if ready is None:
                return
            if ready > self.now:
                self.push(ready, "ask", host)
                return
            self.start(host)

    def start(self, host):
        assert self.in_flight[host] < self.per_host
        assert self.on_address(host) < self.per_address
        assert self.now >= self.held.get(host, 0.0)
        if self.starts[host]:
            assert self.now >= self.starts[host][-1] + self.clocks.delay_s(host)
        answer, latency_s, wait_s = self.scripts[host][len(self.starts[host]) % len(self.scripts[host])]
        self.left[host] -= 1
        self.in_flight[host] += 1
        self.starts[host].append(self.now)
        self.clocks.started(host, self.now)
        self.push(self.now + latency_s, "end", host, (answer, latency_s, wait_s))

    def end(self, host, answer, latency_s, wait_s):
        self.in_flight[host] -= 1
        self.clocks.finished(host, self.now, latency_s, answer, wait_s)
        if wait_s is not None:
            self.held[host] = max(self.held.get(host, 0.0), self.now + wait_s)

    def run(self):
        while self.events:
            self.now, _, what, host, script = heapq.heappop(self.events)
            if what == "end":
                self.end(host, *script)
            self.ask(host)
            while called := self.clocks.called(self.now):
                for other in called:
                    self.ask(other)
        return self.starts


DELAYS = st.none() | st.sampled_from([0.0, 0.5])
LIMITS = st.integers(1, 3)


@given(LIMITS, LIMITS, DELAYS, st.dictionaries(st.sampled_from(HOSTS), EVENTS, min_size=1))
@settings(max_examples=150)
def test_every_request_is_made_within_the_limits_and_never_early(per_host, per_address, delay_s, scripts):
    simulation = Simulation(per_host, per_address, delay_s, scripts, 8)
    starts = simulation.run()
    assert all(len(times) == 8 for times in starts.values()), "somebody was never called"
    assert all(simulation.clocks.forget(host, simulation.now + 1e4) for host in scripts)
    assert not simulation.clocks._hosts
    assert not simulation.clocks._addresses
    assert not simulation.clocks._to_call


@given(st.dictionaries(st.sampled_from(HOSTS[1:]), EVENTS, min_size=1), EVENTS)
@settings(max_examples=50)
def test_trouble_of_one_host_changes_nothing_for_the_others(scripts, trouble):
    """With room on the addresses, the others start at the same instants with and without it."""
    alone = Simulation(2, 100, None, scripts, 8).run()
    troubled = {"h0": [("slow_down", latency_s, wait_s) for _, latency_s, wait_s in trouble], **scripts}
    together = Simulation(2, 100, None, troubled, 8).run()
    assert {host: together[host] for host in scripts} == alone


def test_hosts_of_one_address_share_it_fairly():
    starts = Simulation(2, 3, 0.0, {host: [("answered", 1.0, None)] for host in HOSTS}, 30).run()
    after_half = [sum(at < 30.0 for at in starts[host]) for host in ("h0", "h2", "h4")]
    assert max(after_half) - min(after_half) <= 2
    assert max(max(times) for times in starts.values()) == 29.0, "three slots, three hosts, never an idle one"


class AnyOrder(RuleBasedStateMachine):
    """Calls in any order that the contract allows, also by a caller who ignores whose turn it is."""

    def __init__(self):
        super().__init__()
        self.clocks = Politeness(2, 3, None)
        self.now = 0.0
        self.in_flight = Counter()
        self.address = {}
        self.last_start, self.held = {}, {}

    @rule(step=st.floats(0, 100))
    def time_passes(self, step):
        self.now += step

    @rule(host=st.sampled_from(HOSTS))
    def start(self, host):
        ready = self.clocks.ready_at(host, self.now)
        if ready is None or ready > self.now:
            return
        assert self.in_flight[host] < 2
        if host in self.address:
            same = (other for other, address in self.address.items() if address == self.address[host])
            assert sum(self.in_flight[other] for other in same) < 3
        assert self.now >= self.last_start.get(host, -1e9) + self.clocks.delay_s(host)
        assert self.now >= self.held.get(host, 0.0)
        self.clocks.started(host, self.now)
        self.in_flight[host] += 1
        self.last_start[host] = self.now

    @precondition(lambda self: self.in_flight.total())
    @rule(data=st.data(), latency_s=st.floats(0, 60), wait_s=st.none() | st.floats(0, 3600))
    def finish(self, data, latency_s, wait_s):
        host = data.draw(st.sampled_from(sorted(self.in_flight.elements())))
        answer = data.draw(st.sampled_from(["answered", "slow_down", "unanswered", "broken"]))
        self.clocks.finished(host, self.now, latency_s, answer, wait_s)
        self.in_flight[host] -= 1
        self.held[host] = max(self.held.get(host, 0.0), self.now + (wait_s or 0.0))

    @rule(host=st.sampled_from(HOSTS), address=st.sampled_from(["x", "y"]))
    def resolve(self, host, address):
        self.clocks.set_address(host, address)
        self.address[host] = address

    @rule(host=st.sampled_from(HOSTS), delay_s=st.floats(0, 100))
    def read_robots(self, host, delay_s):
        self.clocks.set_crawl_delay(host, delay_s)

    @rule()
    def call(self):
        called = self.clocks.called(self.now)
        assert len(called) == len(set(called))

    @rule(host=st.sampled_from(HOSTS))
    def forget(self, host):
        if self.clocks.forget(host, self.now):
            assert not self.in_flight[host]
            assert self.now >= self.held.get(host, 0.0)
            self.address.pop(host, None)

    @rule(host=st.sampled_from(HOSTS))
    def restart(self, host):
        clock = self.clocks.snapshot(host, self.now)
        if clock is not None:
            assert clock.wait_s >= 0
            before = self.clocks.delay_s(host)
            self.clocks.restore(host, clock, self.now)
            assert self.clocks.delay_s(host) == pytest.approx(before)

    @invariant()
    def nobody_waits_for_a_free_slot_unseen(self):
        for name, address in self.clocks._addresses.items():
            assert address.in_flight == sum(self.in_flight[h] for h, a in self.address.items() if a == name)
            assert address.hosts == sum(a == name for a in self.address.values())
            if address.waiting and address.in_flight < 3:
                assert name in self.clocks._to_call

    @invariant()
    def delays_are_bounded(self):
        for host in HOSTS:
            assert 0.1 <= self.clocks.delay_s(host) <= max(MAX_DELAY_S, 100)


AnyOrder.TestCase.settings = settings(max_examples=80, stateful_step_count=40)
TestAnyOrder = AnyOrder.TestCase
