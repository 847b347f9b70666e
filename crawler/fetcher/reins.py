"""What a person has changed while the crawl runs, as far as hosts and requests are concerned."""

import asyncio
from collections.abc import Callable, Iterable

from crawler.core.model import Result
from crawler.core.steered import Steered
from crawler.fetcher.host import Host
from crawler.fetcher.hosts import Hosts
from crawler.fetcher.silences import Silences

__all__ = ["Reins"]


class Reins:
    """Holds the crawl, and hosts, as a person wants them held.

    Paused, nothing new is asked for, and what is under way ends. A host with a delay of its own is asked by that. A
    blocked one gives back all that it has to do: the frontier keeps it, and hands out nothing more of that host.

    `tell(result)` takes what is given back; `wake(names)` brings back hosts that were to come later. State, written
    here alone and in the event loop's thread: what is in force, and since when the crawl is paused; `blocked` of the
    `Hosts`.
    """

    def __init__(
        self, hosts: Hosts, silences: Silences, *, tell: Callable[[Result], None], wake: Callable[[Iterable[str]], None]
    ) -> None:
        self._hosts = hosts
        self._silences = silences
        self._tell = tell
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._in_force = Steered()
        self._paused_at = 0.0

    @property
    def paused(self) -> bool:
        """Whether nothing is to be asked for."""
        return self._in_force.paused

    def take(self, steered: Steered) -> None:
        """Put in force what a person wants now."""
        before, self._in_force = self._in_force, steered
        if steered.paused and not before.paused:
            self._paused_at = self._loop.time()
        elif before.paused and not steered.paused:
            self._silences.put_off(self._loop.time() - self._paused_at)  # nobody was asked: nobody is given up for it
        changed = {name for name, _ in before.delays.items() ^ steered.delays.items()}
        for name in changed:
            self._hosts.set_delay(name, steered.delays.get(name))
        self._wake(changed)
        self._hosts.blocked = frozenset(steered.blocked)
        for name in self._hosts.blocked.difference(before.blocked):
            host = self._hosts.known.get(name)
            if host is not None:
                self.turn_away(host)

    def holds(self, host: Host) -> bool:
        """Whether a host is blocked."""
        return host.name in self._hosts.blocked

    def turn_away(self, host: Host) -> None:
        """Take all that a blocked host has to do from it: it is due, and the frontier holds it."""
        for again in (*self._hosts.due_again(host.take_tasks(), 0.0), *self._hosts.put_off(host, 0.0)):
            self._tell(again)
