"""The hosts in memory as a person is shown them: those with the most to do, or those of a name."""

import asyncio
from collections.abc import Mapping
from heapq import nlargest

from crawler.core.host_line import HostLine, HostLines
from crawler.core.quantity import duration
from crawler.fetcher.host import Host
from crawler.fetcher.known_hosts import KnownHosts
from crawler.fetcher.parser_line import ParserLine
from crawler.fetcher.politeness import Politeness

__all__ = ["HostList"]


class HostList:
    """Makes lines of hosts, when it is asked. In the event loop's thread; has no state.

    `options` has the option behind a word of `Politeness.held_by`, as a person spells it.
    """

    def __init__(
        self, known: KnownHosts, politeness: Politeness, parser_line: ParserLine, options: Mapping[str, str]
    ) -> None:
        self._known = known
        self._politeness = politeness
        self._parser_line = parser_line
        self._options = options

    def find(self, part: str, most: int) -> HostLines:
        """Return up to so many hosts whose name holds a text in lower case, those with the most to do first.

        20,000 hosts take two or three milliseconds.
        """
        named = [host for host in self._known.all if part in host.name] if part else list(self._known.all)
        now = asyncio.get_running_loop().time()
        lines = tuple(self._line(host, now) for host in nlargest(most, named, key=lambda host: len(host.tasks)))
        return HostLines(lines, len(named), len(self._known))

    def _line(self, host: Host, now: float) -> HostLine:
        politeness = self._politeness
        return HostLine(
            name=host.name,
            pending=_pending(host),
            under_way=politeness.in_flight(host.name),
            delay_s=politeness.delay_s(host.name),
            state=self._state(host, now),
            silent=host.silence is not None and (host.silence.given_up or host.silence.is_asleep(now)),
        )

    def _state(self, host: Host, now: float) -> str:
        silence = host.silence
        if silence is not None and silence.given_up:
            return f"given up: {silence.why}"
        if silence is not None and silence.is_asleep(now):
            return f"does not answer ({silence.why}): asked again in {duration(silence.until - now)}"
        if host.asking:
            return "asked for its robots.txt or address"
        held_by = self._held_by(host, now) if host.has_work else ""
        if held_by:
            return f"held by {held_by}"
        if self._politeness.in_flight(host.name):
            return "being asked"
        return "due" if host.has_work else "nothing to do"

    def _held_by(self, host: Host, now: float) -> str:
        """Say what keeps a host that has something to do from being asked, and for how long; empty if nothing does."""
        if host in self._parser_line:
            return "parsers"
        by = self._politeness.held_by(host.name, now)
        if not by:
            return host.held_by
        by = self._options.get(by, by)
        wait_s = self._politeness.clock(host.name).ready() - now
        return f"{by}, {duration(wait_s)}" if wait_s >= 1 else by


def _pending(host: Host) -> int:
    """Count what a host has to do that has not been started."""
    return len(host.tasks) + (len(host.silence.suspects) if host.silence is not None else 0)
