"""What a person changes in a crawl while it runs, and what of it is in force: values alone."""

import math
from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct, structs

from crawler.core.errors import UsageError

__all__ = ["BLOCKED", "MOST_HOSTS", "Change", "Steered", "Verb"]

BLOCKED: Final = "blocked"
"""Reason of outcome `skipped`: a person has blocked the host."""
MOST_HOSTS: Final = 1_000
"""Hosts that may be blocked at once, and hosts that may have a delay of their own: these are wishes of a person."""

Verb = Literal["pause", "resume", "stop", "delay", "block", "unblock"]
_SHOWN: Final = 10


class Change(Struct, frozen=True, omit_defaults=True):
    """One change: `do` says what; `host` (an authority) is there for the last three verbs.

    `delay_s` goes with `delay`: seconds between two requests to the host, None for those of the crawl again.
    """

    do: Verb
    host: str = ""
    delay_s: float | None = None


class Steered(Struct, frozen=True):
    """What is in force: whether the crawl is `paused`, the delays of hosts that have one of their own, blocked hosts.

    Hosts are authorities (`web.urls.authority`), in order.
    """

    paused: bool = False
    delays: dict[str, float] = {}
    blocked: tuple[str, ...] = ()

    def after(self, change: Change) -> "Steered":
        """Return what is in force after a change. Raises `UsageError` for one that cannot be made."""
        match change.do:
            case "pause" | "resume":
                return structs.replace(self, paused=change.do == "pause")
            case "delay":
                return structs.replace(self, delays=self._delays(change.host, change.delay_s))
            case "block":
                return structs.replace(self, blocked=self._in_order({*self.blocked, change.host}))
            case "unblock":
                return structs.replace(self, blocked=tuple(one for one in self.blocked if one != change.host))
            case "stop":
                return self

    @property
    def words(self) -> tuple[str, ...]:
        """Say for each host that is steered how, in a few words; of many the first ten, and how many more."""
        words = [
            *(f"blocked {host}" for host in self.blocked),
            *(f"delay {delay_s:g} s for {host}" for host, delay_s in self.delays.items()),
        ]
        more = len(words) - _SHOWN
        return tuple([*words[:_SHOWN], f"and {more:,} more"] if more > 1 else words)

    def _delays(self, host: str, delay_s: float | None) -> dict[str, float]:
        delays = {name: known for name, known in self.delays.items() if name != host}
        if delay_s is not None:
            if not 0 <= delay_s < math.inf:
                raise UsageError(f"a delay is a number of seconds, 0 or more, not {delay_s:g}")
            delays[host] = delay_s
        return {name: delays[name] for name in self._in_order(delays)}

    @staticmethod
    def _in_order(hosts: Iterable[str]) -> tuple[str, ...]:
        hosts = sorted(hosts)
        if len(hosts) > MOST_HOSTS:
            raise UsageError(f"at most {MOST_HOSTS:,} hosts can be steered so: --exclude leaves out any number of them")
        return tuple(hosts)
