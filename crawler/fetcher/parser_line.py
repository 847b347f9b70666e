"""Hosts that wait until the parsers have room for pages like theirs."""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import islice
from typing import Final, Protocol

from crawler.fetcher.host import Host
from crawler.fetcher.known_hosts import KnownHosts
from crawler.fetcher.politeness import Politeness

__all__ = ["Load", "NoLoad", "ParserLine"]

_CALLED_AT_ONCE: Final = 16
_LOOK_EVERY_S: Final = 0.25
_LOOKED_AT: Final = 2_048


class Load(Protocol):
    """What the parsers say of their load, in the event loop's thread. A host is an authority."""

    def is_quick(self, host: str, size: int) -> bool:
        """Whether a page of a host, of so many bytes, takes no time that anybody would notice."""

    def holds(self, host: str) -> bool:
        """Whether so much waits that nothing is to be asked of a host: of its own, or of others like it."""


class NoLoad:
    """Parsers that never have too much. Has no state."""

    def is_quick(self, host: str, size: int) -> bool:  # noqa: ARG002 - whatever it is
        """Return True."""
        return True

    def holds(self, host: str) -> bool:  # noqa: ARG002 - as above
        """Return False."""
        return False


class ParserLine:
    """Hosts that may not be asked because the parsers hold them (`load`), in the order in which that was noticed.

    They are looked at when the parsers say so, a few at a time, and all of them four times a second: which host is held
    may change without a word.

    State, written here alone and in the event loop's thread: the hosts, whether the parsers have spoken, and when all
    hosts were looked at.
    """

    def __init__(self, load: Load, politeness: Politeness, known: KnownHosts) -> None:
        self._load = load
        self._known = known
        self._politeness = politeness
        self._hosts: OrderedDict[str, Host] = OrderedDict()
        self._roused = False
        self._looked_at = 0.0

    def __contains__(self, host: Host) -> bool:
        return host.name in self._hosts

    def stops(self, host: Host) -> bool:
        """Say whether nothing may be asked of a host now; then it waits here."""
        if self._load.holds(host.name):
            self._hosts[host.name] = host
            return True
        if self._hosts:
            self._hosts.pop(host.name, None)
        return False

    def charge(self, waits: Mapping[str, float], now: float) -> None:
        """Have hosts wait, each so many seconds, for what their pages cost; others here may have room now.

        One that was forgotten has had nothing to do for so long that it has paid.
        """
        for name, wait_s in waits.items():
            if self._known.get(name) is not None:
                self._politeness.clock(name).charge(now, wait_s)
        self._roused = True

    def called(self, now: float) -> list[Host]:
        """Return those that may be served at once."""
        if not self._hosts:
            return []
        looks_at_all = now - self._looked_at >= _LOOK_EVERY_S
        if not looks_at_all and not self._roused:
            return []
        self._roused = False
        if looks_at_all:
            self._looked_at = now
        called: list[Host] = []
        for name in list(islice(self._hosts, _LOOKED_AT if looks_at_all else 2 * _CALLED_AT_ONCE)):
            if self._load.holds(name):
                self._hosts.move_to_end(name)
            else:
                called.append(self._hosts.pop(name))
                if len(called) == _CALLED_AT_ONCE:
                    self._roused = True  # more of them may be free to go, and the parsers have said so once
                    break
        return called

    @property
    def next_at(self) -> float | None:
        """When to look at all of them again; None if nobody waits."""
        return self._looked_at + _LOOK_EVERY_S if self._hosts else None
