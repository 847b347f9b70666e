"""What pages cost the parsers, host by host: who is known to be quick, who may have what share, who has to wait."""

import ipaddress
from enum import IntEnum
from typing import Final

__all__ = ["Costs", "Lately", "Standing", "neighbourhood"]

_QUICK_S: Final = 0.2
"""A host whose pages take longer has none that may go first, however idle the parsers are."""
_LEAST_QUICK_S: Final = 0.02
_RISES, _SINKS = 0.5, 0.125
"""What the newest page weighs in its host's cost: a slow one is noticed at once, and not forgotten soon."""
_FREE_S: Final = 0.02
"""A page that takes less is never charged for."""
_LEAST_WAIT_S: Final = 0.1
_WORK_S: Final = 2.0
"""What a host may have before each parser, in seconds of its pages."""
_STRANGERS_PAGES: Final = 8
_TRUSTED: Final = 32
_PROOF: Final = 8
"""For each host of a neighbourhood that was quick and then was not, its neighbours need so many more quick pages."""
_MOST_BETRAYALS: Final = 8
_FIRST_BACKOFF_S: Final = 1.0
_MAX_BACKOFF_S: Final = 60.0
_BACKOFF_KEPT: Final = 0.75
_BYTES_PER_S: Final = 5_000_000
"""A host brings as much as its pages take, and no more than this: so one of large pages is no quick one."""
_LATELY_S: Final = 10.0
_KEPT_HOSTS: Final = 10_000
_KEPT_NEIGHBOURHOODS: Final = 2_000


class Standing(IntEnum):
    """What is known of what a host's pages cost, best first.

    - `QUICK`: they take no time that anybody would notice.
    - `UNPROVEN`: nobody knows, or this page is a large one.
    - `DOUBTFUL`: they take long or have ended parsers, or those of its neighbours if nothing is known of it.
    """

    QUICK = 0
    UNPROVEN = 1
    DOUBTFUL = 2


class _Host:
    """What is known of one host: seconds that a page takes, pages that passed, pages inside, the last back-off, and
    whether it was quick and then was not.
    """

    __slots__ = ("backoff_s", "betrayed", "inside", "page_s", "passed")

    def __init__(self) -> None:
        self.betrayed = False
        self.page_s = 0.0
        self.passed = 0
        self.inside = 0
        self.backoff_s = 0.0


class _Neighbourhood:
    """What is known where something was slow: seconds that first pages take, and hosts that were quick before."""

    __slots__ = ("betrayals", "page_s")

    def __init__(self) -> None:
        self.page_s = 0.0
        self.betrayals = 0


class Costs:
    """Learns how long pages of each host take in a parser, for a pool of `parsers`.

    A host is *quick* once a page of its own took less than `quick_s`. As long as nothing is known of it, its neighbours
    speak for it (`neighbourhood`), and the size of its page: that decides about its place in a line, and no more.
    `quick_s` sinks while pages of quick hosts have to wait, so that those with the dearest pages go last.

    State, under the lock of the pool: the hosts by name, those longest known first, of which the oldest that have
    nothing inside are forgotten; the neighbourhoods in which something was slow; `quick_s`; how many hosts have pages
    inside.
    """

    def __init__(self, parsers: int) -> None:
        self.quick_s = _QUICK_S
        self._parsers = parsers
        self._hosts: dict[str, _Host] = {}
        self._near: dict[str, _Neighbourhood] = {}
        self._hosts_inside = 0

    # What is asked

    def standing(self, host: str, size: int = 0) -> Standing:
        """Return how a page of a host, of so many bytes, goes to the parsers."""
        if self.is_quick(host, size):
            return Standing.QUICK
        return Standing.DOUBTFUL if self.is_doubtful(host) else Standing.UNPROVEN

    def is_quick(self, host: str, size: int = 0) -> bool:
        """Whether a page of a host, of so many bytes, takes no time that anybody would notice."""
        one = self._hosts.get(host)
        if one is None or not one.passed or one.page_s > self.quick_s or size > _QUICK_S * _BYTES_PER_S:
            return False
        return not self._near or one.passed > self._proof(host)

    def is_doubtful(self, host: str) -> bool:
        """Whether pages of a host take long, or those of its neighbours if nothing is known of it."""
        one = self._hosts.get(host)
        if one is not None and one.passed:
            return one.page_s > self.quick_s or one.passed <= self._proof(host)
        near = self._near.get(neighbourhood(host)) if self._near else None
        return near is not None and (near.page_s > self.quick_s or near.betrayals > 0)

    def has_its_share(self, host: str) -> bool:
        """Whether the parsers have as many pages of a host as they may: some seconds of work, if that is known.

        Of a host whose pages end parsers that is one.
        """
        one = self._hosts.get(host)
        if one is None or not one.inside:
            return False
        if one.backoff_s:
            return True
        if not one.passed:
            return one.inside >= max(_STRANGERS_PAGES, 2 * self._parsers)
        return one.inside >= max(2 * self._parsers, _WORK_S * self._parsers / max(one.page_s, 1e-6))

    # What is learned

    def entered(self, host: str) -> None:
        """Count a page that has come."""
        one = self._hosts.get(host)
        if one is None:
            one = self._hosts[host] = _Host()
            self._forget()
        if not one.inside:
            self._hosts_inside += 1
        one.inside += 1

    def left(self, host: str) -> None:
        """Count a page that has ended, or was taken back before a parser had it."""
        one = self._hosts[host]
        one.inside -= 1
        if not one.inside:
            self._hosts_inside -= 1

    def took(self, host: str, took_s: float, size: int = 0) -> float:
        """Learn how long a page took; return for how many seconds its host is not to be asked, 0 for an ordinary one.

        Its seconds count as often as other hosts had pages here meanwhile, divided by the parsers. So a host that has
        them to itself waits for nothing, and one among many gets what is left of its share.
        """
        one = self._hosts[host]
        seconds = max(took_s, size / _BYTES_PER_S)
        if one.betrayed and not one.passed and seconds <= _QUICK_S:
            one.betrayed = False
            self._near_of(host).betrayals -= 1
        if seconds > _QUICK_S or self._near:
            betrayed = one.passed > 0 and one.page_s <= _QUICK_S < seconds
            self._learn_near(host, one, seconds, betrayed=betrayed)
        if one.passed:
            one.page_s += (seconds - one.page_s) * (_RISES if seconds > one.page_s else _SINKS)
        else:
            one.page_s = max(seconds, one.page_s / 2)
        one.passed += 1
        if one.backoff_s:
            kept = one.backoff_s * _BACKOFF_KEPT
            one.backoff_s = kept if kept >= _FIRST_BACKOFF_S / 2 else 0.0
        if took_s < _FREE_S:
            return 0.0
        wait_s = took_s * (self._hosts_inside - 1) / self._parsers
        return wait_s if wait_s >= _LEAST_WAIT_S else 0.0

    def suspected(self, host: str) -> None:
        """Learn that a page of a host was in a batch over which a parser died.

        It has to prove itself anew, unless it has done so many times; and so have its neighbours, until one of its
        pages passes.
        """
        one = self._hosts[host]
        if one.passed < _TRUSTED:
            one.passed = 0
            if not one.betrayed:
                one.betrayed = True
                self._near_of(host).betrayals += 1

    def killed(self, host: str, seconds: float) -> float:
        """Learn that a page ended its parser, after so long; return for how many seconds its host is not to be asked.

        A second, twice as long for each further one, a minute at most; pages that pass take back a quarter each.
        """
        one = self._hosts[host]
        self._learn_near(host, one, max(seconds, _FIRST_BACKOFF_S), betrayed=one.page_s <= _QUICK_S)
        one.page_s = max(one.page_s, seconds, _FIRST_BACKOFF_S)
        one.passed = max(one.passed, 1)
        one.backoff_s = min(max(_FIRST_BACKOFF_S, 2 * one.backoff_s), _MAX_BACKOFF_S)
        return max(one.backoff_s, seconds * (self._hosts_inside - 1) / self._parsers)

    def shorten(self) -> None:
        """Learn that pages of quick hosts wait: the dearest of them are not quick any more."""
        self.quick_s = max(_LEAST_QUICK_S, self.quick_s / 2)

    def relax(self) -> None:
        """Learn that none had to wait for long."""
        self.quick_s = min(_QUICK_S, self.quick_s * 2)

    def _proof(self, host: str) -> int:
        near = self._near.get(neighbourhood(host)) if self._near else None
        return 0 if near is None else _PROOF * max(0, min(near.betrayals, _MOST_BETRAYALS))

    def _learn_near(self, host: str, one: _Host, seconds: float, *, betrayed: bool) -> None:
        slow = seconds > _QUICK_S
        near = self._near_of(host) if slow else self._near.get(neighbourhood(host))
        if near is None:
            return
        if not one.passed:
            weight = _RISES if slow else _SINKS
            near.page_s = near.page_s + (seconds - near.page_s) * weight if near.page_s else seconds
        if betrayed and not one.betrayed:
            one.betrayed = True
            near.betrayals += 1

    def _near_of(self, host: str) -> _Neighbourhood:
        name = neighbourhood(host)
        near = self._near.get(name)
        if near is None:
            near = self._near[name] = _Neighbourhood()
            if len(self._near) > _KEPT_NEIGHBOURHOODS:
                del self._near[next(iter(self._near))]
        return near

    def _forget(self) -> None:
        for _ in range(min(2, len(self._hosts) - _KEPT_HOSTS)):
            name = next(iter(self._hosts))
            one = self._hosts.pop(name)
            if one.inside:
                self._hosts[name] = one


class Lately:
    """Whose pages came lately, for `threads` that parse in the crawl's own process, where a slow page holds up all.

    State, under a lock of whoever uses it: the hosts, each with when its last page was parsed, the latest last.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._hosts: dict[str, float] = {}

    def took(self, host: str, seconds: float, now: float) -> float:
        """Learn how long a page took; return for how many seconds its host is not to be asked, 0 for an ordinary one.

        A slow page's seconds count as often as others had pages in the last ten, divided by the threads.
        """
        self._hosts.pop(host, None)
        self._hosts[host] = now
        oldest = next(iter(self._hosts))
        if self._hosts[oldest] < now - _LATELY_S:
            del self._hosts[oldest]
        if seconds <= _QUICK_S:
            return 0.0
        return seconds * (sum(at >= now - _LATELY_S for at in self._hosts.values()) - 1) / self._threads


def neighbourhood(host: str) -> str:
    """Return what a host (an authority) shares with those that are likely to be of the same owner. A guess.

    Of an address its network (/24, of IPv6 /64), of a name its last two labels, or three where the last two look like a
    public suffix (`co.uk`).
    """
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    if name.startswith("["):
        try:
            packed = ipaddress.IPv6Address(name[1:-1]).packed
        except ValueError:
            return name
        return packed[:8].hex()
    labels = name.split(".")
    if labels[-1].isdigit():
        return ".".join(labels[:3])
    kept = 3 if len(labels[-1]) == 2 and len(labels) > 2 and len(labels[-2]) <= 3 else 2
    return ".".join(labels[-kept:])
