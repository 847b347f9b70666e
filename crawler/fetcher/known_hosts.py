"""The hosts that are in memory: those that have something to do, and a few that have not."""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from crawler.fetcher.host import Host
from crawler.fetcher.silence import Silence

__all__ = ["KEPT_HOSTS", "KnownHosts"]

KEPT_HOSTS: Final = 4_096
"""Idle hosts that stay: more than fall idle while their pages are parsed and their next URLs are on the way."""
_LOOKS: Final = 16


class KnownHosts:
    """Hosts by name. Of those with nothing to do the ones that are idle for longest are forgotten, if many are.

    `let_go(host, now)` drops the rest that is known of a host, and says whether it could. `recalls`: what the store
    remembers of a host can be asked for. Without that nothing is forgotten, and nothing is to be recalled.

    State, of the event loop's thread alone: the hosts; those that were idle when they were seen last, in that order.
    """

    def __init__(self, let_go: Callable[[Host, float], bool], silent: Mapping[str, Silence], *, recalls: bool) -> None:
        self._let_go = let_go
        self._silent = silent
        self._recalls = recalls
        self._hosts: dict[str, Host] = {}
        self._idle: dict[str, Host] = {}

    def __len__(self) -> int:
        return len(self._hosts)

    def named(self, name: str) -> Host:
        """Return the host of this name, a new one if it is not known."""
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = Host(name, self._silent.get(name))
            host.recalled = not self._recalls
        return host

    def get(self, name: str) -> Host | None:
        """Return the host of this name if it is known."""
        return self._hosts.get(name)

    @property
    def all(self) -> Collection[Host]:
        """All that are known."""
        return self._hosts.values()

    def rest(self, host: Host, now: float) -> None:
        """Learn that a host may have nothing to do any more; forget others, if many have not."""
        if host.is_busy or not self._recalls:
            return
        self._idle.pop(host.name, None)
        self._idle[host.name] = host
        for _ in range(min(_LOOKS, len(self._idle) - KEPT_HOSTS)):
            self._look_at_oldest(now)

    def _look_at_oldest(self, now: float) -> None:
        name, host = next(iter(self._idle.items()))
        del self._idle[name]
        if host.is_busy:
            return  # it rests again later
        if self._let_go(host, now):
            del self._hosts[name]
        else:
            self._idle[name] = host
