"""When a host may be asked again. Pure clock code: `now` is an argument (monotonic seconds), nothing sleeps."""

from collections import OrderedDict

from crawler.fetcher.clock import Clock, Ending, first_delay_s
from crawler.fetcher.transport.address_block import address_block
from crawler.web.host_state import HostClock

__all__ = ["Politeness"]


class _Address:
    """One IP address: what all its hosts have in flight together, and which of them wait for that to sink."""

    __slots__ = ("called", "hosts", "in_flight", "waiting")

    def __init__(self) -> None:
        self.hosts = 0
        self.in_flight = 0
        self.waiting: OrderedDict[str, None] = OrderedDict()  # a queue that a host can also leave
        self.called: set[str] = set()  # each has a slot kept for it until it starts or the next call


class _Counted(Clock):
    """A host's clock, the requests that it has in flight, and the address that these count against.

    `address_name` is that address as it counts, `told` as it was told last.
    """

    __slots__ = ("address", "address_name", "in_flight", "told")

    def __init__(self, fixed_delay_s: float | None) -> None:
        super().__init__(fixed_delay_s)
        self.in_flight = 0
        self.address: _Address | None = None
        self.address_name = ""
        self.told = ""


class Politeness:
    """The clocks of all hosts, and the two limits on requests in flight: per host and per address.

    A request to a host may start when less than `per_host` of its requests are in flight, less than `per_address`
    of all hosts on its address are, its last request started at least `delay_s(host)` ago, and neither Retry-After
    nor back-off holds it. `delay_s` None is adaptive: the host's smoothed latency, or a second for 5 MB if that is
    longer, from 0.1 to 10 s. How it grows when a host is overwhelmed, `Clock` says.

    Addresses: a host counts against none until `set_address` tells which; then what it has in flight counts there. A
    host that has to wait only for its address (`ready_at` is None) gets in that address's line. `called(now)` says
    whose turn it is, in that order; a slot is kept for each of them until it starts or `called` is asked again. So
    whenever requests have finished, and the crawl has room for more, ask `called` until it names nobody, and at once
    `ready_at` for each host that it names. Then nobody in line is overtaken, and a host that does not use its turn
    (it has no URL left, say) keeps its slot from nobody.

    State: one clock for each host between its first mention and `forget`, one counter for each address they use, and
    the delays of hosts that have one of their own.
    Not for use from several threads. All methods are O(1), `called` per host that got in line.
    """

    def __init__(self, per_host: int, per_address: int, delay_s: float | None) -> None:
        self._per_host = per_host
        self._per_address = per_address
        self._fixed_delay_s = delay_s
        self._own_delays: dict[str, float] = {}
        self._hosts: dict[str, _Counted] = {}
        self._addresses: dict[str, _Address] = {}
        self._to_call: dict[str, _Address] = {}  # addresses with somebody in line and a slot free
        self._kept: list[_Address] = []  # addresses that keep slots for hosts called last

    def __repr__(self) -> str:
        in_flight = sum(host.in_flight for host in self._hosts.values())
        return f"Politeness({len(self._hosts)} hosts, {len(self._addresses)} addresses, {in_flight} in flight)"

    def ready_at(self, host: str, now: float) -> float | None:
        """Earliest time, at least `now`, at which a request to `host` may start.

        None: not before one of its requests finishes or `called` names it, so ask again then.
        """
        state = self._hosts.get(host)
        if state is None:
            return now
        if state.in_flight >= self._per_host:
            return None
        ready = state.ready()
        if ready > now:
            return ready
        address = state.address
        if address is not None and not self._may_start(host, address):
            address.waiting[host] = None
            self._call_later(state.address_name, address)
            return None
        return now

    def _may_start(self, host: str, address: _Address) -> bool:
        if host in address.called:
            return address.in_flight < self._per_address
        return not address.waiting and address.in_flight + len(address.called) < self._per_address

    def _call_later(self, name: str, address: _Address) -> None:
        if address.waiting and address.in_flight < self._per_address:
            self._to_call[name] = address
        else:
            self._to_call.pop(name, None)

    def called(self, now: float) -> list[str]:
        """Hosts that waited for their address and may ask `ready_at` again now, in the order in which they came.

        As many as there are free slots, and besides those whose own clock has moved on while they waited. Slots kept
        for hosts called before that have not started are free again.
        """
        for address in self._kept:
            address.called.clear()
        self._kept.clear()
        hosts: list[str] = []
        for name, address in list(self._to_call.items()):
            self._kept.append(address)
            free = self._per_address - address.in_flight
            while free > 0 and address.waiting:
                host, _ = address.waiting.popitem(last=False)
                hosts.append(host)
                state = self._hosts[host]
                if state.in_flight < self._per_host and state.ready() <= now:
                    address.called.add(host)
                    free -= 1
            self._call_later(name, address)
        return hosts

    def started(self, host: str, now: float) -> bool:
        """Count a request to `host` that starts now; `ready_at` allowed it.

        Say whether the time between two requests to it is to be remembered beyond a run.
        """
        state = self.clock(host)
        state.in_flight += 1
        state.started(now)
        address = state.address
        if address is not None:
            address.in_flight += 1
            if address.waiting or address.called:
                self._leave_line(host, state.address_name, address)
        return state.is_slow

    def finished(
        self,
        host: str,
        now: float,
        latency_s: float,
        ending: Ending,
        wait_s: float | None = None,
        *,
        body_bytes: int = 0,
    ) -> None:
        """Count a request to `host` that `started` and has ended now.

        `latency_s`: from its start to the first byte of the answer, `body_bytes`: what it brought; used only if
        `ending` is `answered`. `wait_s`: what Retry-After asks for (bounded by the caller), None without one.
        """
        state = self._hosts[host]
        state.in_flight -= 1
        address = state.address
        if address is not None:
            address.in_flight -= 1
            if address.waiting:
                self._call_later(state.address_name, address)
        state.finished(now, latency_s, ending, wait_s, body_bytes)

    def set_address(self, host: str, address: str) -> None:
        """Tell on which IP address `host` is; may change, and what the host has in flight moves along.

        IPv6 addresses of one /64 are one address; see `address_block`.
        """
        state = self.clock(host)
        if state.told == address:
            return
        state.told = address
        address = address_block(address)
        if state.address_name == address:
            return
        self._leave_address(host, state)
        group = self._addresses.get(address)
        if group is None:
            group = self._addresses[address] = _Address()
        group.hosts += 1
        group.in_flight += state.in_flight
        state.address, state.address_name = group, address
        self._call_later(address, group)

    def set_crawl_delay(self, host: str, delay_s: float) -> None:
        """Apply a Crawl-delay of robots.txt (seconds); the largest of all told and of the other delays wins."""
        self.clock(host).set_crawl_delay(delay_s)

    def clock(self, host: str) -> _Counted:
        """Return the clock of a host, a new one if it is not known."""
        state = self._hosts.get(host)
        if state is None:
            state = self._hosts[host] = _Counted(self._own_delays.get(host, self._fixed_delay_s))
        return state

    def set_delay(self, host: str, delay_s: float | None) -> None:
        """Give a host a fixed delay of its own, in place of the one of all; None takes it back.

        Crawl-delay, Retry-After and back-off have the same say in it as in that one.
        """
        if delay_s is None:
            self._own_delays.pop(host, None)
        else:
            self._own_delays[host] = delay_s
        state = self._hosts.get(host)
        if state is not None:
            state.set_fixed_delay(self._own_delays.get(host, self._fixed_delay_s))

    def delay_s(self, host: str) -> float:
        """Seconds between the starts of two requests to `host`, as of now."""
        state = self._hosts.get(host)
        return first_delay_s(self._own_delays.get(host, self._fixed_delay_s)) if state is None else state.delay_s

    def in_flight(self, host: str) -> int:
        """Count the requests to `host` that started and have not finished."""
        state = self._hosts.get(host)
        return 0 if state is None else state.in_flight

    def held_by(self, host: str, now: float) -> str:
        """Say what keeps a request to `host` from starting now, empty if nothing does.

        One of `per-host`, `per-address`, `parsers`, `Retry-After or back-off`, `Crawl-delay`, `delay`.
        """
        state = self._hosts.get(host)
        if state is None:
            return ""
        if state.in_flight >= self._per_host:
            return "per-host"
        if state.ready() > now:
            return state.held_by(now)
        return "per-address" if state.address is not None and host in state.address.waiting else ""

    def forget(self, host: str, now: float, *, kept: bool = False) -> bool:
        """Drop all that is known of an idle host whose clock has run out, so that it would be free to start anyway.

        False, and nothing is dropped, while it has requests in flight, waits for its address or must wait. Take a
        `snapshot` first to keep its back-off; if that is `kept`, it may have to wait. An unknown host is True.
        """
        state = self._hosts.get(host)
        if state is None:
            return True
        if (
            state.in_flight
            or (state.ready() > now and not kept)
            or (state.address is not None and host in state.address.waiting)
        ):
            return False
        self._leave_address(host, state)
        del self._hosts[host]
        return True

    def snapshot(self, host: str, now: float) -> HostClock | None:
        """Return what a later run, or this one after `forget`, should know of `host`.

        None if that is nothing: no back-off, no long delay, and no wait but for the ordinary one.
        """
        state = self._hosts.get(host)
        return None if state is None else state.snapshot(now)

    def restore(self, host: str, clock: HostClock, now: float) -> None:
        """Apply a `snapshot`; `clock.wait_s` counts from `now`. What is known already and is stricter stays."""
        self.clock(host).restore(clock, now)

    def _leave_line(self, host: str, name: str, address: _Address) -> None:
        address.waiting.pop(host, None)
        address.called.discard(host)
        self._call_later(name, address)

    def _leave_address(self, host: str, state: _Counted) -> None:
        address, name = state.address, state.address_name
        if address is None:
            return
        address.hosts -= 1
        address.in_flight -= state.in_flight
        self._leave_line(host, name, address)
        if not address.hosts:
            del self._addresses[name]
